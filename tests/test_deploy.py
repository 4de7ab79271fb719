"""Deploying, updating and removing on a stand-in that checks who may do what."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber

from serverless_dist.cloud import aws_address
from serverless_dist.cloud.attempts import call
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_address import FabricNames
from serverless_dist.cloud.aws_provision import create, remove
from serverless_dist.cloud.deployment import RECORD_KEY
from serverless_dist.errors import CloudError, UsageError
from serverless_dist.runtime import deploy as deploying, provision
from serverless_dist.runtime.deploy import deploy
from serverless_dist.runtime.package import Package
from serverless_dist.runtime.plan import Plan
from serverless_dist.runtime.stack import Stack
from serverless_dist.runtime.stacks import Stacks
from serverless_dist.runtime.status import describe
from tests.deployers import (
    Make,
    blobs_of,
    clients,
    drop,
    lease_of,
    make,
    pack_handler,
    package,
    parts_of,
    record_of,
)
from tests.stand_in import ACCOUNT, REGION, StandIn, stand_in

__all__ = ["clients", "make", "package", "stand_in"]  # fixtures


class TestDeploy:
    def test_twice_changes_nothing(self, make: Make) -> None:
        deployer = make("twice")
        first = deployer.deploy(2)
        assert deployer.lines[-1] == "twice is deployed"
        assert deployer.deploy(2) == first
        assert deployer.lines == ["nothing to change"]

    def test_the_record_names_what_there_is(
        self, make: Make, clients: AwsClients, package: Package
    ) -> None:
        made = make("record").deploy(2, 1769, 512)
        assert made == record_of(clients, "record")
        assert made.mailboxes == 10
        assert made.functions == {512: "record-512", 1769: "record-1769"}
        assert (made.package, made.versions) == (package.digest, package.versions)
        assert len(made.secret) == 32
        for index in (0, 9):
            queue = {"QueueUrl": f"{made.queue_url_prefix}{index}"}
            call(clients.sqs, "get_queue_attributes", "queue", **queue)
        topic = {"TopicArn": made.topic_arns[0]}
        call(clients.sns, "get_topic_attributes", "topic", **topic)

    def test_more_ranks_are_added_and_the_rest_stays(
        self, make: Make, clients: AwsClients
    ) -> None:
        deployer = make("grown")
        first = deployer.deploy(1)
        queue = {"QueueUrl": f"{first.queue_url_prefix}0"}
        call(clients.sqs, "send_message", "queue", MessageBody="kept", **queue)
        grown = deployer.deploy(5)
        assert (first.mailboxes, grown.mailboxes) == (9, 13)
        assert grown.secret == first.secret
        answer = call(clients.sqs, "receive_message", "queue", **queue)
        assert [message["Body"] for message in answer["Messages"]] == ["kept"]
        assert "grown-mailbox-12" in parts_of(clients, "grown")

    def test_fewer_ranks_are_removed(self, make: Make, clients: AwsClients) -> None:
        deployer = make("shrunk")
        deployer.deploy(3)
        assert deployer.deploy(1).mailboxes == 9
        assert "shrunk-mailbox-9" not in parts_of(clients, "shrunk")
        assert record_of(clients, "shrunk") == deployer.deploy(1)

    def test_another_package_replaces_the_old_one(
        self, make: Make, clients: AwsClients, tmp_path: Any
    ) -> None:
        deployer = make("code")
        deployer.deploy()
        deployer.package = pack_handler(tmp_path, "handler = repr\n")
        assert deployer.deploy().package == deployer.package.digest
        zips = blobs_of(clients, "code").list("packages/")
        assert zips == [f"packages/{deployer.package.digest}.zip"]

    def test_a_template_too_large_for_a_request_goes_through_the_bucket(
        self, make: Make, clients: AwsClients
    ) -> None:
        assert make("large").deploy(100).mailboxes == 108
        assert "large-mailbox-107" in parts_of(clients, "large")

    def test_further_topics_have_stacks_of_their_own(
        self, make: Make, clients: AwsClients, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for module in (aws_address, provision):
            monkeypatch.setattr(module, "MAX_FILTERS", 4)
        deployer = make("wide")
        assert len(deployer.deploy(4).topic_arns) == 3
        stacks = ["wide", "wide-mailboxes-1", "wide-mailboxes-2"]
        assert list(describe(clients, "wide").stacks) == stacks
        assert "wide-mailbox-11" in parts_of(clients, "wide")
        deployer.deploy(4)
        assert deployer.lines == ["nothing to change"]
        monkeypatch.undo()
        deployer.deploy(1)
        assert list(describe(clients, "wide").stacks) == stacks[:1]
        assert deployer.destroy() == []
        assert parts_of(clients, "wide") == []


class TestInterrupted:
    def test_before_there_are_functions_it_is_taken_up(
        self, make: Make, clients: AwsClients
    ) -> None:
        deployer = make("early")
        with pytest.raises(KeyboardInterrupt):
            deployer.deploy(on_progress=interrupt)
        assert parts_of(clients, "early") == [f"early-{ACCOUNT}"]
        assert describe(clients, "early").deployment is None
        assert deployer.deploy() == record_of(clients, "early")

    def test_before_the_record_it_is_taken_up(
        self, make: Make, clients: AwsClients
    ) -> None:
        deployer = make("late")
        first = deployer.deploy()
        blobs_of(clients, "late").delete([RECORD_KEY])
        second = deployer.deploy()
        assert second == record_of(clients, "late")
        function = {"FunctionName": "late-1769"}
        service = clients.client("lambda")
        answer = call(service, "get_function_configuration", "function", **function)
        variables = answer["Environment"]["Variables"]
        assert variables == {"SERVERLESS_DIST_SECRET": second.secret.hex()}
        assert second.secret != first.secret

    def test_what_is_half_made_can_be_removed(
        self, make: Make, clients: AwsClients
    ) -> None:
        deployer = make("half")
        with pytest.raises(KeyboardInterrupt):
            deployer.deploy(on_progress=interrupt)
        assert deployer.destroy() == []
        assert parts_of(clients, "half") == []


def interrupt(line: str) -> None:
    raise KeyboardInterrupt


class TestFailure:
    def test_it_names_the_resource_and_leaves_what_was_there(
        self, make: Make, clients: AwsClients, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deployer = make("failed")
        blocked = bucket_resource(clients, "failed-bucket")
        monkeypatch.setattr(deploying, "template", with_resource(blocked))
        with pytest.raises(CloudError, match=r"S3::Bucket Blocked: .*failed-bucket"):
            deployer.deploy()
        mine = ["failed-bucket", f"failed-{ACCOUNT}"]
        assert sorted(parts_of(clients, "failed")) == sorted(mine)
        monkeypatch.undo()
        made = deployer.deploy()
        monkeypatch.setattr(deploying, "template", with_resource(blocked))
        with pytest.raises(CloudError, match="AWS has undone it"):
            deployer.deploy(3)
        assert record_of(clients, "failed") == made
        assert "failed-mailbox-9" not in parts_of(clients, "failed")

    def test_a_stack_that_cannot_be_made_is_not_left(self, clients: AwsClients) -> None:
        stacks = Stacks(clients, drop)
        body = bucket_template(clients, "unmade-bucket")
        begun = stacks.begin("unmade", {"TemplateBody": body}, {})
        assert begun is not None
        with pytest.raises(CloudError, match="stack unmade could not be made"):
            stacks.finish("unmade", begun, 1)
        assert stacks.find("unmade") is None

    def test_what_an_earlier_failure_has_left_is_replaced(
        self, make: Make, clients: AwsClients
    ) -> None:
        service = clients.client("cloudformation")
        body = bucket_template(clients, "again-bucket")
        call(service, "create_stack", "stack", StackName="again", TemplateBody=body)
        make("again").deploy()
        assert describe(clients, "again").stacks == {"again": "UPDATE_COMPLETE"}


def bucket_resource(clients: AwsClients, name: str) -> dict[str, Any]:
    """Return a resource that cannot be made: the bucket exists."""
    call(clients.s3, "create_bucket", "bucket", Bucket=name)
    return {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}


def bucket_template(clients: AwsClients, name: str) -> str:
    return json.dumps({"Resources": {"Bucket": bucket_resource(clients, name)}})


def with_resource(resource: dict[str, Any]) -> Callable[[Stack], dict[str, Any]]:
    """Return what makes templates of full stacks with a resource more."""

    def template(stack: Stack) -> dict[str, Any]:
        made = provision.template(stack)
        if stack.package is not None:
            made["Resources"]["Blocked"] = resource
        return made

    return template


class TestRefused:
    def test_more_ranks_than_the_account_may_run(
        self, clients: AwsClients, package: Package
    ) -> None:
        plan = Plan("quota", 1_500, (1769,), "x86_64", "3.11")
        with pytest.raises(UsageError, match=r"1,500 ranks .* may run 1,000 functions"):
            deploy(clients, plan, package, on_progress=drop)
        assert parts_of(clients, "quota") == []

    def test_a_bucket_that_is_no_stacks(self, make: Make, clients: AwsClients) -> None:
        call(clients.s3, "create_bucket", "bucket", Bucket=f"mine-{ACCOUNT}")
        with pytest.raises(UsageError, match="but to no stack mine in us-east-1"):
            make("mine").deploy()

    def test_a_bucket_of_somebody_else(
        self, stand_in: StandIn, package: Package
    ) -> None:
        plan = Plan("theirs", 1, (1769,), "x86_64", "3.11")
        with stand_in.signed_in() as clients, Stubber(clients.s3._client) as stub:
            stub.add_client_error("head_bucket", "403", "Forbidden", 403)
            with pytest.raises(UsageError, match="belongs to another account: choose"):
                deploy(clients, plan, package, on_progress=drop)

    def test_no_ranks(self) -> None:
        with pytest.raises(UsageError, match="at least 1 rank, not 0"):
            Plan("none", 0, (1769,), "x86_64", "3.11")


def test_status_tells_what_there_is(make: Make, clients: AwsClients) -> None:
    made = make("seen").deploy(1, 512)
    lease = lease_of(clients, made, 3)
    status = describe(clients, "seen")
    lease.release(clean=True)
    assert (status.name, status.account, status.region) == ("seen", ACCOUNT, REGION)
    assert status.stacks == {"seen": "UPDATE_COMPLETE"}
    assert status.deployment == made
    (function,) = status.functions
    assert (function.name, function.memory_mb) == ("seen-512", 512)
    assert (function.runtime, function.architecture) == ("python3.11", "x86_64")
    assert [str(lease) for lease in status.leases] == ["0 to 2 by me"]
    assert status.dead_letters == 0


def test_status_of_nothing_is_empty(clients: AwsClients) -> None:
    status = describe(clients, "nothing")
    assert (status.stacks, status.deployment, status.functions) == ({}, None, ())
    assert status.dead_letters is None


def test_what_is_made_one_by_one_is_like_what_is_deployed(
    make: Make, clients: AwsClients
) -> None:
    make("stacked").deploy()
    create(clients, FabricNames("single"), 3)
    assert settings_of(clients, "single") == settings_of(clients, "stacked")
    remove(clients, FabricNames("single"))
    assert parts_of(clients, "single") == []


def settings_of(clients: AwsClients, name: str) -> dict[str, object]:
    names = FabricNames(name)
    url = call(clients.sqs, "get_queue_url", "q", QueueName=names.mailbox(2))[
        "QueueUrl"
    ]
    queue = call(
        clients.sqs, "get_queue_attributes", "q", QueueUrl=url, AttributeNames=["All"]
    )["Attributes"]
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:{names.topic(0)}"
    (subscription,) = [
        call(
            clients.sns,
            "get_subscription_attributes",
            "subscription",
            SubscriptionArn=each["SubscriptionArn"],
        )["Attributes"]
        for each in call(
            clients.sns, "list_subscriptions_by_topic", "topic", TopicArn=topic
        )["Subscriptions"]
        if each["Endpoint"].endswith(names.mailbox(2))
    ]
    bucket = {"Bucket": names.bucket(ACCOUNT)}
    access = call(clients.s3, "get_public_access_block", "bucket", **bucket)
    (statement,) = json.loads(queue["Policy"])["Statement"]
    return {
        "queue": [
            queue[attribute]
            for attribute in (
                "MaximumMessageSize",
                "MessageRetentionPeriod",
                "SqsManagedSseEnabled",
                "VisibilityTimeout",
            )
        ],
        "queue policy": [
            statement["Principal"],
            statement["Action"],
            statement["Condition"]["ArnEquals"]["aws:SourceArn"].replace(name, ""),
        ],
        "filter": json.loads(subscription["FilterPolicy"]),
        "raw": subscription["RawMessageDelivery"],
        "access": access["PublicAccessBlockConfiguration"],
    }
