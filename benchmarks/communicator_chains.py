"""A cloud that tells how long chains of requests are that had to follow one another.

Each request takes 20 ms, so that what a rank does at once overlaps as it would on AWS.
A chain goes from request to request: to one that the same rank makes after the other
has ended, and from the one that sent a message to the one that fetched it. A request
that found nothing is no link; it is counted apart. Requests of several threads may come
after one another by chance, above all on a busy machine: chains are counted from above.
"""

import threading
import time
from collections.abc import Sequence

from serverless_dist.cloud import Blobs, Buffer, Cloud, Delivery, Entry, Queue, Topic
from serverless_dist.cloud.wrapped import WrappedCloud

LATENCY = 0.02  # seconds of a request


class Ledger:
    """How long the chain is that ends with each message, for all ranks."""

    def __init__(self) -> None:
        self._lengths: dict[bytes | str, int] = {}
        self._lock = threading.Lock()

    def note(self, messages: Sequence[bytes | str], length: int) -> None:
        """Let chains of `length` end with the messages."""
        with self._lock:
            for message in messages:
                self._lengths[message] = max(length, self._lengths.get(message, 0))

    def longest(self, messages: Sequence[bytes | str]) -> int:
        """Return the longest chain that ends with one of the messages."""
        with self._lock:
            return max(self._lengths.get(message, 0) for message in messages)


class Chain:
    """The longest chain that ends with a request of one rank."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.length = 0
        self.messages = 0
        self.empty = 0
        self._lock = threading.Lock()

    def send(self, messages: Sequence[bytes | str], copies: int) -> None:
        """Take the time of a request that stores the messages."""
        start = self.length
        time.sleep(LATENCY)
        self.ledger.note(messages, start + 1)
        with self._lock:
            self.length = max(self.length, start + 1)
            self.messages += copies

    def receive(self, start: int, messages: Sequence[bytes | str]) -> None:
        """Count a request that began when the chain was `start` long."""
        with self._lock:
            if messages:
                before = max(start, self.ledger.longest(messages))
                self.length = max(self.length, before + 1)
            else:
                self.empty += 1


class ChainedQueue:
    """A queue whose requests are links of a chain; see `Queue`."""

    def __init__(self, queue: Queue, chain: Chain) -> None:
        self._queue = queue
        self._chain = chain

    @property
    def max_body(self) -> int:
        """The largest body in bytes that `send` accepts."""
        return self._queue.max_body

    def send(self, bodies: Sequence[Buffer]) -> None:
        """Send; batches of a call travel side by side."""
        self._chain.send([bytes(body) for body in bodies], len(bodies))
        self._queue.send(bodies)

    def receive(self, limit: int, wait: float) -> list[Delivery]:
        """Receive what has come after the time of a request, or the next to come."""
        start = self._chain.length
        time.sleep(LATENCY)
        deliveries = self._queue.receive(limit, wait)
        self._chain.receive(start, [delivery.body for delivery in deliveries])
        return deliveries

    def delete(self, receipts: Sequence[str]) -> None:
        """Delete, after the time of a request."""
        self._chain.send((), 0)
        self._queue.delete(receipts)


class ChainedTopic:
    """A topic whose requests are links of a chain; see `Topic`."""

    def __init__(self, topic: Topic, chain: Chain) -> None:
        self._topic = topic
        self._chain = chain

    @property
    def max_body(self) -> int:
        """The largest body in bytes that `publish` accepts."""
        return self._topic.max_body

    def publish(self, entries: Sequence[Entry]) -> None:
        """Publish; batches of a call travel side by side."""
        copies = sum(len(entry.targets) for entry in entries)
        self._chain.send([bytes(entry.body) for entry in entries], copies)
        self._topic.publish(entries)


class ChainedBlobs:
    """An object store whose requests are links of a chain; see `Blobs`."""

    def __init__(self, blobs: Blobs, chain: Chain) -> None:
        self._blobs = blobs
        self._chain = chain

    def put(self, key: str, data: Buffer, *, if_absent: bool = False) -> bool:
        """Put, after the time of a request."""
        self._chain.send([key], 1)
        return self._blobs.put(key, data, if_absent=if_absent)

    def swap(self, key: str, old: Buffer | None, new: Buffer) -> bool:
        """Swap, after the time of its requests."""
        length = self._chain.length
        time.sleep(LATENCY)
        self._chain.receive(length, [key])
        self._chain.send([key], 1)
        return self._blobs.swap(key, old, new)

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> bytes | None:
        """Get, after the time of a request."""
        length = self._chain.length
        time.sleep(LATENCY)
        data = self._blobs.get(key, start=start, stop=stop)
        self._chain.receive(length, () if data is None else [key])
        return data

    def list(self, prefix: str) -> Sequence[str]:
        """List, after the time of a request."""
        length = self._chain.length
        time.sleep(LATENCY)
        keys = self._blobs.list(prefix)
        self._chain.receive(length, keys)
        return keys

    def delete(self, keys: Sequence[str]) -> None:
        """Delete, after the time of a request."""
        self._chain.send((), 0)
        self._blobs.delete(keys)


def chained(cloud: Cloud, chain: Chain) -> Cloud:
    """Return the cloud with all requests as links of `chain`."""
    return WrappedCloud(
        cloud,
        mailboxes=[ChainedQueue(mailbox, chain) for mailbox in cloud.mailboxes],
        topic=ChainedTopic(cloud.topic, chain),
        blobs=ChainedBlobs(cloud.blobs, chain),
    )
