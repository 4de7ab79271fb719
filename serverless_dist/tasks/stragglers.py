"""When an attempt takes so long that a second copy is worth starting. Pure.

An attempt is late when it runs for more than twice the median of those of the same code
that have ended: copies of the few slowest tasks shorten a job's tail at little cost
(backup tasks: Dean and Ghemawat, MapReduce, OSDI 2004).
"""

from bisect import bisect_left, insort
from collections import defaultdict, deque

_REMEMBERED = 64  # durations of one code: the last ones
_FEWEST = 3  # before so many have ended, nothing is late
_TIMES_MEDIAN = 2.0
_SHORTEST = 0.05  # seconds; a copy of something shorter gains nothing


class _Durations:
    """The last durations of one code: in the order in which they came, and sorted."""

    __slots__ = ("in_order", "sorted")

    def __init__(self) -> None:
        self.in_order: deque[float] = deque()
        self.sorted: list[float] = []

    def add(self, seconds: float) -> None:
        if len(self.in_order) == _REMEMBERED:
            del self.sorted[bisect_left(self.sorted, self.in_order.popleft())]
        self.in_order.append(seconds)
        insort(self.sorted, seconds)

    def median(self) -> float:
        middle = len(self.sorted) // 2
        return (self.sorted[middle] + self.sorted[~middle]) / 2


class Stragglers:
    """How long attempts take, by the digest of their code.

    >>> stragglers = Stragglers()
    >>> for seconds in (1.0, 9.0, 2.0):
    ...     stragglers.finished(b"code", seconds)
    >>> stragglers.when_late(b"code")
    4.0
    """

    def __init__(self) -> None:
        self._durations: defaultdict[bytes, _Durations] = defaultdict(_Durations)

    def __repr__(self) -> str:
        return f"<Stragglers {len(self._durations)} codes>"

    def finished(self, code: bytes, seconds: float) -> None:
        """Learn how long an attempt has taken."""
        self._durations[code].add(seconds)

    def when_late(self, code: bytes) -> float | None:
        """Return the seconds after which an attempt is late; None: nobody knows yet."""
        found = self._durations.get(code)
        if found is None or len(found.sorted) < _FEWEST:
            return None
        return max(_TIMES_MEDIAN * found.median(), _SHORTEST)
