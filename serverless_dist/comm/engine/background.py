"""A thread that waits for what a rank has started, while the rank computes."""

from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Protocol

from serverless_dist.cloud.services import Clock, Work
from serverless_dist.errors import ServerlessDistError

_MOMENT = 1e-3  # seconds; many times what a small collective call takes


class Pending(Protocol):
    """What a thread can wait for."""

    @property
    def is_done(self) -> bool:
        """Whether the wait is over."""
        ...

    def sources(self) -> Collection[int]:
        """Return the ranks of the job whose messages would end it; empty: any."""
        ...

    def describe(self) -> str:
        """Return what it waits for: "for tag 7 from rank 0"."""
        ...


class Background:
    """Waits for one thing after the other, in a thread that the first one starts.

    Whoever waits for one thing moves all of them on, so one after the other will do.
    Most things are waited for as soon as they have begun, or are done in no time; then
    a second thread only gets in the way. So each is left alone for a moment first.

    Parameters
    ----------
    wait
        Returns when what it is given is done.
    tell
        Lets a `wait` look again whether it is done.
    clock
        What the thread waits by.
    """

    def __init__(
        self,
        wait: Callable[[Pending], None],
        tell: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._wait = wait
        self._tell = tell
        self._clock = clock
        self._changed = clock.condition()
        self._tasks: deque[tuple[float, Pending]] = deque()
        self._thread: Work | None = None
        self._is_idle = False  # the thread sleeps until it is told of a task
        self._is_closed = False

    def add(self, pending: Pending) -> None:
        """See to it that `pending` gets done."""
        with self._changed:
            self._tasks.append((self._clock.now() + _MOMENT, pending))
            if self._is_idle:
                self._is_idle = False
                self._changed.notify()
            if self._thread is None:
                self._thread = self._clock.start(
                    self._run, "serverless_dist collectives"
                )

    def close(self) -> None:
        """Stop, whatever is left to be done."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread is not None:
            self._tell()
            self._thread.join()

    def _run(self) -> None:
        while (pending := self._next()) is not None:
            # Who waits for the same in the rank's own thread is told what is wrong.
            with suppress(ServerlessDistError):
                self._wait(_UntilClosed(pending, lambda: self._is_closed))

    def _next(self) -> Pending | None:
        """Return a task that nobody has done in its moment; None: the end."""
        with self._changed:
            while not self._is_closed:
                if not self._tasks:
                    self._is_idle = True
                    self._changed.wait()
                    continue
                due, pending = self._tasks[0]
                left = due - self._clock.now()
                if pending.is_done or left <= 0:
                    self._tasks.popleft()
                    if not pending.is_done:
                        return pending
                else:
                    self._changed.wait(left)
        return None


class _UntilClosed:
    """Something to wait for, or the end."""

    def __init__(self, pending: Pending, is_closed: Callable[[], bool]) -> None:
        self._pending = pending
        self._is_closed = is_closed
        self.sources = pending.sources
        self.describe = pending.describe

    @property
    def is_done(self) -> bool:
        return self._pending.is_done or self._is_closed()
