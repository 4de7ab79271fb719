"""How far a job has come: told by a rank, shown by whoever started it."""

import time
from collections.abc import Callable
from contextvars import ContextVar

Reporter = Callable[[int, int], None]
_EVERY = 0.2  # seconds between two reports: each is a queue message


def ignore_progress(done: int, total: int) -> None:
    """Do nothing with a report."""
    del done, total


_reporter: ContextVar[Reporter] = ContextVar("reporter", default=ignore_progress)


def report_progress(done: int, total: int) -> None:
    """Say that `done` of `total` parts are done; cheap enough for an inner loop.

    Does nothing unless this is a rank's thread and somebody watches, as the command
    line does on a terminal.

    >>> report_progress(1, 2)
    """
    _reporter.get()(done, total)


def set_reporter(reporter: Reporter) -> None:
    """Have the reports of this thread go to `reporter`, at most a few a second."""
    _reporter.set(_sparse(reporter))


def _sparse(reporter: Reporter) -> Reporter:
    next_time = 0.0

    def report(done: int, total: int) -> None:
        nonlocal next_time
        now = time.monotonic()
        if now >= next_time or done == total:
            next_time = now + _EVERY
            reporter(done, total)

    return report
