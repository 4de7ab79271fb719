"""What scripts ask of the machine's clock, answered by a virtual one."""

import inspect
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import current_thread, get_ident, main_thread
from types import FrameType
from typing import Any

from serverless_dist.cloud.services import Stopped
from serverless_dist.cloud.virtual import VirtualTime
from serverless_dist.errors import UsageError

_OURS = "serverless_dist"
_BILLION = 1_000_000_000
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SECONDS = ("time", "monotonic", "perf_counter")


class SimulationWarning(UserWarning):
    """A simulated rank uses the machine's clock; it is given the virtual one."""


@contextmanager
def virtual_calls(clock: VirtualTime) -> Iterator[None]:
    """Give a context in which ranks that call functions of `time` get virtual time.

    `time.sleep` lets virtual seconds pass, and `time.time`, `monotonic` and
    `perf_counter` tell them. Each place that calls one is named in a warning, once.
    Other threads, and what comes with Python, get real time.

    Raises
    ------
    UsageError
        Another simulation is under way in this process.
    """
    if isinstance(time.sleep, _StandIn):
        msg = "another simulation is under way in this process: wait for its end"
        raise UsageError(msg)
    virtual: dict[str, Callable[..., Any]] = {"sleep": clock.sleep}
    for name in _SECONDS:
        virtual[name] = clock.now
        virtual[f"{name}_ns"] = lambda: int(clock.now() * _BILLION)
    before = {name: getattr(time, name) for name in virtual}
    named: set[tuple[str, int]] = set()
    for name, call in virtual.items():
        setattr(time, name, _StandIn(name, before[name], call, clock, named))
    try:
        yield
    finally:
        for name, real in before.items():
            setattr(time, name, real)


class _StandIn:
    """A function of `time`: for ranks the virtual one, for all others the real one."""

    def __init__(
        self,
        name: str,
        real: Callable[..., Any],
        virtual: Callable[..., Any],
        clock: VirtualTime,
        named: set[tuple[str, int]],
    ) -> None:
        self._name = name
        self._real = real
        self._virtual = virtual
        self._clock = clock
        self._named = named

    def __call__(self, *args: Any) -> Any:
        frame = inspect.currentframe()
        caller = None if frame is None else frame.f_back
        is_rank = self._clock.thread == get_ident() and self._clock.current is not None
        if not is_rank or caller is None:
            return self._real(*args)
        package = caller.f_globals.get("__name__", "").partition(".")[0]
        # Ours knows the clock to go by; Python's own waits for what is real.
        if package == _OURS or package in sys.stdlib_module_names - {"__main__"}:
            return self._real(*args)
        place = caller.f_code.co_filename, caller.f_lineno
        if place not in self._named:
            self._named.add(place)
            msg = (
                f"{place[0]}, line {place[1]} calls time.{self._name}, which goes by"
                " the virtual clock in a simulation: MPI.Wtime() reads it,"
                " serverless_dist.compute_for(seconds) lets it go on"
            )
            warnings.warn(msg, SimulationWarning, stacklevel=2)
        return self._virtual(*args)


@contextmanager
def interruptible(clock: VirtualTime) -> Iterator[None]:
    """Give a context in which signals end the simulation, not the rank that runs.

    What their handlers raise comes out of `VirtualTime.run`.
    """
    handlers = _handlers() if current_thread() is main_thread() else {}

    def handle(number: int, frame: FrameType | None) -> None:
        try:
            handlers[number](number, frame)
        except BaseException as error:
            if clock.current is None:
                raise
            clock.fail(error)
            raise Stopped from None

    for number in handlers:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _handlers() -> dict[int, Callable[[int, FrameType | None], Any]]:
    """Return what handles each signal, where somebody does."""
    found = {number: signal.getsignal(number) for number in _SIGNALS}
    return {int(n): handler for n, handler in found.items() if callable(handler)}
