"""A meter over the memory cloud counts the very requests that aws.py would send."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from random import Random
from typing import Any

import pytest

from serverless_dist.cloud import Entry, MemoryCloud, Meter, MeteredCloud
from serverless_dist.cloud.attempts import Patience
from serverless_dist.cloud.aws_blobs import S3Blobs
from serverless_dist.cloud.aws_queues import SnsTopic, SqsQueue
from serverless_dist.cloud.batches import QUEUE_MAX_BODY, TOPIC_MAX_BODY, billed
from serverless_dist.testing.clock import HandClock

KEYS = {
    "send_message_batch": "sqs:SendMessageBatch",
    "delete_message_batch": "sqs:DeleteMessageBatch",
    "publish_batch": "sns:PublishBatch",
    "put_object": "s3:PutObject",
    "get_object": "s3:GetObject",
    "delete_objects": "s3:DeleteObjects",
}


class RecordingService:
    """Answers every request, and counts it as AWS would bill it."""

    name = "recorder"
    patience = Patience()

    def __init__(self) -> None:
        self.sizes: list[tuple[str, int]] = []

    def request(
        self, operation: str, resource: str, **arguments: Any
    ) -> dict[str, Any]:
        size = sum(len(entry["MessageBody"]) for entry in self.messages(arguments))
        for entry in arguments.get("PublishBatchRequestEntries", ()):
            size += len(entry["Message"])
            for name, value in entry["MessageAttributes"].items():
                size += len(name + value["DataType"] + value["StringValue"])
        # No chunk of S3's is billed.
        self.sizes.append((KEYS[operation], size))
        return {"Body": b"", "ETag": '"tag"'}

    def messages(self, arguments: dict[str, Any]) -> list[dict[str, str]]:
        return [e for e in arguments.get("Entries", ()) if "MessageBody" in e]

    def requests(self) -> dict[str, int]:
        return dict(Counter(key for key, _ in self.sizes))

    def billed(self) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for key, size in self.sizes:
            counts[key] += billed(size)
        return dict(counts)


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def cloud(mailboxes: int) -> tuple[MeteredCloud, Meter]:
    meter = Meter()
    return MeteredCloud(MemoryCloud(mailboxes, clock=HandClock()), meter), meter


def sizes(random: Random, largest: int) -> list[int]:
    return [
        random.choice([1, random.randint(1, 1_000), random.randint(1, largest)])
        for _ in range(random.randint(0, 33))
    ]


@pytest.mark.parametrize("seed", range(8), ids="seed{}".format)
def test_sends_and_deletes(seed: int, pool: Executor) -> None:
    bodies = [bytes(size) for size in sizes(Random(seed), QUEUE_MAX_BODY)]
    receipts = [f"{number}" for number in range(len(bodies))]
    metered, meter = cloud(1)
    service = RecordingService()
    for queue in (metered.mailboxes[0], SqsQueue(service, "http://host/0", pool)):
        queue.send(bodies)
        queue.delete(receipts)
    assert meter.usage().requests == service.requests()
    assert meter.usage().billed == service.billed()


@pytest.mark.parametrize("mailboxes", [1, 8, 33, 450])
@pytest.mark.parametrize("seed", range(4), ids="seed{}".format)
def test_publishes(seed: int, mailboxes: int, pool: Executor) -> None:
    random = Random(seed)
    entries = [
        Entry(
            bytes(size),
            tuple(
                random.sample(range(mailboxes), random.randint(1, min(mailboxes, 9)))
            ),
        )
        for size in sizes(random, TOPIC_MAX_BODY)
    ]
    metered, meter = cloud(mailboxes)
    service = RecordingService()
    arns = [f"arn:aws:sns:us-east-1:1:topic-{number}" for number in range(3)]
    for topic in (metered.topic, SnsTopic(service, arns, range(mailboxes), pool)):
        topic.publish(entries)
    usage = meter.usage()
    usage.billed.pop("sns:Delivery", None)
    assert usage.requests == service.requests()
    assert usage.billed == service.billed()


@pytest.mark.parametrize("count", [0, 1, 1_000, 1_001])
def test_blobs(count: int, pool: Executor) -> None:
    metered, meter = cloud(1)
    service = RecordingService()
    for blobs in (metered.blobs, S3Blobs(service, "bucket", pool)):
        blobs.put("key", bytes(100_000))
        blobs.get("key")
        blobs.get("missing", start=7)
        blobs.put("empty", b"")
        blobs.swap("empty", b"", bytes(1_000))
        blobs.swap("empty", b"other", b"new")
        blobs.swap("new", None, b"new")
        blobs.delete([f"{number}" for number in range(count)])
    assert meter.usage().requests == service.requests()
    assert meter.usage().billed == service.billed()
