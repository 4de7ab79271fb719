"""The services of a simulated cloud, as one function sees them.

A request costs the function processor time and goes over its network; then the service
takes its time. Several batches of one call go out side by side.
"""

from collections.abc import Sequence
from contextlib import suppress
from math import ceil

from serverless_dist.cloud.batches import (
    QUEUE_MAX_BODY,
    TOPIC_MAX_BODY,
    body_size,
    entry_size,
    queue_batches,
    text_size,
    topic_batches,
    topic_shards,
)
from serverless_dist.cloud.checks import (
    check_bodies,
    check_entries,
    check_key,
    check_range,
    check_receive,
)
from serverless_dist.cloud.latency import Latency
from serverless_dist.cloud.limits import MAX_BATCH, S3_LIST_PAGE, S3_MAX_DELETE
from serverless_dist.cloud.services import Buffer, Delivery, Entry
from serverless_dist.cloud.simulated.mailbox import Mailbox
from serverless_dist.cloud.simulated.world import Host
from serverless_dist.cloud.virtual.strands import Waiter

_READ_AT = 0.5  # of a read's time has passed when it sees what is there: an estimate


def _prepare(host: Host, requests: int = 1, more: float = 0.0) -> float:
    """Return in how many seconds the SDK will have made requests."""
    host.world.time.settle()
    return host.busy(requests * host.world.profile.request_cpu + more)


class SimulatedQueue:
    """A queue as one function sees it; see `Queue`."""

    def __init__(self, host: Host, mailbox: Mailbox) -> None:
        self._host = host
        self._world = host.world
        self._mailbox = mailbox

    def __repr__(self) -> str:
        return f"<SimulatedQueue of {self._mailbox!r}>"

    @property
    def max_body(self) -> int:
        """The largest body in bytes that `send` accepts."""
        return QUEUE_MAX_BODY

    def send(self, bodies: Sequence[Buffer]) -> None:
        """Send; each batch arrives when it is acknowledged."""
        check_bodies(bodies, self.max_body)
        copies = [bytes(body) for body in bodies]
        sizes = [len(body) for body in copies]
        batches = queue_batches(sizes)
        if not batches:
            return
        made = _prepare(self._host, len(batches))
        if len(batches) == 1:  # so it is nearly always, and then it is quicker
            self._world.time.sleep(self._acknowledged(sizes, made))
            for body in copies:
                self._world.arrive(self._mailbox, body)
            return
        last = 0.0
        for start, stop in batches:
            taken = self._acknowledged(sizes[start:stop], made)
            for body in copies[start:stop]:
                self._world.arrive_in(taken, self._mailbox, body)
            last = max(last, taken)
        self._world.time.sleep(last)

    def receive(self, limit: int, wait: float) -> list[Delivery]:
        """Return up to `limit` bodies; SQS waits whole seconds for the first."""
        check_receive(limit, wait)
        time, mailbox = self._world.time, self._mailbox
        asked = time.now() + _prepare(self._host)
        deadline = asked + ceil(wait)
        while not mailbox.has_some(time.now()) and time.now() < deadline:
            until = min(deadline, mailbox.next_return() or deadline)
            poll = _Poll(self, limit, time.waiter())
            mailbox.polls.append(poll)
            if poll.waiter.wait(until - time.now(), "a message"):
                return poll.deliveries
            with suppress(ValueError):  # who was answered too late is removed
                mailbox.polls.remove(poll)
        deliveries, seconds = self.answer(limit)
        time.sleep(max(0.0, asked - time.now()) + seconds)
        return deliveries

    def answer(self, limit: int) -> tuple[list[Delivery], float]:
        """Take bodies; return them, and in how many seconds a poll returns them."""
        world = self._world
        deliveries = self._mailbox.take(limit, world.time.now())
        size = sum(text_size(len(delivery.body)) for delivery in deliveries)
        answer = world.chances.draw(world.profile.sqs_receive)
        return deliveries, self._host.download(size, answer)

    def delete(self, receipts: Sequence[str]) -> None:
        """Forget the bodies behind these receipts, in batches of ten."""
        batches = -(-len(receipts) // MAX_BATCH)
        if not batches:
            return
        made = _prepare(self._host, batches)
        latency = self._world.profile.sqs_delete
        self._world.time.sleep(
            made + max(self._world.chances.draw(latency) for _ in range(batches))
        )
        for receipt in receipts:
            self._mailbox.forget(receipt)

    def _acknowledged(self, sizes: Sequence[int], made: float) -> float:
        """Return in how many seconds a batch is, which will be made in `made`."""
        sent = self._host.upload(sum(map(text_size, sizes)), made)
        return sent + self._world.chances.draw(self._world.profile.sqs_send)


class _Poll:
    """A poll that waits: what it will return is taken when the first body comes."""

    __slots__ = ("_limit", "_queue", "deliveries", "waiter")

    def __init__(self, queue: SimulatedQueue, limit: int, waiter: Waiter) -> None:
        self._queue = queue
        self._limit = limit
        self.waiter = waiter
        self.deliveries: list[Delivery] = []

    def respond(self) -> bool:
        """Answer the poll; return whether it was still waiting."""
        if self.waiter.is_over:
            return False
        self.deliveries, seconds = self._queue.answer(self._limit)
        return self.waiter.wake(seconds)


class SimulatedTopic:
    """The topic as one function sees it; see `Topic`."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._world = host.world

    def __repr__(self) -> str:
        return f"<SimulatedTopic of {len(self._world.mailboxes)} mailboxes>"

    @property
    def max_body(self) -> int:
        """The largest body in bytes that `publish` accepts."""
        return TOPIC_MAX_BODY

    def publish(self, entries: Sequence[Entry]) -> None:
        """Publish; each copy arrives a hop after its batch is acknowledged."""
        check_entries(entries, self.max_body, len(self._world.mailboxes))
        batches: list[tuple[Sequence[Entry], int]] = []
        for part in topic_shards(entries).values():
            sizes = [entry_size(body_size(e.body), e.targets) for e in part]
            for start, stop in topic_batches(sizes):
                batches.append((part[start:stop], sum(sizes[start:stop])))
        if not batches:
            return
        nbytes = sum(size for _, size in batches)
        profile = self._world.profile
        made = _prepare(self._host, len(batches), nbytes * profile.sns_byte_cpu)
        self._world.time.sleep(max(self._publish(*batch, made) for batch in batches))

    def _publish(self, entries: Sequence[Entry], size: int, made: float) -> float:
        """Send one batch; return in how many seconds it is acknowledged."""
        world, profile = self._world, self._world.profile
        taken = (
            world.hold_up("sns:PublishBatch", len(entries))
            + self._host.upload(size, made)
            + world.chances.draw(profile.sns_publish)
        )
        for entry in entries:
            body = bytes(entry.body)
            for target in dict.fromkeys(entry.targets):
                hop = world.chances.draw(profile.sns_hop)
                world.arrive_in(taken + hop, world.mailboxes[target], body)
        return taken


class SimulatedBlobs:
    """The object store as one function sees it; see `Blobs`."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._world = host.world
        self._store = host.world.store

    def __repr__(self) -> str:
        return f"<SimulatedBlobs of {self._store!r}>"

    def put(self, key: str, data: Buffer, *, if_absent: bool = False) -> bool:
        """Store `data`, which is there when the request is acknowledged."""
        check_key(key)
        copy = bytes(data)
        self._write(len(copy))
        if if_absent and self._store.get(key) is not None:
            return False
        self._store.put(key, copy)
        return True

    def swap(self, key: str, old: Buffer | None, new: Buffer) -> bool:
        """Replace the blob if it still holds `old`, as S3 does: a get and a put."""
        if old is None:
            return self.put(key, new, if_absent=True)
        expected, copy = bytes(old), bytes(new)
        if self.get(key) != expected:
            return False
        self._write(len(copy))
        if self._store.get(key) != expected:
            return False
        self._store.put(key, copy)
        return True

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> bytes | None:
        """Return the bytes, as they are when half of the request's time has passed."""
        check_key(key)
        check_range(start, stop)
        seconds = self._ask("s3:GetObject", self._world.profile.s3_get)
        self._world.time.sleep(seconds * _READ_AT)
        data = self._store.get(key)
        rest = seconds * (1 - _READ_AT)
        if data is not None:
            data = data[start:stop]
            rest = max(
                self._host.download(len(data), rest),
                rest + len(data) / self._world.profile.stream_rate,
            )
        self._world.time.sleep(rest)
        return data

    def list(self, prefix: str) -> Sequence[str]:
        """Return all keys that begin with `prefix`, one page after the other."""
        seconds = self._ask("s3:GetObject", self._world.profile.s3_list)
        self._world.time.sleep(seconds * _READ_AT)
        keys = self._store.list(prefix)
        rest = seconds * (1 - _READ_AT)
        for _ in range(S3_LIST_PAGE, len(keys), S3_LIST_PAGE):
            rest += self._ask("s3:GetObject", self._world.profile.s3_list)
        self._world.time.sleep(rest)
        return keys

    def delete(self, keys: Sequence[str]) -> None:
        """Remove the keys, a thousand in a request."""
        batches = -(-len(keys) // S3_MAX_DELETE)
        if not batches:
            return
        latency = self._world.profile.s3_delete
        self._world.time.sleep(
            max(self._ask("s3:PutObject", latency) for _ in range(batches))
        )
        for key in keys:
            self._store.delete(key)

    def _write(self, nbytes: int) -> None:
        """Let the time of a put pass."""
        seconds = self._ask("s3:PutObject", self._world.profile.s3_put)
        stream = nbytes / self._world.profile.stream_rate
        self._world.time.sleep(seconds + max(self._host.upload(nbytes), stream))

    def _ask(self, operation: str, latency: Latency) -> float:
        """Make a request; return in how many seconds its answer begins."""
        made = _prepare(self._host)
        return made + self._world.hold_up(operation) + self._world.chances.draw(latency)
