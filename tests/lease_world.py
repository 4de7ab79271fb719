"""Drivers that lease mailboxes, one request at a time, in an order that a test gives.

Each call of a driver is a thread that stops before every request until it is told to
go on. A request may succeed, be refused, lose its answer, or arrive later on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from threading import Condition, Semaphore, Thread, current_thread
from typing import Any, TypeVar

from serverless_dist.cloud import Blobs, Buffer, Chaos, ChaoticBlobs, MemoryBlobs
from serverless_dist.cloud.lease_search import LeaseSearch
from serverless_dist.cloud.lease_table import PREFIX, TABLE_KEY, LeaseEntry
from serverless_dist.cloud.lease_tenure import Tenure
from serverless_dist.cloud.leases import Lease, acquire
from serverless_dist.cloud.lifeline import LEASE_SECONDS, TAKEN
from serverless_dist.errors import CloudError
from serverless_dist.testing.clock import HandClock
from tests.watched import until

T = TypeVar("T")

# A rank sees a renewal up to 2 seconds late, and stops up to 2 seconds late.
RANK_SECONDS = LEASE_SECONDS + 4.0


class Fate(Enum):
    """What becomes of a request."""

    FINE = "fine"
    REFUSED = "refused"
    LOST = "lost"  # the answer; the effect is there
    LATE = "late"  # given up, but it arrives


class Crash(BaseException):
    """Ends the call of a driver that has died."""


class Call(Thread):
    """A call that makes a request only when it is told to."""

    def __init__(self, function: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._function = function
        self._turn, self._back = Semaphore(0), Semaphore(0)
        self._is_crashed = False
        self._fate = Fate.FINE
        self.is_done = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.start()
        self._back.acquire()  # it stands before its first request, or is done

    def step(self, fate: Fate = Fate.FINE) -> None:
        self._fate = fate
        self._turn.release()
        self._back.acquire()

    def finish(self) -> None:
        while not self.is_done:
            self.step()

    def crash(self) -> None:
        self._is_crashed = True
        self.finish()

    def pause(self) -> Fate:
        if not self._is_crashed:
            self._back.release()
            self._turn.acquire()
        if self._is_crashed:
            raise Crash
        return self._fate

    def run(self) -> None:
        try:
            self.result = self._function()
        except (CloudError, Crash) as error:
            self.error = error
        finally:
            self.is_done = True
            self._back.release()


class World:
    """An object store, the time, and what is still on its way."""

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self.memory = MemoryBlobs()
        self.chaotic = ChaoticBlobs(self.memory, seed=seed, chaos=Chaos(fail=0.2))
        self.late: list[Callable[[], object]] = []
        self.changes: dict[str, float] = {}  # when lifelines were renewed last

    def note(self, before: dict[str, bytes | None]) -> None:
        for key, content in self.lifelines().items():
            if content not in (before.get(key), TAKEN):
                self.changes[key] = self.now

    def lifelines(self) -> dict[str, bytes | None]:
        keys = self.memory.list(PREFIX)
        return {key: self.memory.get(key) for key in keys if key != TABLE_KEY}

    def apply(self, effect: Callable[[], T]) -> T:
        before = self.lifelines()
        result = effect()
        self.note(before)
        return result

    def ask(self, effect: Callable[[], T]) -> T:
        """Make a request whose fate the test decides."""
        call = current_thread()
        assert isinstance(call, Call)
        fate = call.pause()
        if fate is Fate.LATE:
            self.late.append(effect)
        if fate in (Fate.LATE, Fate.REFUSED):
            msg = "no answer"
            raise CloudError(msg, retryable=True)
        result = self.apply(effect)
        if fate is Fate.LOST:
            msg = "the answer was lost"
            raise CloudError(msg, retryable=True)
        return result

    # What a driver sees of the object store.

    def put(self, key: str, data: Buffer, *, if_absent: bool = False) -> bool:
        raise NotImplementedError

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> bytes | None:
        return self.ask(partial(self.chaotic.get, key, start=start, stop=stop))

    def swap(self, key: str, old: Buffer | None, new: Buffer) -> bool:
        return self.ask(partial(self.chaotic.swap, key, old, new))

    def list(self, prefix: str) -> Sequence[str]:
        return self.ask(partial(self.chaotic.list, prefix))

    def delete(self, keys: Sequence[str]) -> None:
        self.ask(partial(self.chaotic.delete, keys))


class OwnClock(HandClock):
    """A clock that starts at some time and goes at some speed."""

    def __init__(self, world: World, start: float, speed: float) -> None:
        super().__init__()
        self._world, self._offset, self._speed = world, start, speed

    def now(self) -> float:
        return self._offset + self._world.now * self._speed


@dataclass
class Driver:
    """One driver: what it looks for, what it has, and what it is about to do."""

    world: World
    clock: OwnClock
    mailboxes: int
    count: int
    name: str
    tenure: Tenure | None = None
    is_alive: bool = True
    is_stopping: bool = False
    is_vacant: bool = False
    calls: list[Call] = field(default_factory=list)
    renewal: Call | None = None

    def __post_init__(self) -> None:
        self.search = LeaseSearch(
            self.world,
            self.clock,
            mailboxes=self.mailboxes,
            count=self.count,
            holder=self.name,
        )

    def begin(self, function: Callable[[], Any]) -> Call:
        call = Call(function)
        self.calls.append(call)
        return call

    def settle(self) -> None:
        """Take the results of calls that are done."""
        for call in [call for call in self.calls if call.is_done]:
            self.calls.remove(call)
            if isinstance(call.result, Tenure):
                self.tenure = call.result

    def crash(self) -> None:
        self.is_alive = False
        for call in self.calls:
            call.crash()
        self.calls.clear()

    def is_user(self) -> bool:
        """Whether it, or one of its ranks, may use its mailboxes."""
        if self.tenure is None or self.is_vacant:
            return False
        believes = self.is_alive and not self.is_stopping and not self.tenure.is_lost
        changed = self.world.changes[self.tenure.key]
        return believes or self.world.now < changed + RANK_SECONDS

    def taken(self) -> set[int]:
        assert self.tenure is not None
        entry = self.tenure.entry
        return set(range(entry.first, entry.first + entry.count))


class SteppedClock(HandClock):
    """Sleeps jump; a wait ends when the test has let enough time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: Condition | None = None

    def wait(self, condition: Condition, seconds: float) -> None:
        self.waiting = condition
        condition.wait()
        self.waiting = None

    def pass_by(self, seconds: float) -> None:
        """Let time pass when the thread waits, and return when it waits again."""
        until(lambda: self.waiting is not None)
        condition = self.waiting
        assert condition is not None
        with condition:
            self.advance(seconds)
            self.waiting = None
            condition.notify_all()


def entry(first: int, count: int, name: str = "somebody") -> LeaseEntry:
    return LeaseEntry(f"{first}", first, count, name)


def lease(
    blobs: Blobs, clock: HandClock, count: int = 3, wait: float = 0.0, of: int = 8
) -> Lease:
    return acquire(
        blobs, mailboxes=of, count=count, holder="Ada", wait=wait, clock=clock
    )
