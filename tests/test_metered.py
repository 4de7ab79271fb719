"""Meters: the suites pass through them, and the counts are what AWS would bill."""

from collections.abc import Callable, Sequence
from threading import Thread

import pytest

from serverless_dist.cloud import (
    Blobs,
    Buffer,
    Cloud,
    Delivery,
    Entry,
    Functions,
    MemoryBlobs,
    MemoryCloud,
    MemoryFunctions,
    MemoryQueue,
    Meter,
    MeteredBlobs,
    MeteredCloud,
    MeteredFunctions,
    MeteredQueue,
    Queue,
    Topic,
    Usage,
)
from serverless_dist.cloud.batches import (
    QUEUE_MAX_BODY,
    TOPIC_MAX_BODY,
    entry_size,
    text_size,
)
from serverless_dist.cloud.limits import SNS_MAX_BYTES
from serverless_dist.errors import CloudError, UsageError
from serverless_dist.testing.clock import HandClock
from serverless_dist.testing.clouds import (
    BlobsSuite,
    FunctionsSuite,
    QueueSuite,
    TopicSuite,
)


class TestMeteredQueue(QueueSuite):
    def make_queue(self, visibility: float = 30.0) -> Queue:
        queue = MemoryQueue(HandClock(), seed=7, visibility=visibility)
        return MeteredQueue(queue, Meter())


class TestMeteredTopic(TopicSuite):
    def make_topic(self, mailboxes: int) -> tuple[Topic, Sequence[Queue]]:
        memory = MemoryCloud(mailboxes, clock=HandClock(), seed=7)
        cloud: Cloud = MeteredCloud(memory, Meter())
        return cloud.topic, cloud.mailboxes


class TestMeteredBlobs(BlobsSuite):
    def make_blobs(self) -> Blobs:
        return MeteredBlobs(MemoryBlobs(), Meter())


class TestMeteredFunctions(FunctionsSuite):
    def make_functions(self, handler: Callable[[bytes], bytes]) -> Functions:
        return MeteredFunctions(MemoryFunctions(handler), Meter())


def metered(mailboxes: int = 12) -> tuple[MeteredCloud, Meter]:
    meter = Meter()
    return MeteredCloud(MemoryCloud(mailboxes, clock=HandClock()), meter), meter


# An SQS body of 49,152 bytes is 65,536 as text: exactly one billed chunk.
CHUNK = 49_152


@pytest.mark.parametrize(
    ("sizes", "requests", "billed"),
    [
        ([], 0, 0),
        ([1], 1, 1),
        ([1] * 10, 1, 1),
        ([1] * 11, 2, 2),
        ([1] * 25, 3, 3),
        ([CHUNK], 1, 1),
        ([CHUNK + 1], 1, 2),
        ([CHUNK - 3, 3], 1, 1),
        ([CHUNK, 1], 1, 2),
        ([QUEUE_MAX_BODY], 1, 16),
        ([QUEUE_MAX_BODY] * 3, 3, 48),
        ([QUEUE_MAX_BODY, 1, 1], 2, 17),
    ],
)
def test_a_send_counts_its_batches(
    sizes: list[int], requests: int, billed: int
) -> None:
    cloud, meter = metered()
    cloud.mailboxes[0].send([bytes(size) for size in sizes])
    usage = meter.usage()
    assert usage.requests.get("sqs:SendMessageBatch", 0) == requests
    assert usage.billed.get("sqs:SendMessageBatch", 0) == billed
    assert usage.bytes_sent == sum(text_size(size) for size in sizes)
    assert usage.bytes_received == 0


def test_a_receive_counts_once_even_if_empty() -> None:
    cloud, meter = metered()
    cloud.mailboxes[0].receive(10, 0.0)
    assert meter.usage() == Usage({"sqs:ReceiveMessage": 1}, {"sqs:ReceiveMessage": 1})


def test_a_receive_is_billed_by_all_it_returns() -> None:
    cloud, meter = metered()
    cloud.mailboxes[0].send([bytes(CHUNK), b"1"])
    before = meter.usage()
    assert len(cloud.mailboxes[0].receive(10, 0.0)) == 2
    after = meter.usage()
    assert after.requests["sqs:ReceiveMessage"] == 1
    assert after.billed["sqs:ReceiveMessage"] == 2
    assert after.bytes_received - before.bytes_received == 65_536 + 2


@pytest.mark.parametrize(
    ("count", "requests"), [(0, 0), (1, 1), (10, 1), (11, 2), (25, 3)]
)
def test_a_delete_counts_its_batches_of_ten(count: int, requests: int) -> None:
    cloud, meter = metered()
    cloud.mailboxes[0].delete([f"{number}" for number in range(count)])
    usage = meter.usage()
    assert usage.requests.get("sqs:DeleteMessageBatch", 0) == requests
    assert usage.billed == usage.requests


# The largest body of one target: what is left of SNS's limit after the attribute.
SNS_CHUNK = 49_100


@pytest.mark.parametrize(
    ("sizes", "targets", "requests", "deliveries"),
    [
        ([], (0,), 0, 0),
        ([1], (0,), 1, 1),
        ([1], (0, 1, 2), 1, 3),
        ([1] * 10, (0,), 1, 10),
        ([1] * 11, (0, 1), 2, 22),
        ([TOPIC_MAX_BODY], (0, 3), 1, 8),
        ([TOPIC_MAX_BODY] * 2, (0,), 2, 8),
        ([SNS_CHUNK] * 4, (0,), 1, 4),
        ([SNS_CHUNK] * 5, (0,), 2, 5),
    ],
)
def test_a_publish_counts_its_batches_and_deliveries(
    sizes: list[int], targets: tuple[int, ...], requests: int, deliveries: int
) -> None:
    cloud, meter = metered()
    cloud.topic.publish([Entry(bytes(size), targets) for size in sizes])
    usage = meter.usage()
    assert usage.requests.get("sns:PublishBatch", 0) == requests
    assert usage.billed.get("sns:Delivery", 0) == deliveries
    assert "sns:Delivery" not in usage.requests
    assert usage.bytes_sent == sum(text_size(size) for size in sizes)


def test_a_publish_is_billed_by_text_and_attributes() -> None:
    cloud, meter = metered()
    body = next(n for n in range(CHUNK, 0, -1) if entry_size(n, (0,)) <= 65_536)
    cloud.topic.publish([Entry(bytes(body), (0,))])
    assert meter.usage().billed["sns:PublishBatch"] == 1
    # One target more makes the attribute longer, and the second chunk begins.
    cloud.topic.publish([Entry(bytes(body), (0, 1))])
    assert meter.usage().billed["sns:PublishBatch"] == 1 + 2


def test_no_batch_of_entries_is_over_the_limit_of_sns() -> None:
    assert entry_size(TOPIC_MAX_BODY, range(1_000)) <= SNS_MAX_BYTES


def test_a_target_named_twice_is_one_delivery() -> None:
    cloud, meter = metered()
    cloud.topic.publish([Entry(b"body", (1, 1))])
    assert meter.usage().billed["sns:Delivery"] == 1
    assert len(cloud.mailboxes[1].receive(10, 0.0)) == 1


def test_blobs_count_puts_and_gets_found_or_not() -> None:
    cloud, meter = metered()
    cloud.blobs.put("key", bytes(100_000))
    cloud.blobs.put("key", bytes(1_000), if_absent=True)
    cloud.blobs.get("key", start=99_000)
    cloud.blobs.get("missing")
    counts = {"s3:PutObject": 2, "s3:GetObject": 2}
    assert meter.usage() == Usage(
        counts, counts, {"s3:PutObject": 101_000}, {"s3:GetObject": 1_000}
    )


def test_a_swap_counts_a_get_and_a_put_unless_in_vain() -> None:
    cloud, meter = metered()
    cloud.blobs.swap("key", None, bytes(10))
    assert meter.usage().requests == {"s3:PutObject": 1}
    cloud.blobs.swap("key", bytes(10), bytes(100))
    cloud.blobs.swap("key", bytes(10), bytes(1_000))
    counts = {"s3:PutObject": 2, "s3:GetObject": 2}
    assert meter.usage() == Usage(
        counts, counts, {"s3:PutObject": 110}, {"s3:GetObject": 10}
    )


@pytest.mark.parametrize(
    ("count", "pages", "deletes"),
    [(0, 1, 0), (1, 1, 1), (1_000, 1, 1), (1_001, 2, 2), (2_500, 3, 3)],
)
def test_blobs_count_pages_and_batches(count: int, pages: int, deletes: int) -> None:
    memory = MemoryBlobs()
    for number in range(count):
        memory.put(f"{number}", b"")
    meter = Meter()
    blobs = MeteredBlobs(memory, meter)
    blobs.delete(blobs.list(""))
    usage = meter.usage()
    assert usage.requests.get("s3:ListObjectsV2") == pages
    assert usage.requests.get("s3:DeleteObjects", 0) == deletes
    assert usage.billed == usage.requests


@pytest.mark.parametrize(
    ("size", "billed"), [(0, 1), (262_144, 1), (262_145, 2), (1_048_576, 13)]
)
def test_an_event_is_billed_by_its_size(size: int, billed: int) -> None:
    meter, memory = Meter(), MemoryFunctions(lambda payload: payload[:7])
    MeteredFunctions(memory, meter).invoke(bytes(size))
    memory.close()
    assert meter.usage() == Usage(
        {"lambda:Invoke": 1},
        {"lambda:Invoke": billed},
        {"lambda:Invoke": size} if size else {},
    )


def test_a_call_counts_payload_and_answer() -> None:
    meter = Meter()
    functions = MeteredFunctions(MemoryFunctions(lambda payload: payload[:7]), meter)
    functions.call(bytes(1_000_000))
    counts = {"lambda:Invoke": 1}
    assert meter.usage() == Usage(
        counts, counts, {"lambda:Invoke": 1_000_000}, {"lambda:Invoke": 7}
    )


def test_what_is_refused_counts_nothing() -> None:
    cloud, meter = metered()
    for call in (
        lambda: cloud.mailboxes[0].send([b""]),
        lambda: cloud.mailboxes[0].receive(0, 0.0),
        lambda: cloud.topic.publish([Entry(b"1", ())]),
        lambda: cloud.blobs.put("", b""),
        lambda: cloud.blobs.get(""),
    ):
        with pytest.raises(UsageError):
            call()
    assert meter.usage() == Usage()


class FailingQueue:
    """A queue of a service that is down."""

    max_body = QUEUE_MAX_BODY

    def send(self, bodies: Sequence[Buffer]) -> None:
        self.fail()

    def receive(self, limit: int, wait: float) -> list[Delivery]:
        self.fail()
        return []

    def delete(self, receipts: Sequence[str]) -> None:
        self.fail()

    def fail(self) -> None:
        msg = "sqs: 503"
        raise CloudError(msg, retryable=True)


def test_what_fails_in_the_cloud_counts() -> None:
    meter = Meter()
    queue = MeteredQueue(FailingQueue(), meter)
    for call in (
        lambda: queue.send([bytes(3)]),
        lambda: queue.receive(10, 0.0),
        lambda: queue.delete(["receipt"]),
    ):
        with pytest.raises(CloudError):
            call()
    counts = {
        "sqs:SendMessageBatch": 1,
        "sqs:ReceiveMessage": 1,
        "sqs:DeleteMessageBatch": 1,
    }
    assert meter.usage() == Usage(counts, counts, {"sqs:SendMessageBatch": 4})


def test_sizes_are_of_the_bytes_not_of_the_items() -> None:
    cloud, meter = metered()
    buffer = bytearray(24)
    cloud.mailboxes[0].send([memoryview(buffer).cast("d")])  # type: ignore[list-item]
    assert meter.usage().bytes_sent == text_size(24)


def test_usages_add_up() -> None:
    one = Usage({"a": 1, "b": 2}, {"a": 3}, {"a": 10}, {"b": 20})
    two = Usage({"b": 3, "c": 4}, {"b": 5}, {"a": 1, "b": 5}, {"b": 2})
    total = one + two
    requests, billed = {"a": 1, "b": 5, "c": 4}, {"a": 3, "b": 5}
    assert total == Usage(requests, billed, {"a": 11, "b": 5}, {"b": 22})
    assert (total.bytes_sent, total.bytes_received) == (16, 22)
    assert total.operations == ["a", "b", "c"]
    assert sum([one, two], Usage()) == total
    assert one == Usage({"a": 1, "b": 2}, {"a": 3}, {"a": 10}, {"b": 20})


def test_a_usage_does_not_change_afterwards() -> None:
    meter = Meter()
    meter.count("a", 1)
    before = meter.usage()
    meter.count("a", 1)
    assert before == Usage({"a": 1}, {"a": 1})
    assert repr(meter) == "<Meter 2 requests, 0 B out, 0 B in>"


def test_threads_lose_no_count() -> None:
    meter = Meter()

    def count() -> None:
        for _ in range(2_000):
            meter.count("a", 2, sent=3, received=4)

    threads = [Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.usage() == Usage(
        {"a": 16_000}, {"a": 32_000}, {"a": 48_000}, {"a": 64_000}
    )


def test_a_metered_cloud_is_the_cloud_underneath() -> None:
    clock = HandClock()
    memory = MemoryCloud(3, clock=clock)
    cloud = MeteredCloud(memory, Meter())
    assert cloud.clock is clock
    assert len(cloud.mailboxes) == 3
    cloud.close()
