"""Where a rank's time goes: sending, waiting, and the rest, which is computing."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PhaseTimes:
    """Seconds that a rank has spent communicating.

    Attributes
    ----------
    send
        Handing messages to the transport.
    wait
        Waiting for messages.
    """

    send: float
    wait: float


class Stopwatch:
    """Adds up the seconds of each phase; a send within a wait counts as a send.

    It is read at the start of a phase and told at its end: a context manager would
    cost as much as what it measures.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._send = 0.0
        self._wait = 0.0

    @property
    def times(self) -> PhaseTimes:
        """What has been measured so far."""
        return PhaseTimes(self._send, self._wait)

    def start(self) -> float:
        """Return what `sent` or `waited` needs at the end of a phase."""
        return self._clock() - self._send

    def sent(self, started: float) -> None:
        """Count the time since `start` as sending."""
        self._send += self._clock() - self._send - started

    def waited(self, started: float) -> None:
        """Count the time since `start` as waiting, without the sends in it."""
        self._wait += self._clock() - self._send - started
