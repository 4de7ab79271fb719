"""What a rank leaves besides its outcome: where its time went, and what it sent."""

import time
from collections.abc import Callable

from serverless_dist.cloud import Usage
from serverless_dist.comm import (
    Endpoint,
    Phase,
    Spans,
    Stopwatch,
    TracingStopwatch,
)
from serverless_dist.runtime.control import Farewell, Phases, Traced
from serverless_dist.transport import Channel

_TICK = 1e-9  # seconds: less is a remainder of what was taken off


class Trail:
    """The trail of one rank.

    Parameters
    ----------
    rank
        Whose it is.
    started
        When the job started, in seconds since the epoch.
    is_traced
        Whether to keep when the rank did what.
    clock, calendar
        Return seconds from any moment on, and since the epoch.

    Attributes
    ----------
    stopwatch
        Measures the rank's phases.
    """

    def __init__(
        self,
        rank: int,
        started: float,
        *,
        is_traced: bool,
        clock: Callable[[], float] = time.monotonic,
        calendar: Callable[[], float] = time.time,
    ) -> None:
        self._rank = rank
        self._clock = clock
        self._origin = clock() - (calendar() - started)  # of the job, by `clock`
        self._spans = Spans() if is_traced else None
        self.stopwatch = (
            Stopwatch(clock)
            if self._spans is None
            else TracingStopwatch(clock, self._spans)
        )
        self._boot = self._began = 0.0
        self._ends: tuple[Endpoint, Channel] | None = None

    def __repr__(self) -> str:
        return f"<Trail of rank {self._rank}, {self.stopwatch.times}>"

    def begin(self, boot: float, endpoint: Endpoint, transport: Channel) -> None:
        """Take note that the rank is there, after `boot` seconds, and how it talks."""
        self._boot = boot
        self._began = self._clock()
        self._ends = endpoint, transport
        if self._spans is not None:
            self._spans.fill(Phase.BOOT, self._began - boot, self._began)

    def end(self) -> Phases:
        """Return where the time has gone; what is not said otherwise was computing."""
        ended = self._clock()
        if self._spans is not None:
            self._spans.fill(Phase.COMPUTE, self._began, ended)
        times = self.stopwatch.times
        # Threads that wait at the same time count each.
        spent = times.send + times.wait + times.load
        compute = ended - self._began - spent
        if compute < _TICK:
            compute = 0.0
        return Phases(self._boot, compute, times.send, times.wait, times.load)

    def traced(self) -> list[Traced]:
        """Return when the rank did what, if that was asked for."""
        if self._spans is None:
            return []
        zero = self._origin
        spans = [
            (p, start - zero, stop - zero) for p, start, stop in self._spans.taken()
        ]
        return [Traced(self._rank, spans)]

    def farewell(self, usage: Usage) -> Farewell:
        """Return the rank's last word, of what it has used and sent."""
        if self._ends is None:
            return Farewell(self._rank, usage)
        endpoint, transport = self._ends
        dropped = {flaw.value: count for flaw, count in transport.dropped.items()}
        return Farewell(self._rank, usage, dropped, endpoint.traffic)
