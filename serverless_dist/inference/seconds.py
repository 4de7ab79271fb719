"""Where the time of a rank goes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum


class Phase(StrEnum):
    """A kind of work; together they are all that inference does."""

    LOAD = "load"  # read or generate the rows of the network, and the inputs
    COMPUTE = "compute"
    PACK = "pack"  # rows to bytes
    EXCHANGE = "exchange"  # send, and wait for the others
    UNPACK = "unpack"


class Stopwatch:
    """Adds up the seconds of each phase; phases do not nest."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._spent = dict.fromkeys(Phase, 0.0)

    @property
    def seconds(self) -> Mapping[Phase, float]:
        """What has been measured so far, as a copy of its own."""
        return dict(self._spent)

    @contextmanager
    def count(self, phase: Phase) -> Iterator[None]:
        """Add the seconds that the block takes to `phase`."""
        started = self._clock()
        try:
            yield
        finally:
            self._spent[phase] += self._clock() - started
