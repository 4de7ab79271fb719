"""What the lifecycle tells the driver to do, and what the driver tells of workers."""

from collections.abc import Sequence
from typing import NamedTuple

from serverless_dist.tasks.messages import Message, Order, Spec
from serverless_dist.tasks.values import Value


class Tell(NamedTuple):
    """Send an order to a client."""

    client: int
    order: Order


class Start(NamedTuple):
    """Start a worker with this number."""

    worker: int


class End(NamedTuple):
    """Kill a worker; its end is told by `Lost` as any other's."""

    worker: int


class Remove(NamedTuple):
    """Forget values of the store."""

    keys: Sequence[bytes]


class Begin(NamedTuple):
    """Run a gang; tell how it went by `Finished` from the driver."""

    attempt: int
    spec: Spec
    values: Sequence[Value]
    code: Value


class Halt(NamedTuple):
    """Stop a gang; nobody wants to know how it went."""

    attempt: int


Instruction = Tell | Start | End | Remove | Begin | Halt


class Lost(NamedTuple):
    """A worker has ended or could not be started; `how` goes after its name."""

    how: str


Event = Message | Lost
