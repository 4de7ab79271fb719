"""Where a rank's time goes: loading, sending, waiting; the rest is computing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from serverless_dist.comm.engine.spans import Phase, Spans


@dataclass(frozen=True, slots=True)
class PhaseTimes:
    """Seconds that a rank has spent otherwise than computing.

    Attributes
    ----------
    send
        Handing messages to the transport.
    wait
        Waiting for messages.
    load
        Loading code and data.
    """

    send: float
    wait: float
    load: float = 0.0


class Stopwatch:
    """Adds up the seconds of each phase; a send within a wait counts as a send.

    It is read at the start of a phase and told at its end: a context manager would
    cost as much as what it measures.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._send = 0.0
        self._wait = 0.0
        self._load = 0.0

    @property
    def times(self) -> PhaseTimes:
        """What has been measured so far."""
        return PhaseTimes(self._send, self._wait, self._load)

    def start(self) -> float:
        """Return what `sent` or `waited` needs at the end of a phase."""
        return self._clock() - self._send

    def sent(self, started: float) -> None:
        """Count the time since `start` as sending."""
        self._send += self._clock() - self._send - started

    def waited(self, started: float) -> None:
        """Count the time since `start` as waiting, without the sends in it."""
        self._wait += self._clock() - self._send - started

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Count what the block takes as loading, without the sends and waits in it."""
        started = self._clock() - self._counted()
        try:
            yield
        finally:
            # Less than nothing is left where other threads wait meanwhile.
            self._load += max(0.0, self._clock() - self._counted() - started)

    def _counted(self) -> float:
        return self._send + self._wait + self._load


class _Start(float):
    """What `start` returns, and when that was."""

    __slots__ = ("moment",)
    moment: float


class TracingStopwatch(Stopwatch):
    """A stopwatch that also keeps when each phase was, in `spans`."""

    def __init__(self, clock: Callable[[], float], spans: Spans) -> None:
        super().__init__(clock)
        self.spans = spans

    def start(self) -> float:
        """Return what `sent` or `waited` needs at the end of a phase."""
        moment = self._clock()
        start = _Start(moment - self._send)
        start.moment = moment
        return start

    def sent(self, started: float) -> None:
        """Count and keep the time since `start` as sending."""
        super().sent(started)
        self._keep(Phase.SEND, started)

    def waited(self, started: float) -> None:
        """Count and keep the time since `start` as waiting."""
        super().waited(started)
        self._keep(Phase.WAIT, started)

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Count and keep what the block takes as loading."""
        began = self._clock()
        try:
            with super().loading():
                yield
        finally:
            self.spans.fill(Phase.LOAD, began, self._clock())

    def _keep(self, phase: Phase, started: float) -> None:
        assert isinstance(started, _Start)
        self.spans.fill(phase, started.moment, self._clock())
