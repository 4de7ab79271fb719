"""A thread that waits for what a rank has started, while the rank computes."""

import queue
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Protocol

from serverless_dist.errors import ServerlessDistError


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

    Parameters
    ----------
    wait
        Returns when what it is given is done.
    tell
        Lets a `wait` look again whether it is done.
    """

    def __init__(
        self, wait: Callable[[Pending], None], tell: Callable[[], None]
    ) -> None:
        self._wait = wait
        self._tell = tell
        self._tasks: queue.SimpleQueue[Pending | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def add(self, pending: Pending) -> None:
        """See to it that `pending` gets done."""
        self._tasks.put(_UntilClosed(pending, lambda: self._is_closed))
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name="collectives", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """Stop, whatever is left to be done."""
        self._is_closed = True
        if self._thread is not None:
            self._tasks.put(None)
            self._tell()
            self._thread.join()

    def _run(self) -> None:
        for pending in iter(self._tasks.get, None):
            # Who waits for the same in the rank's own thread is told what is wrong.
            with suppress(ServerlessDistError):
                self._wait(pending)


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
