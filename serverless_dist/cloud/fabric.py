"""What the parts of a fabric are set to, however they are made.

The template of a deployment and `aws_provision`, which makes the same queues, topics
and bucket one by one, both take these values.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from serverless_dist.cloud.limits import SQS_MAX_BYTES

DAY = 86_400  # seconds
EXPIRY_DAYS = 1  # of what a job has put into the bucket, and of unfinished uploads

PUBLIC_ACCESS: Mapping[str, bool] = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
ENCRYPTION = "AES256"  # with S3's own keys, which cost nothing

Policy = dict[str, Any]


def policy(*statements: Mapping[str, Any]) -> Policy:
    """Return a policy document of these statements."""
    return {"Version": "2012-10-17", "Statement": [dict(s) for s in statements]}


def mailbox_attributes(visibility: float) -> dict[str, Any]:
    """Return a mailbox's attributes but its policy.

    Bodies stay hidden for `visibility` seconds once received, and are gone after a day.
    """
    return {
        "MaximumMessageSize": SQS_MAX_BYTES,
        "MessageRetentionPeriod": DAY,
        "SqsManagedSseEnabled": True,
        "VisibilityTimeout": math.ceil(visibility),
    }


def mailbox_policy(queues: str, topic: str) -> Policy:
    """Return the policy by which queues take messages from one topic.

    It is beside what the account's own IAM policies allow, and allows nobody else.

    Parameters
    ----------
    queues
        The ARN of a queue, or what the ARNs of several have in common and a ``*``.
    topic
        The ARN of the topic.
    """
    return policy(
        {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queues,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
    )


def filter_policy(index: int) -> dict[str, list[str]]:
    """Return which messages of its topic a mailbox gets: those that name it."""
    return {"target": [str(index)]}


def as_text(attributes: Mapping[str, object]) -> dict[str, str]:
    """Return attributes as the API of SQS and SNS takes them.

    >>> as_text({"VisibilityTimeout": 30, "SqsManagedSseEnabled": True, "P": {"a": 1}})
    {'VisibilityTimeout': '30', 'SqsManagedSseEnabled': 'true', 'P': '{"a": 1}'}
    """
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in attributes.items()
    }
