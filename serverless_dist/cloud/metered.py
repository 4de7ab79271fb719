"""Wrappers that count what a cloud would bill, request by request.

The counts follow from the sizes alone, by the arithmetic that the AWS implementation
cuts its batches with: a metered memory cloud tells what the real one would cost.
A call that is refused as a `UsageError` sends nothing and counts nothing; one that
fails otherwise is counted in full, as AWS bills it.
"""

from collections.abc import Callable, Sequence

from serverless_dist.cloud.batches import (
    billed,
    body_size,
    entry_size,
    queue_batches,
    text_size,
    topic_batches,
    topic_shards,
)
from serverless_dist.cloud.limits import (
    BILLING_CHUNK,
    MAX_BATCH,
    S3_LIST_PAGE,
    S3_MAX_DELETE,
)
from serverless_dist.cloud.meter import Meter
from serverless_dist.cloud.services import (
    Blobs,
    Buffer,
    Cloud,
    Delivery,
    Entry,
    Functions,
    Queue,
    Topic,
)
from serverless_dist.cloud.wrapped import Each, WrappedCloud
from serverless_dist.errors import CloudError

# Bytes of an asynchronous event that are billed as one request, each further 64 KB
# as one more: Lambda pricing, read 2026-11.
EVENT_BYTES = 262_144


class _Charged:
    """Counts once the block is done, or has failed in the cloud."""

    __slots__ = ("_count",)

    def __init__(self, count: Callable[[], None]) -> None:
        self._count = count

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None or issubclass(kind, CloudError):
            self._count()


class MeteredQueue:
    """A queue whose requests are counted."""

    def __init__(self, queue: Queue, meter: Meter) -> None:
        self._queue = queue
        self._meter = meter

    def __repr__(self) -> str:
        return f"<MeteredQueue of {self._queue!r}>"

    @property
    def max_body(self) -> int:
        """The largest body in bytes that `send` accepts."""
        return self._queue.max_body

    def send(self, bodies: Sequence[Buffer]) -> None:
        """Send, and count the batches that SQS takes them in."""
        sizes = [body_size(body) for body in bodies]

        def count() -> None:
            for start, stop in queue_batches(sizes):
                size = sum(map(text_size, sizes[start:stop]))
                self._meter.count("sqs:SendMessageBatch", billed(size), sent=size)

        with _Charged(count):
            self._queue.send(bodies)

    def receive(self, limit: int, wait: float) -> list[Delivery]:
        """Receive, and count one request, empty or not."""
        deliveries: list[Delivery] = []

        def count() -> None:
            size = sum(text_size(len(delivery.body)) for delivery in deliveries)
            self._meter.count("sqs:ReceiveMessage", billed(size), received=size)

        with _Charged(count):
            deliveries = self._queue.receive(limit, wait)
        return deliveries

    def delete(self, receipts: Sequence[str]) -> None:
        """Delete, and count the batches of ten."""
        batches = -(-len(receipts) // MAX_BATCH)
        with _Charged(
            lambda: self._meter.count(
                "sqs:DeleteMessageBatch", batches, requests=batches
            )
        ):
            self._queue.delete(receipts)


class MeteredTopic:
    """A topic whose requests and deliveries are counted."""

    def __init__(self, topic: Topic, meter: Meter) -> None:
        self._topic = topic
        self._meter = meter

    def __repr__(self) -> str:
        return f"<MeteredTopic of {self._topic!r}>"

    @property
    def max_body(self) -> int:
        """The largest body in bytes that `publish` accepts."""
        return self._topic.max_body

    def publish(self, entries: Sequence[Entry]) -> None:
        """Publish, and count the batches that SNS takes and what it hands to SQS."""
        shards = [
            [(body_size(entry.body), entry.targets) for entry in part]
            for part in topic_shards(entries).values()
        ]

        def count() -> None:
            for part in shards:
                self._count_part(part)

        with _Charged(count):
            self._topic.publish(entries)

    def _count_part(self, part: Sequence[tuple[int, tuple[int, ...]]]) -> None:
        """Count the entries of one topic of SNS, given by size and targets."""
        sizes = [entry_size(body, targets) for body, targets in part]
        for start, stop in topic_batches(sizes):
            bill = billed(sum(sizes[start:stop]))
            texts = sum(text_size(body) for body, _ in part[start:stop])
            self._meter.count("sns:PublishBatch", bill, sent=texts)
        deliveries = sum(
            billed(text_size(body)) * len(set(targets)) for body, targets in part
        )
        self._meter.count("sns:Delivery", deliveries, requests=0)


class MeteredBlobs:
    """An object store whose requests are counted."""

    def __init__(self, blobs: Blobs, meter: Meter) -> None:
        self._blobs = blobs
        self._meter = meter

    def __repr__(self) -> str:
        return f"<MeteredBlobs of {self._blobs!r}>"

    def put(self, key: str, data: Buffer, *, if_absent: bool = False) -> bool:
        """Put, and count one request, stored or not."""
        size = body_size(data)
        with _Charged(lambda: self._meter.count("s3:PutObject", 1, sent=size)):
            return self._blobs.put(key, data, if_absent=if_absent)

    def swap(self, key: str, old: Buffer | None, new: Buffer) -> bool:
        """Swap, and count a get, and a put unless it was in vain.

        A swap that loses a race between its two requests has cost a put that is not
        counted. One that expects no blob is a put alone.
        """
        if old is None:
            return self.put(key, new, if_absent=True)
        is_put = True  # or it failed, and is counted in full

        def count() -> None:
            received = body_size(old) if is_put else 0
            self._meter.count("s3:GetObject", 1, received=received)
            if is_put:
                self._meter.count("s3:PutObject", 1, sent=body_size(new))

        with _Charged(count):
            is_put = self._blobs.swap(key, old, new)
        return is_put

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> bytes | None:
        """Get, and count one request, found or not."""
        data: bytes | None = None

        def count() -> None:
            self._meter.count("s3:GetObject", 1, received=len(data or b""))

        with _Charged(count):
            data = self._blobs.get(key, start=start, stop=stop)
        return data

    def list(self, prefix: str) -> Sequence[str]:
        """List, and count the pages."""
        keys: Sequence[str] = ()

        def count() -> None:
            pages = max(1, -(-len(keys) // S3_LIST_PAGE))
            self._meter.count("s3:ListObjectsV2", pages, requests=pages)

        with _Charged(count):
            keys = self._blobs.list(prefix)
        return keys

    def delete(self, keys: Sequence[str]) -> None:
        """Delete, and count the batches of a thousand."""
        batches = -(-len(keys) // S3_MAX_DELETE)
        with _Charged(
            lambda: self._meter.count("s3:DeleteObjects", batches, requests=batches)
        ):
            self._blobs.delete(keys)


class MeteredFunctions:
    """Functions whose requests are counted."""

    def __init__(self, functions: Functions, meter: Meter) -> None:
        self._functions = functions
        self._meter = meter

    def __repr__(self) -> str:
        return f"<MeteredFunctions of {self._functions!r}>"

    def invoke(self, payload: bytes) -> None:
        """Invoke, and count one request and one for each 64 KB over 256 KB."""
        size = len(payload)
        bill = 1 + max(0, -(-(size - EVENT_BYTES) // BILLING_CHUNK))
        with _Charged(lambda: self._meter.count("lambda:Invoke", bill, sent=size)):
            self._functions.invoke(payload)

    def call(self, payload: bytes) -> bytes:
        """Call, and count one request, answered or not."""
        answer = b""

        def count() -> None:
            sent, received = len(payload), len(answer)
            self._meter.count("lambda:Invoke", 1, sent=sent, received=received)

        with _Charged(count):
            answer = self._functions.call(payload)
        return answer


class MeteredCloud(WrappedCloud):
    """A cloud whose every request is counted by `meter`."""

    def __init__(self, cloud: Cloud, meter: Meter) -> None:
        super().__init__(
            cloud,
            mailboxes=Each(cloud.mailboxes, lambda box: MeteredQueue(box, meter)),
            topic=MeteredTopic(cloud.topic, meter),
            blobs=MeteredBlobs(cloud.blobs, meter),
        )
