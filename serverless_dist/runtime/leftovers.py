"""What a part of a job leaves behind in its environment, which others use after it.

What can be put back is: the working directory, variables, handlers of signals, timers,
limits. Threads and child processes that go on cannot; then the environment has to end.
What a part has changed in modules that stay loaded is its own affair.
"""

import os
import signal
import sys
import threading
from contextlib import suppress

_OURS = "serverless_dist"  # what the names of this package's threads begin with
_SIGNALS = tuple(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


class Leftovers:
    """Remembers how things are, to be put back by `remove`."""

    def __init__(self) -> None:
        self._directory = os.getcwd()
        self._variables = dict(os.environ)
        self._arguments = list(sys.argv)
        self._depth = sys.getrecursionlimit()
        self._handlers = {each: signal.getsignal(each) for each in _SIGNALS}
        self._threads = set(threading.enumerate())

    def remove(self) -> str:
        """Put back what can be, and return in words what cannot; empty: nothing."""
        os.chdir(self._directory)
        if dict(os.environ) != self._variables:
            os.environ.clear()
            os.environ.update(self._variables)
        sys.argv[:] = self._arguments
        sys.setrecursionlimit(self._depth)
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, before in self._handlers.items():
            if before is not None and signal.getsignal(number) != before:
                with suppress(OSError, ValueError):
                    signal.signal(number, before)
        left = [self._running_threads(), _running_children()]
        return " and ".join(filter(None, left))

    def _running_threads(self) -> str:
        names = [
            each.name
            for each in set(threading.enumerate()) - self._threads
            if not each.daemon and not each.name.startswith(_OURS)
        ]
        return f"a thread that runs ({min(names)})" if names else ""


def _running_children() -> str:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:  # one that has ended
            pass
        return "a process that runs"
    return ""
