"""The communicators of this process: the package's only process-wide state.

A script names `MPI.COMM_WORLD`, so the process has to know it. Whoever starts a rank
sets it once, before user code runs. A process that nobody started as a rank is a world
of its own, of size 1, as in mpi4py; so scripts also run without a launcher.
"""

from collections.abc import Collection, Sequence

from serverless_dist.comm.communicator import Communicator
from serverless_dist.comm.endpoint import Endpoint
from serverless_dist.errors import UsageError
from serverless_dist.transport import Message

_WORLD = "COMM_WORLD"
_SELF = "COMM_SELF"
_communicators: dict[str, Communicator] = {}


class Solitude:
    """The transport of a rank without others: nothing ever comes or goes."""

    rank = 0
    size = 1

    def send(self, messages: Sequence[Message]) -> None:
        """Refuse: there is nobody to send to."""
        msg = f"{len(messages)} messages were sent to ranks that do not exist"
        raise UsageError(msg)

    def receive(self, wait: float, expect: Collection[int] = ()) -> Sequence[Message]:
        """Return nothing, at once."""
        return ()

    def close(self) -> None:
        """Do nothing."""


def set_world(world: Communicator | None) -> None:
    """Make `world` this process's `COMM_WORLD`; None: it is a world of its own."""
    _communicators.pop(_WORLD, None)
    if world is not None:
        _communicators[_WORLD] = world


def get_world() -> Communicator:
    """Return the communicator of all ranks of the job."""
    return _get(_WORLD)


def get_self() -> Communicator:
    """Return a communicator of this process alone."""
    return _get(_SELF)


def _get(name: str) -> Communicator:
    if name not in _communicators:
        _communicators[name] = Communicator(Endpoint(Solitude()))
    return _communicators[name]
