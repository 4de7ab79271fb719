"""What belongs to the process that a rank is; or to a rank that shares one with others.

A script names `MPI.COMM_WORLD`, so the process has to know it: this is the package's
only process-wide state. Ranks that are simulated share one process, and take places of
their own. A place goes with the context (see `contextvars`) of whoever has taken it.
"""

import math
import sys
import time
from collections.abc import Callable
from contextvars import ContextVar
from types import ModuleType
from typing import Any

from serverless_dist.errors import UsageError

Clock = Callable[[], float]


def _go_on(seconds: float) -> None:
    """Do nothing: what is real takes its own time."""
    del seconds


def _set_main(module: ModuleType) -> None:
    sys.modules["__main__"] = module


class Place:
    """Where a rank is.

    Attributes
    ----------
    communicators
        `COMM_WORLD` and `COMM_SELF`, once somebody has asked for them.
    abort
        What ends the rank's whole job; None: nobody has set it.
    clock
        What `MPI.Wtime` returns.
    pass_time
        Lets a simulated rank's time pass.
    set_main
        Has `__main__` be a module while the rank runs.
    """

    def __init__(
        self,
        *,
        clock: Clock = time.perf_counter,
        pass_time: Callable[[float], None] = _go_on,
        set_main: Callable[[ModuleType], None] = _set_main,
    ) -> None:
        self.communicators: dict[str, Any] = {}
        self.abort: Callable[[int], Any] | None = None
        self.clock = clock
        self.pass_time = pass_time
        self.set_main = set_main


_process = Place()
_taken: ContextVar[Place | None] = ContextVar("place", default=None)


def here() -> Place:
    """Return the place of this context; that of the process, if none was taken."""
    taken = _taken.get()
    return _process if taken is None else taken


def take_place(place: Place) -> None:
    """Have this context, and those copied from it, be in a place of their own."""
    _taken.set(place)


def compute_for(seconds: float) -> None:
    """Let a simulated rank's time go by as if it had computed for so long.

    Elsewhere this does nothing. It is for ranks whose computing is given, not measured.

    >>> compute_for(3_600.0)
    """
    if not 0 <= seconds < math.inf:
        msg = f"cannot compute for {seconds!r} s: give a number from 0 on"
        raise UsageError(msg)
    here().pass_time(seconds)
