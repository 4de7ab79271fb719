"""What a deployment's functions may do, tried by one of them, and what they may not."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from serverless_dist.cloud.attempts import Refusal, call
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_blobs import S3Blobs
from serverless_dist.cloud.deployment import Deployment
from serverless_dist.runtime.policies import run_policy
from serverless_dist.runtime.status import describe
from tests.deployers import Deployer, pack_handler
from tests.stand_in import ACCOUNT, REGION, StandIn, stand_in

__all__ = ["stand_in"]  # a fixture

CODE = """
import boto3
from botocore.exceptions import ClientError


def handler(event, context):
    client = boto3.client(event["service"])
    try:
        answer = getattr(client, event["operation"])(**event["arguments"])
    except ClientError as error:
        return error.response["Error"]["Code"]
    bodies = [message["Body"] for message in answer.get("Messages", ())]
    return bodies or "ok"
"""
OWN, OTHER = "role", "other"
DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "403"}


@dataclass(frozen=True, slots=True)
class Rank:
    """A function that does what it is told."""

    clients: AwsClients
    made: Deployment

    def does(self, service: str, operation: str, **arguments: object) -> Any:
        event = {"service": service, "operation": operation, "arguments": arguments}
        answer = call(
            self.clients.client("lambda"),
            "invoke",
            "function",
            FunctionName=self.made.functions[1769],
            Payload=json.dumps(event).encode(),
        )
        return json.loads(answer["Payload"])


@pytest.fixture(scope="module")
def rank(stand_in: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rank]:
    package = pack_handler(tmp_path_factory.mktemp("package"), CODE)
    Deployer(stand_in, OTHER, package).deploy()
    made = Deployer(stand_in, OWN, package).deploy()
    with stand_in.signed_in() as clients:
        yield Rank(clients, made)


def topic(name: str) -> str:
    return f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}-data-0"


def bucket(name: str) -> str:
    return f"{name}-{ACCOUNT}"


class TestAllowed:
    def test_messages_go_and_come(self, rank: Rank) -> None:
        url = f"{rank.made.queue_url_prefix}0"
        assert rank.does("sqs", "send_message", QueueUrl=url, MessageBody="hi") == "ok"
        assert rank.does("sqs", "receive_message", QueueUrl=url) == ["hi"]

    def test_a_topic_reaches_the_mailbox_that_a_message_names(self, rank: Rank) -> None:
        target = {"DataType": "String.Array", "StringValue": '["3"]'}
        published = rank.does(
            "sns",
            "publish",
            TopicArn=topic(OWN),
            Message="to 3",
            MessageAttributes={"target": target},
        )
        assert published == "ok"
        url = f"{rank.made.queue_url_prefix}3"
        assert rank.does("sqs", "receive_message", QueueUrl=url) == ["to 3"]

    def test_a_jobs_blobs_are_its_own(self, rank: Rank) -> None:
        where = {"Bucket": bucket(OWN), "Key": "jobs/1/a"}
        assert rank.does("s3", "get_object", **where) == "NoSuchKey"
        put = {**where, "Body": "data", "IfNoneMatch": "*"}
        assert rank.does("s3", "put_object", **put) == "ok"
        assert rank.does("s3", "put_object", **put) == "PreconditionFailed"
        listing = {"Bucket": bucket(OWN), "Prefix": "jobs/1/"}
        assert rank.does("s3", "list_objects_v2", **listing) == "ok"
        assert rank.does("s3", "delete_object", **where) == "ok"

    def test_a_lifeline_that_is_gone_is_seen_as_gone(self, rank: Rank) -> None:
        where = {"Bucket": bucket(OWN), "Key": "leases/1"}
        assert rank.does("s3", "get_object", **where) == "NoSuchKey"

    def test_a_rank_starts_another(self, rank: Rank) -> None:
        nothing = {"service": "sts", "operation": "get_caller_identity"}
        started = rank.does(
            "lambda",
            "invoke",
            FunctionName=f"{OWN}-1769",
            InvocationType="Event",
            Payload=json.dumps({**nothing, "arguments": {}}),
        )
        assert started == "ok"


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("s3", "get_object", {"Bucket": bucket(OWN), "Key": "deployment.json"}),
        ("s3", "put_object", {"Bucket": bucket(OWN), "Key": "leases/1", "Body": "x"}),
        ("s3", "put_object", {"Bucket": bucket(OWN), "Key": "packages/x", "Body": "x"}),
        ("s3", "list_objects_v2", {"Bucket": bucket(OWN)}),
        ("s3", "list_objects_v2", {"Bucket": bucket(OWN), "Prefix": "packages/"}),
        ("s3", "get_object", {"Bucket": bucket(OTHER), "Key": "jobs/1/a"}),
        ("s3", "create_bucket", {"Bucket": "a-new-one"}),
        ("sqs", "create_queue", {"QueueName": f"{OWN}-new"}),
        ("sns", "create_topic", {"Name": f"{OWN}-new"}),
        ("lambda", "invoke", {"FunctionName": f"{OTHER}-1769", "Payload": "{}"}),
        ("lambda", "get_function", {"FunctionName": f"{OWN}-1769"}),
        ("iam", "get_role", {"RoleName": f"{OWN}-function"}),
        ("cloudformation", "describe_stacks", {"StackName": OWN}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_rank_needs_is_denied(
    rank: Rank, service: str, operation: str, arguments: dict[str, object]
) -> None:
    assert rank.does(service, operation, **arguments) in DENIED


@pytest.mark.parametrize("operation", ["send_message", "receive_message"])
def test_another_deployments_mailboxes_are_denied(rank: Rank, operation: str) -> None:
    url = rank.made.queue_url_prefix.replace(OWN, OTHER) + "0"
    body = {"MessageBody": "hi"} if operation == "send_message" else {}
    assert rank.does("sqs", operation, QueueUrl=url, **body) in DENIED


def test_a_mailbox_takes_nothing_from_another_topic(rank: Rank) -> None:
    clients = rank.clients
    url = f"{rank.made.queue_url_prefix}5"
    call(
        clients.sns,
        "subscribe",
        "topic",
        TopicArn=topic(OTHER),
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{OWN}-mailbox-5",
        Attributes={"RawMessageDelivery": "true"},
    )
    target = {"DataType": "String.Array", "StringValue": '["5"]'}
    for name in (OTHER, OWN):
        call(
            clients.sns,
            "publish",
            "topic",
            TopicArn=topic(name),
            Message=name,
            MessageAttributes={"target": target},
        )
    answer = call(
        clients.sqs, "receive_message", "queue", QueueUrl=url, MaxNumberOfMessages=10
    )
    assert [message["Body"] for message in answer["Messages"]] == [OWN]


def test_the_bucket_answers_only_over_tls(rank: Rank, stand_in: StandIn) -> None:
    def without_tls(params: dict[str, Any], **_: object) -> None:
        params["headers"]["X-Forwarded-Proto"] = "http"  # as from a proxy

    runner = stand_in.user("runner", run_policy(OWN, ACCOUNT, REGION, "aws"))
    with stand_in.signed_in(runner) as clients:
        blobs = S3Blobs(clients.s3, bucket(OWN), clients.pool, "jobs/")
        assert blobs.list("") == []
        events = clients.s3._client.meta.events
        events.register("before-call.s3.ListObjectsV2", without_tls)
        with pytest.raises(Refusal, match="AccessDenied"):
            blobs.list("")


def test_who_runs_jobs_can_look_at_the_deployment(
    rank: Rank, stand_in: StandIn
) -> None:
    looker = stand_in.user("looker", run_policy(OWN, ACCOUNT, REGION, "aws"))
    with stand_in.signed_in(looker) as clients:
        assert describe(clients, OWN).deployment == rank.made
        with pytest.raises(Refusal, match="AccessDenied"):
            clients.sqs.request("delete_queue", "queue", QueueUrl=url_of(rank))


def url_of(rank: Rank) -> str:
    return f"{rank.made.queue_url_prefix}0"
