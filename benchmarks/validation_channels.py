"""How FSD-Inference's workers send and receive: through SNS and SQS, or through S3."""

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np
from validation_effort import PUBLISHED_BYTE, Effort
from validation_rows import LAYERS
from validation_workload import MAX_BYTES, MAX_ENTRIES, Exchange

from serverless_dist.cloud.meter import Meter
from serverless_dist.cloud.metered import MeteredBlobs, MeteredQueue, MeteredTopic
from serverless_dist.cloud.services import Delivery, Entry, Queue
from serverless_dist.cloud.simulated import Machine
from serverless_dist.cloud.simulated.mailbox import Mailbox

LONG_POLL = 1.0  # seconds
LIST_EVERY = 0.1  # seconds
HEADER = struct.Struct("<hhhh")  # stage, source, number of the message, of how many


@dataclass(frozen=True, slots=True)
class Job:
    """What all workers of a replay share.

    Attributes
    ----------
    workers
        How many there are.
    effort
        What their code costs.
    exchanges
        What is sent, by layer.
    meters
        What counts the requests, by layer.
    received
        How many messages have come, by layer.
    """

    workers: int
    effort: Effort
    exchanges: Sequence[Exchange]
    meters: Sequence[Meter]
    received: Counter[int] = field(default_factory=Counter)


class Channel(Protocol):
    """How a worker sends and receives."""

    def send(self, layer: int) -> None:
        """Send what others need of me."""
        ...

    def receive(self, layer: int) -> None:
        """Return when all that I need has come and is unpacked."""
        ...

    def meet(self, stage: int) -> None:
        """Return when all workers have got here."""
        ...


class SampledMailbox(Mailbox):
    """A queue of which a poll sees a part; it takes at least one message."""

    __slots__ = ("_generator", "_share")

    def __init__(self, share: float, generator: np.random.Generator) -> None:
        super().__init__()
        self._share = share
        self._generator = generator

    def take(self, limit: int, now: float) -> list[Delivery]:
        """Hide what a poll sees, up to `limit` bodies, and hand it out."""
        seen = int(self._generator.binomial(len(self._visible), self._share))
        return super().take(min(limit, max(1, seen)), now)


class QueueChannel:
    """SNS to SQS: batches that mix targets, long polls, every message deleted."""

    def __init__(self, job: Job, rank: int, machine: Machine) -> None:
        self._job = job
        self._rank = rank
        self._machine = machine
        self._seen: dict[int, Counter[int]] = {}
        self._full: Counter[int] = Counter()
        self._early: Counter[int] = Counter()  # values that came too soon, by layer

    def send(self, layer: int) -> None:
        """Pack all, then publish in batches, one after the other."""
        exchange = self._job.exchanges[layer]
        targets = exchange.targets[self._rank]
        effort = self._job.effort
        self._machine.compute(effort.value * sum(exchange.values) * len(targets))
        bodies = self._bodies(layer, exchange.sizes)
        entries = [
            (Entry(body, (target,)), size)
            for target in targets
            for body, size in zip(bodies, exchange.sizes, strict=True)
        ]
        topic = MeteredTopic(self._machine.topic, self._job.meters[layer])
        for batch, nbytes in cut_batches(entries):
            self._machine.compute(effort.request + nbytes * PUBLISHED_BYTE)
            topic.publish(batch)

    def _bodies(self, layer: int, sizes: tuple[int, ...]) -> list[bytes]:
        """Return messages that are so long once the cloud has made them text."""
        return [
            HEADER.pack(layer, self._rank, number, len(sizes)).ljust(
                size * 3 // 4, b"\0"
            )
            for number, size in enumerate(sizes)
        ]

    def receive(self, layer: int) -> None:
        """Poll until all sources are complete."""
        box = self._machine.mailboxes[self._rank]
        queue = MeteredQueue(box, self._job.meters[layer])
        self._await(queue, layer, self._job.exchanges[layer].sources[self._rank])

    def meet(self, stage: int) -> None:
        """Publish once to all; wait for all."""
        ranks = range(self._job.workers)
        body = HEADER.pack(LAYERS + stage, self._rank, 0, 1)
        self._machine.compute(self._job.effort.request)
        self._machine.topic.publish([Entry(body, tuple(ranks))])
        self._await(self._machine.mailboxes[self._rank], LAYERS + stage, len(ranks))

    def _await(self, queue: Queue, stage: int, sources: int) -> None:
        effort = self._job.effort
        self._machine.compute(effort.value * self._early.pop(stage, 0))
        while self._full[stage] < sources:
            self._machine.compute(effort.request)
            deliveries = queue.receive(MAX_ENTRIES, LONG_POLL)
            values = sum(self._take(each, stage) for each in deliveries)
            self._machine.compute(
                effort.message * len(deliveries) + effort.value * values
            )
            if deliveries:
                self._machine.compute(effort.request)
                self._machine.mailboxes[self._rank].delete(
                    [delivery.receipt for delivery in deliveries]
                )

    def _take(self, delivery: Delivery, stage: int) -> int:
        """Note a message; return how many values to unpack now."""
        found, source, number, count = HEADER.unpack_from(delivery.body)
        seen = self._seen.setdefault(found, Counter())
        before = seen[source]
        seen[source] = before | 1 << number
        if found >= LAYERS:
            self._full[found] += seen[source] != before
            return 0
        self._job.received[found] += 1
        if seen[source] == before:
            return 0
        self._full[found] += seen[source] == (1 << count) - 1
        values: int = self._job.exchanges[found].values[number]
        if found != stage:
            self._early[found] += values
            return 0
        return values


class ObjectChannel:
    """S3: one object for each pair and layer, found by listing."""

    def __init__(self, job: Job, rank: int, machine: Machine) -> None:
        self._job = job
        self._rank = rank
        self._machine = machine

    def send(self, layer: int) -> None:
        """Put an object for each target, side by side."""
        exchange = self._job.exchanges[layer]
        effort = self._job.effort
        body = bytes(sum(exchange.sizes))
        blobs = MeteredBlobs(self._machine.blobs, self._job.meters[layer])
        self._side_by_side(
            (
                partial(blobs.put, f"{target}/{layer}/{self._rank}", body)
                for target in exchange.targets[self._rank]
            ),
            effort.request + effort.value * sum(exchange.values),
        )

    def receive(self, layer: int) -> None:
        """List until all is there; get what is new."""
        exchange = self._job.exchanges[layer]
        effort = self._job.effort
        blobs = MeteredBlobs(self._machine.blobs, self._job.meters[layer])
        seen: set[str] = set()
        while True:
            self._machine.compute(effort.request)
            keys = blobs.list(f"{self._rank}/{layer}/")
            new = [key for key in keys if key not in seen]
            seen.update(new)
            self._side_by_side((partial(blobs.get, k) for k in new), effort.request)
            self._machine.compute(effort.value * sum(exchange.values) * len(new))
            if len(seen) == exchange.sources[self._rank]:
                return
            self._machine.clock.sleep(LIST_EVERY)

    def meet(self, stage: int) -> None:
        """Put a marker; list until all are there."""
        request = self._job.effort.request
        blobs = self._machine.blobs
        self._machine.compute(request)
        blobs.put(f"all/{stage}/{self._rank}", b"")
        while True:
            self._machine.compute(request)
            if len(blobs.list(f"all/{stage}/")) == self._job.workers:
                return
            self._machine.clock.sleep(LIST_EVERY)

    def _side_by_side(
        self, works: Iterable[Callable[[], object]], seconds: float
    ) -> None:
        """Do works in threads of their own, for which the processor is shared."""
        threads = []
        for work in works:
            self._machine.compute(seconds)
            threads.append(self._machine.start(work, "a thread"))
        for thread in threads:
            thread.join()


def cut_batches(
    entries: Iterable[tuple[Entry, int]],
) -> Iterable[tuple[list[Entry], int]]:
    """Cut messages, given with their bytes, into requests as the authors do."""
    batch: list[Entry] = []
    total = 0
    for entry, size in entries:
        if len(batch) == MAX_ENTRIES or (batch and total + size > MAX_BYTES):
            yield batch, total
            batch, total = [], 0
        batch.append(entry)
        total += size
    if batch:
        yield batch, total
