"""The templates and policies of a deployment, without a cloud."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from cfnlint.api import lint_all  # type: ignore[import-untyped]
from cfnlint.schema.manager import (  # type: ignore[import-untyped]
    PROVIDER_SCHEMA_MANAGER,
)

from serverless_dist.cloud.limits import STACK_MAX_RESOURCES
from serverless_dist.errors import UsageError
from serverless_dist.runtime.policies import UNLIMITED, deploy_policy, run_policy
from serverless_dist.runtime.provision import (
    Stack,
    mailbox_template,
    pack_template,
    template,
)

STACK = Stack(
    name="lab",
    mailboxes=5,
    memories=(1769, 10_240),
    architecture="arm64",
    python="3.13",
    package="ab" * 32,
    account="123456789012",
    region="eu-west-1",
    partition="aws",
)
PLACE = ("123456789012", "eu-west-1", "aws")
LONGEST = "n" * 50
MAX_TEMPLATE = 1_000_000  # bytes, from S3: CloudFormation quotas
MAX_MANAGED_POLICY = 6_144  # characters but white space: IAM quotas
MAX_ROLE_POLICIES = 10_240  # the same, for all in a role


def templates(stack: Stack) -> list[dict[str, Any]]:
    further = [mailbox_template(stack, topic) for topic in range(1, stack.topics)]
    return [template(stack), *further]


def resources(stack: Stack, kind: str) -> list[dict[str, Any]]:
    return [
        resource["Properties"]
        for made in templates(stack)
        for resource in made["Resources"].values()
        if resource["Type"] == f"AWS::{kind}"
    ]


def statements(made: object) -> Iterator[dict[str, Any]]:
    """Give all statements of policies, wherever they are."""
    if isinstance(made, dict):
        if "Effect" in made:
            yield made
        for value in made.values():
            yield from statements(value)
    elif isinstance(made, list):
        for value in made:
            yield from statements(value)


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def size(policy: Mapping[str, Any]) -> int:
    return len(json.dumps(policy, separators=(",", ":")))


class TestLint:
    @pytest.mark.parametrize(
        "made",
        [
            template(replace(STACK, package=None)),
            template(STACK),
            mailbox_template(replace(STACK, mailboxes=202), 1),
        ],
        ids=["bucket", "main", "mailboxes"],
    )
    def test_cfn_lint_has_no_objection(self, made: dict[str, Any]) -> None:
        found = lint_all(pack_template(made).decode())
        assert [
            str(match) for match in found if not match.rule.id.startswith("I")
        ] == []

    @pytest.mark.parametrize(
        "policy",
        [
            *templates(replace(STACK, mailboxes=500)),
            deploy_policy("lab", *PLACE),
            run_policy("lab", *PLACE),
        ],
    )
    def test_nothing_is_allowed_for_all_actions_or_on_all_resources(
        self, policy: Mapping[str, Any]
    ) -> None:
        found = list(statements(policy))
        assert found
        for statement in found:
            if statement["Effect"] == "Deny":
                continue
            actions = listed(statement["Action"])
            assert not [action for action in actions if "*" in action]
            if statement.get("Sid") == "NoResourceLevel":
                assert set(actions) <= set(UNLIMITED)
                continue
            if "AssumeRole" in actions[0]:  # whose resource is the role
                continue
            for resource in listed(statement["Resource"]):
                assert resource.startswith("arn:aws:")
                assert "lab" in resource or actions == ["logs:DescribeLogGroups"]

    def test_only_deploying_needs_what_has_no_resource_level(self) -> None:
        sids = [statement.get("Sid") for statement in statements(template(STACK))]
        assert "NoResourceLevel" not in sids
        run = statements(run_policy("lab", *PLACE))
        assert "NoResourceLevel" not in [statement["Sid"] for statement in run]

    def test_nobody_else_is_let_in(self) -> None:
        for statement in statements(templates(STACK)):
            if statement["Effect"] == "Allow" and "Principal" in statement:
                assert statement["Principal"] in (
                    {"Service": "sns.amazonaws.com"},
                    {"Service": "lambda.amazonaws.com"},
                )


class TestSizes:
    @pytest.mark.parametrize("mailboxes", [1, 64, 200, 201, 500, 2_000])
    def test_every_stack_is_within_the_limits(self, mailboxes: int) -> None:
        memories = tuple(range(128, 138))
        stack = replace(STACK, name=LONGEST, mailboxes=mailboxes, memories=memories)
        for made in templates(stack):
            assert len(made["Resources"]) <= STACK_MAX_RESOURCES
            assert len(pack_template(made)) <= MAX_TEMPLATE
        (role,) = resources(stack, "IAM::Role")
        assert size(role["Policies"]) <= MAX_ROLE_POLICIES

    @pytest.mark.parametrize("mailboxes", [1, 64, 200, 201, 500, 2_000])
    def test_every_mailbox_has_a_queue_a_filter_and_a_policy(
        self, mailboxes: int
    ) -> None:
        stack = replace(STACK, mailboxes=mailboxes)
        queues = {queue["QueueName"] for queue in resources(stack, "SQS::Queue")}
        names = {f"lab-mailbox-{index}" for index in range(mailboxes)}
        assert queues == names | {"lab-dead-letters"}
        filters = resources(stack, "SNS::Subscription")
        targets = [each["FilterPolicy"]["target"] for each in filters]
        assert targets == [[str(index)] for index in range(mailboxes)]
        assert len(resources(stack, "SNS::Topic")) == stack.topics
        policies = resources(stack, "SQS::QueuePolicy")
        assert sum(len(policy["Queues"]) for policy in policies) == mailboxes
        sources = [
            statement["Condition"]["ArnEquals"]["aws:SourceArn"]
            for statement in statements(policies)
        ]
        assert sources == [stack.arns.topic(index) for index in range(stack.topics)]

    def test_the_role_names_every_topic_and_function(self) -> None:
        stack = replace(STACK, mailboxes=500)
        by_sid = {s.get("Sid"): s for s in statements(template(stack))}
        assert by_sid["Topics"]["Resource"] == [stack.arns.topic(n) for n in range(3)]
        functions = ["lab-1769", "lab-10240"]
        arns = [
            f"arn:aws:lambda:eu-west-1:123456789012:function:{f}" for f in functions
        ]
        assert by_sid["Invoke"]["Resource"] == arns

    @pytest.mark.parametrize("make", [deploy_policy, run_policy])
    def test_policies_for_users_fit_a_managed_policy(self, make: Any) -> None:
        policy = make(LONGEST, "123456789012", "ap-northeast-1", "aws-us-gov")
        assert size(policy) <= MAX_MANAGED_POLICY


class TestFunction:
    def test_it_runs_once_and_tells_itself_what_failed(self) -> None:
        for events, memory in zip(
            resources(STACK, "Lambda::EventInvokeConfig"), STACK.memories, strict=True
        ):
            function = f"Function{memory}"
            assert events == {
                "FunctionName": {"Ref": function},
                "Qualifier": "$LATEST",
                "MaximumRetryAttempts": 0,
                "MaximumEventAgeInSeconds": 60,
                "DestinationConfig": {
                    "OnFailure": {"Destination": {"Fn::GetAtt": [function, "Arn"]}}
                },
            }

    def test_the_secret_is_in_no_template(self) -> None:
        made = template(STACK)
        assert made["Parameters"]["Secret"]["NoEcho"] is True
        assert "Default" not in made["Parameters"]["Secret"]
        for function in resources(STACK, "Lambda::Function"):
            variables = function["Environment"]["Variables"]
            assert variables == {"SERVERLESS_DIST_SECRET": {"Ref": "Secret"}}

    def test_the_same_stack_has_the_same_template(self) -> None:
        again = replace(STACK, memories=(1769, 10_240))
        assert pack_template(template(STACK)) == pack_template(template(again))

    def test_the_first_template_is_only_the_bucket(self) -> None:
        made = template(replace(STACK, package=None))
        assert list(made["Resources"]) == ["Bucket", "BucketPolicy"]
        assert "Parameters" not in made
        full = template(STACK)["Resources"]
        assert {name: full[name] for name in made["Resources"]} == made["Resources"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "Lab"}, "cannot name a deployment"),
        ({"name": "2lab"}, "'2lab' begins with a digit"),
        ({"name": "lab-mailbox"}, "part of another deployment may be called"),
        ({"name": "lab-mailboxes-1"}, "part of another deployment may be called"),
        ({"mailboxes": 0}, "1 to 2,000 mailboxes.* not 0"),
        (
            {"mailboxes": 2_001},
            "1 to 2,000 mailboxes.* not 2,001: ask for fewer --ranks",
        ),
        ({"memories": ()}, "1 to 10 functions"),
        ({"memories": (127,)}, r"128 to 10,240 MB, not \[127\]: change --memory"),
        ({"memories": (1769, 10_241)}, "128 to 10,240 MB"),
        ({"architecture": "riscv"}, "no architecture 'riscv': choose x86_64 or arm64"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(STACK, **change)


# What CloudFormation would do for properties that no template here has.
UNUSED = {
    "AWS::S3::Bucket": (
        "Abac Accelerate Acl Analytics BucketTagging CORS Cors DeleteBucketEncryption"
        " DeleteBucketLifecycle IntelligentTier Inventory ListTags Logging Metadata"
        " Metrics Notification ObjectLock Ownership Replication TagResource"
        " UntagResource Versioning Website iam: s3tables:"
    ),
    "AWS::SQS::Queue": "UntagQueue",
    "AWS::SNS::Topic": "iam: PutDataProtectionPolicy UntagResource",
    "AWS::SNS::Subscription": "iam:",
    "AWS::IAM::Role": "Attach Detach UntagRole PermissionsBoundary",
    "AWS::Lambda::Function": (
        "ec2: elasticfilesystem: s3files: kms: GetObjectVersion Concurrency Layer"
        " GetCodeSigningConfig PutFunctionCodeSigning DeleteFunctionCodeSigning"
        " PutRuntimeManagement Scaling CapacityProvider AssociateRuntimeAlias"
        " UntagResource PublishVersion"
    ),
    "AWS::Logs::LogGroup": (
        "DataProtectionPolicy LogDelivery REST.PUT firehose: ResourcePolic IndexPolic"
        " BearerToken Kms UntagResource DeletionProtection"
    ),
}


@pytest.mark.parametrize(
    "kind",
    sorted(
        {
            resource["Type"]
            for made in templates(STACK)
            for resource in made["Resources"].values()
        }
    ),
)
def test_who_deploys_may_do_what_cloudformation_does(kind: str) -> None:
    allowed = {
        action
        for statement in statements(deploy_policy("lab", *PLACE))
        for action in statement["Action"]
    }
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    needed = {
        permission
        for name, handler in schema["handlers"].items()
        if name != "list"
        for permission in handler["permissions"]
    }
    unused = UNUSED.get(kind, "").split()
    missing = {p for p in needed - allowed if not any(part in p for part in unused)}
    assert missing == set()
