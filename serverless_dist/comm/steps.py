"""Steps: what a collective algorithm asks for, without doing any of it.

An algorithm is a generator of steps. It does no I/O and knows no clock, so one text
serves the blocking call, the simulator and the cost estimate::

    def dissemination(rank: int, size: int) -> Steps[None]:
        distance = 1
        while distance < size:
            yield Send((rank + distance) % size, None)
            yield Recv((rank - distance) % size)
            distance *= 2

Ranks are those of the communicator. A step's answer is the value of the ``yield``:
None for `Send`, the data for `Recv`, a list in the order of ``recvs`` for `Exchange`.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Send:
    """Send `data` to one rank or, as a multicast, to several; never waits."""

    dest: int | tuple[int, ...]
    data: Any

    @property
    def dests(self) -> tuple[int, ...]:
        """The receivers as a tuple."""
        return (self.dest,) if isinstance(self.dest, int) else self.dest


@dataclass(frozen=True, slots=True)
class Recv:
    """Wait for the next data from `source`."""

    source: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """Post all sends at once, then wait for one message from each of `recvs`."""

    sends: tuple[Send, ...]
    recvs: tuple[int, ...]


Step = Send | Recv | Exchange
Steps = Generator[Step, Any, T]
"""A generator of steps that returns the rank's result."""

Script = Steps[Any]
"""What functions within functions are annotated with, at no cost.

Their annotations are evaluated whenever the outer function runs: for `Steps[Any]` that
takes microseconds, a third of what a small collective call costs.
"""
