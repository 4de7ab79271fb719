"""The communicators of this process, or of a rank that is simulated in it.

Whoever starts a rank sets its world once, before user code runs. A process that nobody
started as a rank is a world of its own, of size 1, as in mpi4py; so scripts also run
without a launcher.
"""

from collections.abc import Collection, Sequence
from threading import Event

from serverless_dist.comm.communicators import Intracomm
from serverless_dist.comm.engine.endpoint import Endpoint
from serverless_dist.comm.place import here
from serverless_dist.errors import UsageError
from serverless_dist.transport import Message

_WORLD = "COMM_WORLD"
_SELF = "COMM_SELF"


class Solitude:
    """The transport of a rank without others: nothing ever comes or goes."""

    rank = 0
    size = 1

    def __init__(self) -> None:
        self._woken = Event()

    def send(self, messages: Sequence[Message]) -> None:
        """Refuse: there is nobody to send to."""
        msg = f"{len(messages)} messages were sent to ranks that do not exist"
        raise UsageError(msg)

    def receive(self, wait: float, expect: Collection[int] = ()) -> Sequence[Message]:
        """Return nothing, after `wait` seconds or when somebody wakes."""
        self._woken.wait(wait)
        self._woken.clear()
        return ()

    def wake(self) -> None:
        """Make `receive` return."""
        self._woken.set()

    def close(self) -> None:
        """Do nothing."""


def set_world(world: Intracomm | None) -> None:
    """Make `world` the `COMM_WORLD` here; None: it is a world of its own."""
    communicators = here().communicators
    communicators.clear()
    if world is not None:
        communicators[_WORLD] = world


def get_world() -> Intracomm:
    """Return the communicator of all ranks of the job."""
    communicators = here().communicators
    if _WORLD not in communicators:
        communicators[_WORLD] = Intracomm.world(Endpoint(Solitude()))
    world: Intracomm = communicators[_WORLD]
    return world


def get_self() -> Intracomm:
    """Return a communicator of this process alone."""
    communicators = here().communicators
    if _SELF not in communicators:
        communicators[_SELF] = Intracomm.alone(get_world().state.endpoint)
    alone: Intracomm = communicators[_SELF]
    return alone
