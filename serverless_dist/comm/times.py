"""Where a rank's time goes: sending, waiting, and the rest, which is computing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PhaseTimes:
    """Seconds that a rank has spent communicating.

    Attributes
    ----------
    send
        Encoding objects and handing them to the transport.
    wait
        Waiting for messages and decoding them.
    """

    send: float
    wait: float


class Stopwatch:
    """Adds up the seconds of each phase; phases do not nest."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._send = 0.0
        self._wait = 0.0

    @property
    def times(self) -> PhaseTimes:
        """What has been measured so far."""
        return PhaseTimes(self._send, self._wait)

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Count the block as sending."""
        started = self._clock()
        try:
            yield
        finally:
            self._send += self._clock() - started

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the block as waiting."""
        started = self._clock()
        try:
            yield
        finally:
            self._wait += self._clock() - started
