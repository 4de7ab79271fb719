"""SQS, SNS and S3 over HTTP: the suites of the seams against emulated services."""

import json
import pickle
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import count
from typing import Any

import pytest

from serverless_dist.cloud import (
    Blobs,
    Cloud,
    Delivery,
    Entry,
    Queue,
    Topic,
    aws_address,
    aws_provision,
    batches,
)
from serverless_dist.cloud.attempts import call
from serverless_dist.cloud.aws import AwsClients, AwsService
from serverless_dist.cloud.aws_address import AwsAddress, FabricNames
from serverless_dist.cloud.aws_blobs import S3Blobs
from serverless_dist.cloud.aws_cloud import AwsCloud
from serverless_dist.cloud.aws_provision import create, remove
from serverless_dist.cloud.aws_queues import SqsQueue
from serverless_dist.cloud.emulated import EmulatedCloud
from serverless_dist.errors import UsageError
from serverless_dist.testing.clouds import BlobsSuite, QueueSuite, TopicSuite
from serverless_dist.testing.expect import receive_until

NUMBERS = count()


def ask(service: AwsService, operation: str, **arguments: object) -> dict[str, Any]:
    return call(service, operation, "a test", **arguments)


class Fabrics:
    """Fabrics of one emulator, removed when the test is over."""

    def __init__(self, clients: AwsClients, undo: ExitStack) -> None:
        self.clients = clients
        self._undo = undo

    def make(self, mailboxes: int, visibility: float = 30.0) -> AwsCloud:
        names = FabricNames(f"test-{next(NUMBERS)}")
        self._undo.callback(remove, self.clients, names)
        return AwsCloud(
            create(self.clients, names, mailboxes, visibility), self.clients
        )


@pytest.fixture
def fabrics(clients: AwsClients) -> Iterator[Fabrics]:
    with ExitStack() as undo:
        yield Fabrics(clients, undo)


class Brisk:
    """A queue of an emulator, which has delivered by the time it answers a publish.

    So there is no point in waiting less than the second that SQS waits at least.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self.max_body = queue.max_body
        self.send = queue.send
        self.delete = queue.delete

    def receive(self, limit: int, wait: float) -> list[Delivery]:
        return self._queue.receive(limit, 0.0 if wait < 1 else wait)


class TestSqsQueue(QueueSuite):
    @pytest.fixture(autouse=True)
    def _use(self, clients: AwsClients, request: pytest.FixtureRequest) -> None:
        self.clients = clients
        self.is_moto = "moto" in request.node.name

    def make_queue(self, visibility: float = 30.0) -> Queue:
        made = ask(
            self.clients.sqs,
            "create_queue",
            QueueName=f"queue-{next(NUMBERS)}",
            Attributes={"VisibilityTimeout": f"{visibility:.0f}"},
        )
        return SqsQueue(self.clients.sqs, made["QueueUrl"], self.clients.pool)

    def test_stale_receipts_delete_nothing(self) -> None:
        if self.is_moto:
            pytest.skip("moto takes any receipt that a body ever had")
        super().test_stale_receipts_delete_nothing()


class TestSnsTopic(TopicSuite):
    @pytest.fixture(autouse=True)
    def _use(self, fabrics: Fabrics) -> None:
        self.fabrics = fabrics

    def make_topic(self, mailboxes: int) -> tuple[Topic, Sequence[Queue]]:
        cloud = self.fabrics.make(mailboxes)
        return cloud.topic, [Brisk(queue) for queue in cloud.mailboxes]


@pytest.fixture(scope="module")
def blobs(clients: AwsClients) -> Iterator[S3Blobs]:
    names = FabricNames(f"blobs-{next(NUMBERS)}")
    address = create(clients, names, 1)
    yield S3Blobs(clients.s3, address.bucket, clients.pool, prefix="below/")
    remove(clients, names)


class TestS3Blobs(BlobsSuite):
    @pytest.fixture(autouse=True)
    def _use(self, blobs: S3Blobs) -> None:
        self.blobs = blobs

    def make_blobs(self) -> Blobs:
        return self.blobs


def test_foreign_texts_arrive_as_their_own_bytes(fabrics: Fabrics) -> None:
    cloud = fabrics.make(1)
    url = cloud.address.queue_url_prefix + "0"
    texts = ["not ours!", "{}", "abcde", "ünïcödé 🚀", "=", "a+b/c&d=e%20", "\t"]
    for text in texts:
        ask(fabrics.clients.sqs, "send_message", QueueUrl=url, MessageBody=text)
    receive_until(cloud.mailboxes[0], [text.encode() for text in texts])


def test_an_address_survives_pickling_and_connects_without_a_request() -> None:
    address = AwsAddress(
        region="eu-west-1",
        endpoint="http://127.0.0.1:1",
        queue_url_prefix="http://127.0.0.1:1/123456789012/lab-mailbox-",
        topic_arns=("arn:aws:sns:eu-west-1:123456789012:lab-data-0",),
        bucket="lab-123456789012",
        mailboxes=2,
    )
    with closing(AwsCloud.connect(pickle.loads(pickle.dumps(address)))) as cloud:
        assert cloud.address == address
        assert [repr(queue) for queue in cloud.mailboxes] == [
            "<SqsQueue http://127.0.0.1:1/123456789012/lab-mailbox-0>",
            "<SqsQueue http://127.0.0.1:1/123456789012/lab-mailbox-1>",
        ]
        assert repr(cloud.topic) == "<SnsTopic lab-data-0 to 2 mailboxes>"
        assert repr(cloud.blobs) == "<S3Blobs lab-123456789012/jobs/>"


def test_more_mailboxes_than_a_topic_has_filters_share_several_topics(
    fabrics: Fabrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (aws_address, aws_provision, batches):
        monkeypatch.setattr(module, "MAX_FILTERS", 2)
    cloud = fabrics.make(5)
    assert [arn[-1] for arn in cloud.address.topic_arns] == ["0", "1", "2"]
    topic = cloud.topic
    topic.publish([Entry(b"far apart", (0, 1, 4)), Entry(b"two", (2,))])
    came = [q.receive(10, 1 if n != 3 else 0) for n, q in enumerate(cloud.mailboxes)]
    assert [[delivery.body for delivery in d] for d in came] == [
        [b"far apart"],
        [b"far apart"],
        [b"two"],
        [],
        [b"far apart"],
    ]


class TestProvisioning:
    def test_twice_changes_nothing_but_what_is_asked(self, clients: AwsClients) -> None:
        names = FabricNames("twice")
        first = create(clients, names, 2)
        with closing(AwsCloud.connect(first)) as cloud:
            cloud.mailboxes[0].send([b"kept"])
            cloud.blobs.put("kept", b"data")
            grown = create(clients, names, 3, visibility=7)
            assert grown.queue_url_prefix == first.queue_url_prefix
            assert grown.mailboxes == 3
            receive_until(cloud.mailboxes[0], [b"kept"])
            assert cloud.blobs.get("kept") == b"data"
            remove(clients, names)
            with pytest.raises(UsageError, match="AWS has no queue twice-mailbox-0"):
                cloud.mailboxes[0].send([b"late"])
            with pytest.raises(UsageError, match="AWS has no topic twice-data-0"):
                cloud.topic.publish([Entry(b"late", (0,))])
            with pytest.raises(UsageError, match=r"AWS has no .*bucket twice-"):
                cloud.blobs.get("late")

    def test_a_queue_takes_messages_from_its_topic_alone(
        self, fabrics: Fabrics
    ) -> None:
        address = fabrics.make(1).address
        attributes = ask(
            fabrics.clients.sqs,
            "get_queue_attributes",
            QueueUrl=address.queue_url_prefix + "0",
            AttributeNames=["All"],
        )["Attributes"]
        (statement,) = json.loads(attributes["Policy"])["Statement"]
        assert statement["Effect"] == "Allow"
        assert statement["Principal"] == {"Service": "sns.amazonaws.com"}
        assert statement["Action"] == "sqs:SendMessage"
        assert statement["Resource"] == attributes["QueueArn"]
        assert statement["Condition"] == {
            "ArnEquals": {"aws:SourceArn": address.topic_arns[0]}
        }
        assert attributes["MessageRetentionPeriod"] == "86400"
        assert attributes["MaximumMessageSize"] == "1048576"

    def test_the_bucket_is_private_encrypted_and_forgets(
        self, fabrics: Fabrics
    ) -> None:
        s3, bucket = fabrics.clients.s3, fabrics.make(1).address.bucket
        block = ask(s3, "get_public_access_block", Bucket=bucket)
        assert set(block["PublicAccessBlockConfiguration"].values()) == {True}
        assert "AES256" in str(ask(s3, "get_bucket_encryption", Bucket=bucket))
        found = ask(s3, "get_bucket_lifecycle_configuration", Bucket=bucket)
        assert [rule["Expiration"]["Days"] for rule in found["Rules"]] == [1]

    def test_removing_a_fabric_spares_others_with_similar_names(
        self, clients: AwsClients
    ) -> None:
        gone, *spared = map(FabricNames, ("gone", "gone-mailbox", "gon"))
        address = create(clients, gone, 2)
        S3Blobs(clients.s3, address.bucket, clients.pool).put("a/b", b"data")
        kept = [create(clients, names, 1) for names in spared]
        remove(clients, gone)
        remove(clients, gone)
        queues = ask(clients.sqs, "list_queues", QueueNamePrefix="gon")["QueueUrls"]
        assert set(queues) == {other.queue_url_prefix + "0" for other in kept}
        topics = {t["TopicArn"] for t in ask(clients.sns, "list_topics")["Topics"]}
        buckets = {b["Name"] for b in ask(clients.s3, "list_buckets")["Buckets"]}
        assert not topics & set(address.topic_arns)
        assert address.bucket not in buckets
        assert topics >= {other.topic_arns[0] for other in kept}
        assert buckets >= {other.bucket for other in kept}
        for names in spared:
            remove(clients, names)

    @pytest.mark.parametrize("name", ["", "Lab", "-lab", "lab-", "a_b", "a" * 51])
    def test_impossible_names_are_refused(self, name: str) -> None:
        with pytest.raises(UsageError, match="cannot name a deployment"):
            FabricNames(name)

    def test_a_fabric_without_mailboxes_is_refused(self, clients: AwsClients) -> None:
        with pytest.raises(UsageError, match="0 mailboxes"):
            create(clients, FabricNames("lab"), 0)


def test_an_emulated_cloud_cleans_up_on_a_shared_server(
    emulator: str, clients: AwsClients
) -> None:
    with EmulatedCloud(2, endpoint=emulator) as cloud:
        as_seam: Cloud = cloud
        as_seam.topic.publish([Entry(b"hello", (0, 1))])
        with closing(AwsCloud.connect(cloud.address)) as other:
            receive_until(other.mailboxes[1], [b"hello"])
        bucket = cloud.address.bucket
    cloud.close()
    buckets = ask(clients.s3, "list_buckets")["Buckets"]
    assert bucket not in {found["Name"] for found in buckets}
