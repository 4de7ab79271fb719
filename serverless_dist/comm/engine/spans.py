"""When a rank did what, in few words. Pure.

1. At any moment a rank does one thing: what is filled in first stays, and a phase that
   encloses others gets the time about them. Threads that overlap do so only in the
   rank's `PhaseTimes`.
2. No more than `most` spans come out. If there are more, neighbouring spans that
   together take no longer than a grain are joined: those of each phase become one, as
   long as all of them, in the order in which the phases came. The grain starts small
   and doubles until they are few enough. So each phase keeps its seconds,
   long spans keep their place, and nothing moves by more than the grain.
"""

from collections.abc import Sequence
from enum import StrEnum
from threading import Lock

MOST = 2_000
_FINEST = 1e-6  # seconds of the first grain
_ROOM = 2  # times as many are kept until they are joined, which takes long


class Phase(StrEnum):
    """What a rank does."""

    BOOT = "boot"  # until it has started and imported what it needs
    LOAD = "load"  # code and data
    COMPUTE = "compute"
    SEND = "send"
    WAIT = "wait"


Span = tuple[Phase, float, float]
"""A phase, and the seconds of its start and stop."""


class Spans:
    """The spans of one rank, filled by any number of threads.

    Parameters
    ----------
    most
        How many there may be; at least one for each phase.

    Examples
    --------
    >>> spans = Spans()
    >>> spans.fill(Phase.SEND, 2.0, 3.0)
    >>> spans.fill(Phase.WAIT, 1.0, 4.0)
    >>> [(phase.value, start, stop) for phase, start, stop in spans.taken()]
    [('wait', 1.0, 2.0), ('send', 2.0, 3.0), ('wait', 3.0, 4.0)]
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = Lock()
        self._spans: list[Span] = []
        self._grain = _FINEST

    def __repr__(self) -> str:
        return f"<Spans: {len(self._spans)}, to {self._grain:.0e} s>"

    def fill(self, phase: Phase, start: float, stop: float) -> None:
        """Say that the time from `start` to `stop` was `phase` where nothing else was.

        Those who fill come in the order of their `stop`.
        """
        with self._lock:
            spans = self._spans
            first = len(spans)
            while first and spans[first - 1][2] > start:
                first -= 1
            later = spans[first:]
            del spans[first:]
            for span in later:
                if start < min(span[1], stop):
                    spans.append((phase, start, min(span[1], stop)))
                spans.append(span)
                start = span[2]
            if start < stop:
                spans.append((phase, start, stop))
            if len(spans) > _ROOM * self._most:
                self._shorten()

    def taken(self) -> Sequence[Span]:
        """Return the spans so far, in order and without overlaps."""
        with self._lock:
            if len(self._spans) > self._most:
                self._shorten()
            return tuple(self._spans)

    def _shorten(self) -> None:
        spans = _joined(self._spans, self._grain)
        while len(spans) > self._most:
            self._grain *= 2
            spans = _joined(self._spans, self._grain)
        self._spans = spans


def _joined(spans: Sequence[Span], grain: float) -> list[Span]:
    """Return the spans with neighbours joined that take no more than `grain`."""
    joined: list[Span] = []
    seconds: dict[Phase, float] = {}
    began = 0.0
    for phase, start, stop in spans:
        if seconds and stop - began > grain:
            joined += _laid(began, seconds)
            seconds = {}
        if not seconds:
            began = start
        seconds[phase] = seconds.get(phase, 0.0) + stop - start
    return joined + _laid(began, seconds)


def _laid(began: float, seconds: dict[Phase, float]) -> list[Span]:
    """Return one span for each phase, one after the other."""
    spans = []
    for phase, length in seconds.items():
        spans.append((phase, began, began + length))
        began += length
    return spans
