"""Creating and removing queues, topics and bucket one by one: on emulators.

They are set to what the template of a deployment sets them to, since not all emulators
take such a template.

1. Creating is idempotent: what is there is kept, what is missing is added.
2. A queue takes messages from the one topic that serves it, beside what the
   account's own IAM policies allow, and from nobody else.
3. Bodies and blobs that nobody fetches are gone after a day.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from serverless_dist.cloud.attempts import (
    Refusal,
    Service,
    call,
    side_by_side,
)
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_address import AwsAddress, FabricNames, count_topics
from serverless_dist.cloud.aws_blobs import S3Blobs
from serverless_dist.cloud.aws_cloud import JOBS
from serverless_dist.cloud.aws_refusals import NotProvisionedError
from serverless_dist.cloud.fabric import (
    ENCRYPTION,
    EXPIRY_DAYS,
    PUBLIC_ACCESS,
    as_text,
    filter_policy,
    mailbox_attributes,
    mailbox_policy,
)
from serverless_dist.cloud.limits import MAX_FILTERS, VISIBILITY_TIMEOUT


def create(
    clients: AwsClients,
    names: FabricNames,
    mailboxes: int,
    visibility: float = VISIBILITY_TIMEOUT,
) -> AwsAddress:
    """Create a fabric, or add what is missing, and return where it is.

    Parameters
    ----------
    clients
        Those of the emulator.
    names
        What its parts are called.
    mailboxes
        How many queues it has at least.
    visibility
        Seconds that a received body stays hidden.
    """
    # The topics tell the account, which the policies of the queues need.
    arns = [
        _create_topic(clients, names.topic(index))
        for index in range(count_topics(mailboxes))
    ]
    account = arns[0].split(":")[4]
    bucket = names.bucket(account)
    _create_bucket(clients, bucket, account)
    urls = [""] * mailboxes

    def create_mailbox(index: int) -> None:
        name, arn = names.mailbox(index), arns[index // MAX_FILTERS]
        urls[index] = _create_queue(clients, name, arn, visibility)
        _subscribe(clients, index, name, arn)

    # The last one is made last: whoever finds it finds all.
    jobs = [partial(create_mailbox, index) for index in range(mailboxes)]
    side_by_side(clients.pool, jobs[:-1])
    jobs[-1]()
    return AwsAddress(
        region=clients.region,
        endpoint=clients.endpoint,
        queue_url_prefix=urls[0].removesuffix("0"),
        topic_arns=tuple(arns),
        bucket=bucket,
        mailboxes=mailboxes,
    )


def remove(clients: AwsClients, names: FabricNames) -> None:
    """Remove all of a fabric; one that does not exist is no error."""
    topics = [
        topic["TopicArn"]
        for topic in _pages(clients.sns, "list_topics", "Topics")
        if _is_numbered(topic["TopicArn"].rpartition(":")[2], names.topic_prefix)
    ]
    urls = [
        url
        for url in _pages(
            clients.sqs,
            "list_queues",
            "QueueUrls",
            QueueNamePrefix=names.mailbox_prefix,
            MaxResults=1_000,
        )
        if _is_numbered(url.rpartition("/")[2], names.mailbox_prefix)
    ]
    # The topics go last: they tell the account, and so the name of the bucket, to
    # whoever has to finish what broke off here.
    accounts = [arn.split(":")[4] for arn in topics] + [u.split("/")[-2] for u in urls]
    for account in accounts[:1]:
        _delete_bucket(clients, names.bucket(account), account)
    side_by_side(clients.pool, [partial(_delete_queue, clients, url) for url in urls])
    for arn in topics:
        call(clients.sns, "delete_topic", f"topic {arn}", TopicArn=arn)


def _is_numbered(name: str, prefix: str) -> bool:
    return re.fullmatch(re.escape(prefix) + r"\d+", name) is not None


def _pages(
    service: Service, operation: str, field: str, **arguments: object
) -> Iterator[Any]:
    more: dict[str, str] = {}
    while True:
        answer = call(service, operation, "all", **arguments, **more)
        yield from answer.get(field, ())
        if not answer.get("NextToken"):
            return
        more = {"NextToken": answer["NextToken"]}


def _create_topic(clients: AwsClients, name: str) -> str:
    answer = call(clients.sns, "create_topic", f"topic {name}", Name=name)
    arn: str = answer["TopicArn"]
    return arn


def _queue_arn(clients: AwsClients, topic: str, name: str) -> str:
    account = topic.split(":")[4]
    return f"arn:{clients.partition}:sqs:{clients.region}:{account}:{name}"


def _create_queue(clients: AwsClients, name: str, topic: str, visibility: float) -> str:
    attributes = as_text(
        mailbox_attributes(visibility)
        | {"Policy": mailbox_policy(_queue_arn(clients, topic, name), topic)}
    )
    resource = f"queue {name}"
    try:
        answer = call(
            clients.sqs,
            "create_queue",
            resource,
            QueueName=name,
            Attributes=attributes,
        )
    except Refusal as refusal:
        if refusal.code not in {"QueueAlreadyExists", "QueueNameExists"}:
            raise
        # It is there, with other attributes.
        answer = call(clients.sqs, "get_queue_url", resource, QueueName=name)
        call(
            clients.sqs,
            "set_queue_attributes",
            resource,
            QueueUrl=answer["QueueUrl"],
            Attributes=attributes,
        )
    url: str = answer["QueueUrl"]
    return url


def _subscribe(clients: AwsClients, index: int, name: str, topic: str) -> None:
    call(
        clients.sns,
        "subscribe",
        f"topic {topic}",
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=_queue_arn(clients, topic, name),
        Attributes=as_text(
            {"RawMessageDelivery": True, "FilterPolicy": filter_policy(index)}
        ),
        ReturnSubscriptionArn=True,
    )


def _create_bucket(clients: AwsClients, bucket: str, account: str) -> None:
    resource = f"bucket {bucket}"
    home = clients.region == "us-east-1"  # which S3 does not take as a constraint
    place = {"LocationConstraint": clients.region}
    try:
        call(
            clients.s3,
            "create_bucket",
            resource,
            Bucket=bucket,
            **({} if home else {"CreateBucketConfiguration": place}),
        )
    except Refusal as refusal:
        if refusal.code != "BucketAlreadyOwnedByYou":
            raise
    settings: dict[str, dict[str, object]] = {
        "put_public_access_block": {
            "PublicAccessBlockConfiguration": dict(PUBLIC_ACCESS)
        },
        "put_bucket_encryption": {
            "ServerSideEncryptionConfiguration": {
                "Rules": [
                    {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": ENCRYPTION}}
                ]
            }
        },
        "put_bucket_lifecycle_configuration": {
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "ID": "expire",
                        "Status": "Enabled",
                        "Filter": {"Prefix": JOBS},
                        "Expiration": {"Days": EXPIRY_DAYS},
                        "AbortIncompleteMultipartUpload": {
                            "DaysAfterInitiation": EXPIRY_DAYS
                        },
                    }
                ]
            }
        },
    }
    for operation, arguments in settings.items():
        call(
            clients.s3,
            operation,
            resource,
            Bucket=bucket,
            ExpectedBucketOwner=account,
            **arguments,
        )


def _delete_queue(clients: AwsClients, url: str) -> None:
    with suppress(NotProvisionedError):  # it goes in its own time
        call(
            clients.sqs, "delete_queue", f"queue {url.rpartition('/')[2]}", QueueUrl=url
        )


def _delete_bucket(clients: AwsClients, bucket: str, account: str) -> None:
    blobs = S3Blobs(clients.s3, bucket, clients.pool)
    with suppress(NotProvisionedError):
        blobs.delete(blobs.list(""))
        call(
            clients.s3,
            "delete_bucket",
            f"bucket {bucket}",
            Bucket=bucket,
            ExpectedBucketOwner=account,
        )
