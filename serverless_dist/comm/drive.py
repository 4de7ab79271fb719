"""Run an algorithm's steps over something that carries data."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from serverless_dist.comm.steps import Exchange, Recv, Send, Step, Steps

T = TypeVar("T")


class Port(Protocol):
    """What steps need: data out, data in, by the ranks of one communicator."""

    def post(self, sends: Sequence[Send]) -> None:
        """Send everything, without waiting for a receiver."""
        ...

    def collect(self, sources: Sequence[int]) -> list[Any]:
        """Wait for the next data of each source; return them in that order."""
        ...


def drive(steps: Steps[T], port: Port) -> T:
    """Run `steps` to the end, waiting where they wait, and return their result."""
    answer: Any = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result
        answer = _perform(step, port)


def _perform(step: Step, port: Port) -> Any:
    match step:
        case Send():
            port.post((step,))
            return None
        case Recv(source):
            return port.collect((source,))[0]
        case Exchange(sends, recvs):
            if sends:
                port.post(sends)
            return port.collect(recvs) if recvs else []
