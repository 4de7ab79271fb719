"""What scripts ask of the machine's clock, answered by a virtual one."""

import inspect
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from serverless_dist.cloud.virtual import VirtualTime

_OURS = "serverless_dist"
_BILLION = 1_000_000_000
_SECONDS = ("time", "monotonic", "perf_counter")


class SimulationWarning(UserWarning):
    """A simulated rank uses the machine's clock; it is given the virtual one."""


@contextmanager
def virtual_calls(clock: VirtualTime) -> Iterator[None]:
    """Give a context in which ranks that call functions of `time` get virtual time.

    `time.sleep` lets virtual seconds pass, and `time.time`, `monotonic` and
    `perf_counter` tell them. Each place that calls one is named in a warning, once.
    """
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
        if self._clock.current is None or caller is None:
            return self._real(*args)
        module = caller.f_globals.get("__name__", "")
        if module.partition(".")[0] == _OURS:  # it knows the clock to go by
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
