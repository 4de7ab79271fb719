"""Locks and conditions among strands."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Condition
from typing import Any

from serverless_dist.cloud.services import RLock
from serverless_dist.cloud.virtual.strands import Scheduler, Strand, Waiter


class VirtualCondition(Condition):
    """A condition in virtual time; a lock that may be held while its holder waits.

    Parameters
    ----------
    time
        Whose strands use it.
    lock
        The lock to give up in a wait; None: a lock of its own.
    """

    def __init__(self, time: Scheduler, lock: RLock | None = None) -> None:
        self._virtual = time
        self._outer = lock
        self._owner: Strand | None = None
        self._depth = 0
        self._queue: deque[Waiter] = deque()
        self._sleepers: deque[Waiter] = deque()

    def __repr__(self) -> str:
        return f"<VirtualCondition: {len(self._sleepers)} wait>"

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002
        """Take the lock, when nobody else has it."""
        if self._outer is not None:
            return bool(self._outer.acquire())
        strand = self._virtual.current
        until = None if timeout < 0 else self._virtual.now() + timeout
        while self._depth and self._owner is not strand:
            left = None if until is None else until - self._virtual.now()
            if not blocking or (left is not None and left <= 0):
                return False
            waiter = self._virtual.waiter()
            self._queue.append(waiter)
            waiter.wait(left, "a lock")
        self._owner = strand
        self._depth += 1
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._outer is not None:
            self._outer.release()
            return
        self._check_held()
        self._depth -= 1
        if self._depth == 0:
            self._owner = None
            while self._queue and not self._queue.popleft().wake():
                pass

    def wait(self, timeout: float | None = None) -> bool:
        """Give the lock up until notified, or for `timeout` seconds."""
        waiter = self._virtual.waiter()
        self._sleepers.append(waiter)
        depth = self._give_up()
        try:
            return waiter.wait(timeout, "a condition")
        finally:
            self._take_back(depth)
            with suppress(ValueError):  # whoever has notified in vain has removed it
                self._sleepers.remove(waiter)

    def wait_for(
        self, predicate: Callable[[], Any], timeout: float | None = None
    ) -> Any:
        """Wait until `predicate` holds, or for `timeout` seconds; return what it is."""
        until = None if timeout is None else self._virtual.now() + timeout
        while not (result := predicate()):
            left = None if until is None else until - self._virtual.now()
            if left is not None and left <= 0:
                break
            self.wait(left)
        return result

    def notify(self, n: int = 1) -> None:
        """Let `n` of those who wait go on."""
        self._check_held()
        while n > 0 and self._sleepers:
            n -= self._sleepers.popleft().wake()

    def notify_all(self) -> None:
        """Let all who wait go on."""
        self.notify(len(self._sleepers))

    def _check_held(self) -> None:
        if self._outer is not None or self._virtual.is_closed:
            return
        if not self._depth or self._owner is not self._virtual.current:
            msg = "a condition is used by a strand that does not hold it"
            raise RuntimeError(msg)

    def _give_up(self) -> int:
        if self._outer is not None:
            self._outer.release()
            return 1
        depth, self._depth = self._depth, 1
        self.release()
        return depth

    def _take_back(self, depth: int) -> None:
        if not self._virtual.is_closed:
            self.acquire()
            if self._outer is None:
                self._depth = depth
