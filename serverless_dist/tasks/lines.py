"""The lines between a driver and its workers: two seams, one for each end.

1. A body arrives once, and bodies of one sender to one receiver in order.
2. Nobody waits for a receiver: a send returns when the bodies are on their way.
3. A worker that is gone is not the hub's business: what is sent to it is dropped, and
   who starts workers learns of their end.
4. One thread at a time calls `receive`. `send`, and `wake`, may be called by several.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from serverless_dist.wire import Body


class Hub(Protocol):
    """The driver's end of the lines to all workers, which have numbers from 1 on."""

    def send(self, bodies: Mapping[int, Sequence[Body]]) -> None:
        """Send bodies to workers, by number.

        What goes to a worker that has not connected yet is kept until it does.
        """
        ...

    def receive(self, wait: float) -> list[tuple[int, bytes | bytearray]]:
        """Return what workers have sent, waiting up to `wait` seconds for the first."""
        ...

    def wake(self) -> None:
        """Make the `receive` that another thread is in return soon."""
        ...

    def forget(self, worker: int) -> None:
        """Give back what is held for a worker that has ended."""
        ...

    def close(self) -> None:
        """Give back everything; twice is no error."""
        ...


class Line(Protocol):
    """A worker's end of its line to the driver."""

    @property
    def patience(self) -> float:
        """Seconds that what is not urgent may wait, so that more can go along."""
        ...

    @property
    def is_remote(self) -> bool:
        """Whether the driver may vanish without the line noticing."""
        ...

    def send(self, bodies: Sequence[Body]) -> None:
        """Send bodies to the driver."""
        ...

    def receive(self, wait: float) -> list[bytes | bytearray]:
        """Return what the driver has sent, waiting up to `wait` seconds for the first.

        Raises
        ------
        EOFError
            The driver is gone.
        """
        ...

    def wake(self) -> None:
        """Make the `receive` that another thread is in return soon."""
        ...

    def stop_reading(self) -> None:
        """Leave what comes from now on to whoever reads here next; sends go on."""
        ...

    def close(self) -> None:
        """Give back what is held; what was sent stays sent. Twice is no error."""
        ...
