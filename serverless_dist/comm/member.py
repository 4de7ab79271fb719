"""A rank among others: what all parts of a communicator stand on."""

from typing import Self

from serverless_dist.comm.engine.times import PhaseTimes
from serverless_dist.comm.exceptions import ERR_COMM, MPIError
from serverless_dist.comm.handle import Handle
from serverless_dist.comm.state import State


class Member(Handle):
    """A handle of a `State`."""

    __slots__ = ()

    def __new__(cls, comm: "Member | None" = None) -> Self:
        """Return another handle of what `comm` is a handle of.

        Raises
        ------
        TypeError
            What it is does not suit this class.
        """
        handle: Self = super().__new__(cls, comm)
        state: State | None = handle._target
        if state is not None and not cls._suits(state):
            msg = f"{comm!r} cannot be a {cls.__name__}"
            raise TypeError(msg)
        return handle

    @classmethod
    def _suits(cls, state: State) -> bool:
        """Return whether the state may have a handle of this class."""
        return True

    def __repr__(self) -> str:
        state: State | None = self._target
        if state is None:
            return f"<{type(self).__name__} null>"
        name = f" {state.name}" if state.name else ""
        size = len(state.members)
        return f"<{type(self).__name__}{name} rank {state.rank} of {size}>"

    @classmethod
    def of(cls, state: State | None) -> Self:
        """Return a handle of the state; None: the null handle."""
        return cls._wrap(state)

    @property
    def state(self) -> State:
        """What it is a handle of.

        Raises
        ------
        MPIError
            It is null.
        """
        state: State | None = self._target
        if state is None:
            msg = "the communicator is null: it was freed, or this rank is not in it"
            raise MPIError(ERR_COMM, msg)
        return state

    @property
    def rank(self) -> int:
        """The number of this rank, from 0."""
        return self.state.rank

    @property
    def size(self) -> int:
        """The number of ranks; of an intercommunicator, those of the local group."""
        return len(self.state.members)

    def Get_rank(self) -> int:
        """Return the number of this rank, from 0."""
        return self.state.rank

    def Get_size(self) -> int:
        """Return the number of ranks; see `size`."""
        return len(self.state.members)

    @property
    def times(self) -> PhaseTimes:
        """The seconds that this process has spent sending and waiting."""
        return self.state.endpoint.times
