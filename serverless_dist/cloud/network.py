"""What holds up requests and bytes: a function's network, a service's rate."""


class Link:
    """One direction of a function's network: a burst, then a steady rate.

    Bytes go one after the other. So many of them go at the rate of the burst; what is
    left of that grows again while nothing goes, up to half, at the steady rate.

    Parameters
    ----------
    burst_bytes
        The bytes of the burst.
    burst_rate, rate
        Bytes a second in the burst, and after it.

    Examples
    --------
    >>> link = Link(burst_bytes=100.0, burst_rate=100.0, rate=10.0)
    >>> link.pass_on(100, now=0.0), link.pass_on(10, now=1.0)
    (1.0, 1.0)
    """

    __slots__ = ("_burst_rate", "_free", "_half", "_level", "_rate")

    def __init__(self, *, burst_bytes: float, burst_rate: float, rate: float) -> None:
        self._level = burst_bytes
        self._half = burst_bytes / 2
        self._burst_rate = burst_rate
        self._rate = rate
        self._free = 0.0  # when all that was given to it will have gone

    def pass_on(self, nbytes: float, now: float) -> float:
        """Return in how many seconds `nbytes` more will have gone."""
        begin = max(now, self._free)
        if self._level < self._half:
            grown = self._level + (begin - self._free) * self._rate
            self._level = min(self._half, grown)
        quick = min(nbytes, self._level)
        self._level -= quick
        self._free = begin + quick / self._burst_rate + (nbytes - quick) / self._rate
        return self._free - now


class Quota:
    """A service that takes so many requests a second, and as many at once.

    >>> quota = Quota(2.0)
    >>> [quota.delay(now=0.0) for _ in range(4)]
    [0.0, 0.0, 0.5, 1.0]
    """

    __slots__ = ("_burst", "_rate", "_until")

    def __init__(self, rate: float, burst: float | None = None) -> None:
        self._rate = rate
        self._burst = rate if burst is None else burst
        self._until = -self._burst / rate  # when all that came would have been taken

    def delay(self, now: float, count: int = 1) -> float:
        """Return for how many seconds it puts off `count` more requests."""
        earliest = now - self._burst / self._rate
        self._until = max(self._until, earliest) + count / self._rate
        return max(0.0, self._until - now)
