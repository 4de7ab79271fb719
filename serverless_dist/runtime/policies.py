"""Who may do what: the policies of the functions, of who deploys and of who runs.

1. Every statement names the resources of one deployment, and every action.
2. Where AWS cannot limit an action to a resource, it is in `UNLIMITED`, and such a
   statement is named `NoResourceLevel`.
"""

from typing import Any

from serverless_dist.cloud.aws_cloud import JOBS
from serverless_dist.cloud.deployment import RECORD_KEY
from serverless_dist.cloud.fabric import Policy, policy
from serverless_dist.cloud.lease_table import PREFIX as LEASES
from serverless_dist.runtime.stack import LAMBDA, Arns, stack_name

# Service Authorization Reference, read 2026-11: no resource types.
UNLIMITED = (
    "lambda:GetAccountSettings",
    "sns:GetSubscriptionAttributes",
    "sns:SetSubscriptionAttributes",
    "sns:Unsubscribe",
)
# 128 to 10,240: so a deployment lab has no part in one that is called lab-2.
_ANY_MEMORY = ("???", "????", "?????")


def function_policy(arns: Arns, topics: int, memories: tuple[int, ...]) -> Policy:
    """Return what a rank may do.

    Parameters
    ----------
    arns
        Of the deployment.
    topics
        How many topics there are.
    memories
        The functions, by their memory in MB.
    """
    return policy(
        *_messages(arns, [arns.topic(index) for index in range(topics)]),
        _allow("DeadLetters", ["sqs:SendMessage"], arns.dead_letters),
        *_jobs(arns),
        _allow("Leases", ["s3:GetObject"], f"{arns.bucket}/{LEASES}*"),
        _allow(
            "Invoke",
            ["lambda:InvokeFunction"],
            *[arns.function(memory) for memory in memories],
        ),
        _allow(
            "Logs",
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            *[arns.logs(memory) for memory in memories],
        ),
    )


def run_policy(name: str, account: str, region: str, partition: str) -> Policy:
    """Return the least that a user needs to run jobs on a deployment.

    Parameters
    ----------
    name
        What the deployment is called.
    account, region, partition
        Where it is.
    """
    arns = Arns(name, account, region, partition)
    bucket = arns.bucket
    return policy(
        _allow("Deployment", ["s3:GetObject"], f"{bucket}/{RECORD_KEY}"),
        _allow(
            "Leases",
            ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            f"{bucket}/{LEASES}*",
        ),
        *_jobs(arns),
        *_messages(arns, [arns.topic("?")]),
        _allow("Invoke", ["lambda:InvokeFunction"], *map(arns.function, _ANY_MEMORY)),
        *_watch(arns),
    )


def deploy_policy(name: str, account: str, region: str, partition: str) -> Policy:
    """Return the least that a user needs to make, update and remove a deployment.

    CloudFormation acts with the rights of who calls it, so all that it does is here.

    Parameters
    ----------
    name
        What the deployment is called.
    account, region, partition
        Where it is.
    """
    arns = Arns(name, account, region, partition)
    return policy(
        _allow(
            "Stacks",
            _actions(
                "cloudformation",
                "CreateStack UpdateStack DeleteStack ContinueUpdateRollback"
                " DescribeEvents DescribeStacks DescribeStackEvents ListStackResources",
            ),
            *_stacks(arns),
        ),
        _allow(
            "Bucket",
            _actions(
                "s3",
                "CreateBucket DeleteBucket ListBucket GetBucketPolicy PutBucketPolicy"
                " DeleteBucketPolicy GetBucketPublicAccessBlock"
                " PutBucketPublicAccessBlock GetEncryptionConfiguration"
                " PutEncryptionConfiguration GetLifecycleConfiguration"
                " PutLifecycleConfiguration",
            ),
            arns.bucket,
        ),
        _allow(
            "Blobs",
            _actions("s3", "GetObject PutObject DeleteObject"),
            f"{arns.bucket}/*",
        ),
        _allow(
            "Queues",
            _actions(
                "sqs",
                "CreateQueue DeleteQueue GetQueueUrl GetQueueAttributes"
                " SetQueueAttributes ListQueueTags TagQueue",
            ),
            arns.mailboxes,
            arns.dead_letters,
        ),
        _allow(
            "Topics",
            _actions(
                "sns",
                "CreateTopic DeleteTopic GetTopicAttributes SetTopicAttributes"
                " Subscribe ListSubscriptionsByTopic ListTagsForResource TagResource"
                " GetDataProtectionPolicy",
            ),
            arns.topic("?"),
        ),
        _allow(
            "Functions",
            _actions(
                "lambda",
                "CreateFunction DeleteFunction GetFunction GetFunctionConfiguration"
                " UpdateFunctionCode UpdateFunctionConfiguration TagResource"
                " GetFunctionCodeSigningConfig GetRuntimeManagementConfig"
                " GetFunctionRecursionConfig PutFunctionRecursionConfig"
                " GetFunctionEventInvokeConfig PutFunctionEventInvokeConfig"
                " UpdateFunctionEventInvokeConfig DeleteFunctionEventInvokeConfig",
            ),
            *map(arns.function, _ANY_MEMORY),
        ),
        _allow(
            "Role",
            _actions(
                "iam",
                "CreateRole DeleteRole GetRole UpdateRole UpdateRoleDescription"
                " UpdateAssumeRolePolicy GetRolePolicy PutRolePolicy DeleteRolePolicy"
                " ListRolePolicies ListAttachedRolePolicies TagRole",
            ),
            arns.role,
        ),
        _allow("PassRole", ["iam:PassRole"], arns.role)
        | {"Condition": {"StringEquals": {"iam:PassedToService": LAMBDA}}},
        _allow(
            "Logs",
            _actions(
                "logs",
                "CreateLogGroup DeleteLogGroup PutRetentionPolicy"
                " DeleteRetentionPolicy ListTagsForResource TagResource",
            ),
            *map(arns.logs, _ANY_MEMORY),
        ),
        _allow("FindLogs", ["logs:DescribeLogGroups"], arns.at("logs", "log-group:*")),
        {
            "Sid": "NoResourceLevel",
            "Effect": "Allow",
            "Action": list(UNLIMITED),
            "Resource": "*",
        },
    )


def _messages(arns: Arns, topics: list[str]) -> list[dict[str, Any]]:
    return [
        _allow(
            "Mailboxes",
            ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"],
            arns.mailboxes,
        ),
        _allow("Topics", ["sns:Publish"], *topics),
    ]


def _jobs(arns: Arns) -> list[dict[str, Any]]:
    # With the right to list, GetObject says that there is no such key; S3 asks for it
    # with the key as the prefix.
    may_list = _allow("Names", ["s3:ListBucket"], arns.bucket) | {
        "Condition": {"StringLike": {"s3:prefix": [f"{JOBS}*", f"{LEASES}*"]}}
    }
    return [
        _allow(
            "Jobs",
            ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            f"{arns.bucket}/{JOBS}*",
        ),
        may_list,
    ]


def _watch(arns: Arns) -> list[dict[str, Any]]:
    """For the commands `status`, `logs` and `doctor`."""
    streams = [arns.logs(memory) for memory in _ANY_MEMORY]
    # AWS writes a group's ARN with the colon and star, and now and then without.
    groups = [arn.removesuffix(":*") for arn in streams]
    return [
        _allow("Stacks", ["cloudformation:DescribeStacks"], *_stacks(arns)),
        _allow(
            "Functions",
            ["lambda:GetFunctionConfiguration"],
            *map(arns.function, _ANY_MEMORY),
        ),
        _allow(
            "DeadLetters",
            ["sqs:GetQueueUrl", "sqs:GetQueueAttributes"],
            arns.dead_letters,
        ),
        _allow("Logs", ["logs:FilterLogEvents"], *streams, *groups),
    ]


def _stacks(arns: Arns) -> list[str]:
    return [
        arns.at("cloudformation", f"stack/{name}/*")
        for name in (arns.name, stack_name(arns.name, "?"))
    ]


def _actions(service: str, names: str) -> list[str]:
    return [f"{service}:{name}" for name in names.split()]


def _allow(sid: str, actions: list[str], *resources: str) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": actions,
        "Resource": resources[0] if len(resources) == 1 else list(resources),
    }
