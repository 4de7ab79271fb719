"""Who can talk in a communicator: what messages and operations know of it."""

from dataclasses import dataclass, field

from serverless_dist.comm.constants import ANY_SOURCE
from serverless_dist.comm.engine.endpoint import Endpoint


@dataclass(slots=True, eq=False)
class Scope:
    """The ranks of a communicator, seen from one of them.

    Attributes
    ----------
    endpoint
        This process's end of the transport.
    context
        An even number: `context` is for messages, `context` + 1 for collective calls.
    members
        The ranks of the job that are its (local) group.
    rank
        This process's place in `members`.
    remote
        The other group, if it is an intercommunicator's.
    is_first
        Whether the local group is the first in the joint numbering of both.
    """

    endpoint: Endpoint
    context: int
    members: tuple[int, ...]
    rank: int
    remote: tuple[int, ...] | None = None
    is_first: bool = True
    _places: dict[int, int] | None = field(default=None, init=False, repr=False)

    @property
    def peers(self) -> tuple[int, ...]:
        """Whom messages go to: the remote group, or the only one."""
        return self.members if self.remote is None else self.remote

    @property
    def joint(self) -> tuple[int, ...]:
        """All ranks, as the collective calls number them."""
        if self.remote is None:
            return self.members
        if self.is_first:
            return self.members + self.remote
        return self.remote + self.members

    @property
    def joint_rank(self) -> int:
        """The place of this process in `joint`."""
        if self.remote is None or self.is_first:
            return self.rank
        return len(self.remote) + self.rank

    def place_of(self, world_rank: int) -> int:
        """Return the number that a rank of the job has among the peers."""
        if self._places is None:
            self._places = {rank: place for place, rank in enumerate(self.peers)}
        return self._places[world_rank]

    def source_of(self, place: int) -> int:
        """Return the rank of the job that a source is, or `ANY_SOURCE`."""
        return place if place == ANY_SOURCE else self.peers[place]
