"""Wrappers that make a cloud as bad as its contract allows, by a seed.

What happens, and what the caller may see of it:

1. *duplicate*: a body is stored twice, for one mailbox of an entry at a time.
2. *delay*: a received body is held back and given by a later receive; never lost,
   since a receive that has nothing else gives what is held back.
3. *redeliver*: a body that was given is given once more by a later receive, even
   after its delete. The receipt of such a copy deletes nothing.
4. *fail*: the answer to a request got lost and the request is repeated, below the
   seam, as rule 5 of `services` wants it: the effect happens twice and the caller
   sees one success. (A receive whose answer got lost looks like a delay.)
5. Always: bodies change their order, in a send and in a receive.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import count
from random import Random
from threading import Lock
from typing import TypeVar

from serverless_dist.cloud.services import (
    Blobs,
    Buffer,
    Cloud,
    Delivery,
    Entry,
    Queue,
    Topic,
)
from serverless_dist.cloud.wrapped import WrappedCloud
from serverless_dist.errors import UsageError

T = TypeVar("T")

_COPY = "chaotic-copy-"  # begins the receipts of redelivered copies


@dataclass(frozen=True, slots=True)
class Chaos:
    """The probabilities of what goes wrong, from 0 (never) to 1 (always)."""

    duplicate: float = 0.1
    """That a sent or published body is stored twice."""
    delay: float = 0.1
    """That a body is held back, in each receive that could give it."""
    redeliver: float = 0.05
    """That a given body is given once more."""
    fail: float = 0.05
    """That a request's answer is lost and the request repeated."""

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if not 0 <= value <= 1:
                msg = f"Chaos({one.name}={value}): a probability is from 0 to 1"
                raise UsageError(msg)


class _Dice:
    """Seeded random decisions; thread-safe."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._lock = Lock()

    def falls(self, probability: float) -> bool:
        """Return True with this probability."""
        with self._lock:
            return self._random.random() < probability

    def some(self, items: Iterable[T], probability: float) -> list[T]:
        """Return each item with this probability."""
        with self._lock:
            return [item for item in items if self._random.random() < probability]

    def shuffled(self, items: Iterable[T]) -> list[T]:
        """Return the items in another order."""
        result = list(items)
        with self._lock:
            self._random.shuffle(result)
        return result


class ChaoticQueue:
    """A queue that does its worst.

    Parameters
    ----------
    queue
        The queue underneath, which keeps the bodies.
    seed
        Decides what goes wrong and when.
    chaos
        How often things go wrong.
    """

    def __init__(self, queue: Queue, *, seed: int, chaos: Chaos | None = None) -> None:
        self._queue = queue
        self._chaos = Chaos() if chaos is None else chaos
        self._dice = _Dice(seed)
        self._copies = count()
        self._held: list[Delivery] = []
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"<ChaoticQueue {len(self._held)} held back, of {self._queue!r}>"

    @property
    def max_body(self) -> int:
        """The largest body in bytes that `send` accepts."""
        return self._queue.max_body

    def send(self, bodies: Sequence[Buffer]) -> None:
        """Send in any order, some of the bodies twice, and maybe all of it twice."""
        twice = self._dice.some(bodies, self._chaos.duplicate)
        self._queue.send(self._dice.shuffled([*bodies, *twice]))
        if self._dice.falls(self._chaos.fail):
            self._queue.send(bodies)

    def receive(self, limit: int, wait: float) -> list[Delivery]:
        """Return up to `limit` of the bodies that came now or were held back."""
        with self._lock:
            holding = bool(self._held)
        came = self._queue.receive(limit, 0.0 if holding else wait)
        with self._lock:
            return self._deal(came, limit)

    def delete(self, receipts: Sequence[str]) -> None:
        """Delete, maybe twice; the receipts of redelivered copies do nothing."""
        known = [receipt for receipt in receipts if not receipt.startswith(_COPY)]
        self._queue.delete(known)
        if self._dice.falls(self._chaos.fail):
            self._queue.delete(known)

    def _deal(self, came: Sequence[Delivery], limit: int) -> list[Delivery]:
        """Choose what to give, and hold back the rest."""
        there = self._dice.shuffled([*self._held, *came])
        punctual = self._dice.some(there, 1 - self._chaos.delay) or there
        given = punctual[:limit]
        receipts = {delivery.receipt for delivery in given}
        self._held = [one for one in there if one.receipt not in receipts]
        self._held += [
            Delivery(delivery.body, f"{_COPY}{next(self._copies)}")
            for delivery in self._dice.some(given, self._chaos.redeliver)
            if not delivery.receipt.startswith(_COPY)
        ]
        return given


class ChaoticTopic:
    """A topic that does its worst.

    Parameters
    ----------
    topic
        The topic underneath.
    seed
        Decides what goes wrong and when.
    chaos
        How often things go wrong.
    """

    def __init__(self, topic: Topic, *, seed: int, chaos: Chaos | None = None) -> None:
        self._topic = topic
        self._chaos = Chaos() if chaos is None else chaos
        self._dice = _Dice(seed)

    def __repr__(self) -> str:
        return f"<ChaoticTopic of {self._topic!r}>"

    @property
    def max_body(self) -> int:
        """The largest body in bytes that `publish` accepts."""
        return self._topic.max_body

    def publish(self, entries: Sequence[Entry]) -> None:
        """Publish in any order, some deliveries twice, and maybe all of it twice."""
        single = [Entry(e.body, (target,)) for e in entries for target in e.targets]
        twice = self._dice.some(single, self._chaos.duplicate)
        self._topic.publish(self._dice.shuffled([*entries, *twice]))
        if self._dice.falls(self._chaos.fail):
            self._topic.publish(entries)


class ChaoticBlobs:
    """An object store whose writes may happen twice; it stays consistent.

    Parameters
    ----------
    blobs
        The object store underneath.
    seed
        Decides what goes wrong and when.
    chaos
        How often things go wrong: only `fail` applies.
    """

    def __init__(self, blobs: Blobs, *, seed: int, chaos: Chaos | None = None) -> None:
        self._blobs = blobs
        self._chaos = Chaos() if chaos is None else chaos
        self._dice = _Dice(seed)

    def __repr__(self) -> str:
        return f"<ChaoticBlobs of {self._blobs!r}>"

    def put(self, key: str, data: Buffer, *, if_absent: bool = False) -> bool:
        """Put, maybe twice, and return the first answer.

        S3 answers the repetition of a conditional put with "is there already",
        though it was ours. The contract wants to know who stored the key, so an
        implementation that repeats must find out, and this one does.
        """
        stored = self._blobs.put(key, data, if_absent=if_absent)
        if self._dice.falls(self._chaos.fail):
            self._blobs.put(key, data, if_absent=if_absent)
        return stored

    def swap(self, key: str, old: Buffer | None, new: Buffer) -> bool:
        """Swap, maybe twice, and return the first answer, as `put` does."""
        swapped = self._blobs.swap(key, old, new)
        if self._dice.falls(self._chaos.fail):
            self._blobs.swap(key, old, new)
        return swapped

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> bytes | None:
        """Return what the store underneath has."""
        return self._blobs.get(key, start=start, stop=stop)

    def list(self, prefix: str) -> Sequence[str]:
        """Return what the store underneath lists."""
        return self._blobs.list(prefix)

    def delete(self, keys: Sequence[str]) -> None:
        """Delete, maybe twice."""
        self._blobs.delete(keys)
        if self._dice.falls(self._chaos.fail):
            self._blobs.delete(keys)


class ChaoticCloud(WrappedCloud):
    """A cloud whose services do their worst.

    Parameters
    ----------
    cloud
        The cloud underneath.
    seed
        Decides what goes wrong and when; each service has its own share of it.
    chaos
        How often things go wrong.
    """

    def __init__(self, cloud: Cloud, *, seed: int, chaos: Chaos | None = None) -> None:
        seeds = Random(seed)
        super().__init__(
            cloud,
            mailboxes=[
                ChaoticQueue(mailbox, seed=seeds.getrandbits(64), chaos=chaos)
                for mailbox in cloud.mailboxes
            ],
            topic=ChaoticTopic(cloud.topic, seed=seeds.getrandbits(64), chaos=chaos),
            blobs=ChaoticBlobs(cloud.blobs, seed=seeds.getrandbits(64), chaos=chaos),
        )
