"""The CloudFormation templates of a deployment, as values; nothing here asks AWS.

1. The first 200 mailboxes are in the main stack, each further 200, with their topic,
   in a stack of their own: a stack takes 500 resources.
2. The main stack's first template, that without a package, is only the bucket: the
   package has to lie in it before there can be functions.
3. All names and ARNs are written out, so that the role can name the functions and the
   functions the role, and two deployments have nothing in common.
"""

import json
from typing import Any

from serverless_dist.cloud.aws_cloud import JOBS
from serverless_dist.cloud.fabric import (
    ENCRYPTION,
    EXPIRY_DAYS,
    PUBLIC_ACCESS,
    filter_policy,
    mailbox_attributes,
    mailbox_policy,
    policy,
)
from serverless_dist.cloud.limits import (
    LAMBDA_EVENT_AGE,
    LAMBDA_TIMEOUT,
    MAX_FILTERS,
    VISIBILITY_TIMEOUT,
)
from serverless_dist.runtime.policies import function_policy
from serverless_dist.runtime.stack import LAMBDA, Stack, package_key

__all__ = [
    "SECRET_PARAMETER",
    "SECRET_VARIABLE",
    "Stack",
    "mailbox_template",
    "pack_template",
    "template",
]

HANDLER = "serverless_dist.runtime.handler.handler"
SECRET_VARIABLE = "SERVERLESS_DIST_SECRET"
SECRET_PARAMETER = "Secret"
_LOG_DAYS = 14
_DEAD_LETTER_SECONDS = 14 * 86_400  # the most that SQS keeps

Template = dict[str, Any]
Resources = dict[str, dict[str, Any]]


def template(stack: Stack) -> Template:
    """Return the template of the main stack."""
    resources = _bucket(stack)
    if stack.package is None:
        return _template(
            f"Bucket of the serverless_dist deployment {stack.name}", resources
        )
    resources |= _mailboxes(stack, 0) | _dead_letters(stack) | _role(stack)
    for memory in sorted(set(stack.memories)):
        resources |= _function(stack, memory, stack.package)
    made = _template(f"serverless_dist deployment {stack.name}", resources)
    made["Parameters"] = {
        SECRET_PARAMETER: {
            "Type": "String",
            "NoEcho": True,
            "AllowedPattern": "[0-9a-f]{64}",
            "Description": "What the keys of jobs are derived from",
        }
    }
    return made


def mailbox_template(stack: Stack, topic: int) -> Template:
    """Return the template of a further stack: a topic, and the mailboxes it serves."""
    return _template(
        f"Further mailboxes of the serverless_dist deployment {stack.name}",
        _mailboxes(stack, topic),
    )


def pack_template(made: Template) -> bytes:
    """Return a template as JSON, always the same bytes for the same template."""
    return json.dumps(made, separators=(",", ":")).encode()


def _template(description: str, resources: Resources) -> Template:
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": description,
        "Resources": resources,
    }


def _bucket(stack: Stack) -> Resources:
    arn = stack.arns.bucket
    bucket = {
        "BucketName": stack.names.bucket(stack.account),
        "PublicAccessBlockConfiguration": dict(PUBLIC_ACCESS),
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [
                {"ServerSideEncryptionByDefault": {"SSEAlgorithm": ENCRYPTION}}
            ]
        },
        "LifecycleConfiguration": {
            "Rules": [
                {
                    "Id": "jobs",
                    "Status": "Enabled",
                    "Prefix": JOBS,
                    "ExpirationInDays": EXPIRY_DAYS,
                },
                {
                    "Id": "uploads",
                    "Status": "Enabled",
                    "Prefix": "",
                    "AbortIncompleteMultipartUpload": {
                        "DaysAfterInitiation": EXPIRY_DAYS
                    },
                },
            ]
        },
    }
    only_tls = policy(
        {
            "Sid": "OnlyTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    )
    return {
        "Bucket": _resource("S3::Bucket", bucket),
        "BucketPolicy": _resource(
            "S3::BucketPolicy", {"Bucket": _ref("Bucket"), "PolicyDocument": only_tls}
        ),
    }


def _mailboxes(stack: Stack, topic: int) -> Resources:
    first = topic * MAX_FILTERS
    served = range(first, min(first + MAX_FILTERS, stack.mailboxes))
    queues: Resources = {}
    subscriptions: Resources = {}
    for index in served:
        name = f"Mailbox{index}"
        queues[name] = _resource(
            "SQS::Queue",
            {"QueueName": stack.names.mailbox(index)}
            | mailbox_attributes(VISIBILITY_TIMEOUT),
        )
        subscriptions[f"Filter{index}"] = _resource(
            "SNS::Subscription",
            {
                "TopicArn": _ref("Topic"),
                "Protocol": "sqs",
                "Endpoint": _arn_of(name),
                "RawMessageDelivery": True,
                "FilterPolicy": filter_policy(index),
            },
        )
    document = mailbox_policy(stack.arns.mailboxes, stack.arns.topic(topic))
    return {
        "Topic": _resource("SNS::Topic", {"TopicName": stack.names.topic(topic)}),
        "MailboxPolicy": _resource(
            "SQS::QueuePolicy",
            {"Queues": [_ref(name) for name in queues], "PolicyDocument": document},
        ),
        **queues,
        **subscriptions,
    }


def _dead_letters(stack: Stack) -> Resources:
    queue = {
        "QueueName": stack.names.dead_letters,
        "MessageRetentionPeriod": _DEAD_LETTER_SECONDS,
        "SqsManagedSseEnabled": True,
    }
    return {"DeadLetters": _resource("SQS::Queue", queue)}


def _role(stack: Stack) -> Resources:
    allowed = function_policy(stack.arns, stack.topics, stack.memories)
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": LAMBDA},
        "Action": "sts:AssumeRole",
    }
    role = {
        "RoleName": stack.names.role,
        "AssumeRolePolicyDocument": policy(trust),
        "Policies": [{"PolicyName": "ranks", "PolicyDocument": allowed}],
    }
    return {"Role": _resource("IAM::Role", role)}


def _function(stack: Stack, memory: int, package: str) -> Resources:
    logs, function = f"Logs{memory}", f"Function{memory}"
    code = {
        "S3Bucket": stack.names.bucket(stack.account),
        "S3Key": package_key(package),
    }
    properties = {
        "FunctionName": stack.names.function(memory),
        "Runtime": f"python{stack.python}",
        "Architectures": [stack.architecture],
        "Handler": HANDLER,
        "Code": code,
        "MemorySize": memory,
        "Timeout": int(LAMBDA_TIMEOUT),
        "Role": _arn_of("Role"),
        "Environment": {"Variables": {SECRET_VARIABLE: _ref(SECRET_PARAMETER)}},
        "DeadLetterConfig": {"TargetArn": _arn_of("DeadLetters")},
        "TracingConfig": {"Mode": "PassThrough"},
        # Ranks start ranks, and a worker its successor, any number of times: Lambda
        # would take the sixteenth in a row for a mistake and stop it.
        "RecursiveLoop": "Allow",
    }
    events = {
        "FunctionName": _ref(function),
        "Qualifier": "$LATEST",
        "MaximumRetryAttempts": 0,
        "MaximumEventAgeInSeconds": LAMBDA_EVENT_AGE,
        # The function tells the driver how another rank has ended.
        "DestinationConfig": {"OnFailure": {"Destination": _arn_of(function)}},
    }
    log_group = {
        "LogGroupName": stack.names.log_group(memory),
        "RetentionInDays": _LOG_DAYS,
    }
    return {
        logs: _resource("Logs::LogGroup", log_group),
        function: _resource("Lambda::Function", properties) | {"DependsOn": logs},
        f"Events{memory}": _resource("Lambda::EventInvokeConfig", events),
    }


def _resource(kind: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def _ref(name: str) -> dict[str, str]:
    return {"Ref": name}


def _arn_of(name: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [name, "Arn"]}
