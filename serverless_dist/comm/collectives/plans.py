"""A collective call, prepared: what is checked once and then done once or often.

One `Plan` serves the three forms of a call: ``Bcast`` begins it and waits, ``Ibcast``
begins it and returns a request, ``Bcast_init`` begins it whenever its request starts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from serverless_dist.comm.algorithms import choose, inter
from serverless_dist.comm.checks import check_rank
from serverless_dist.comm.constants import PROC_NULL, ROOT
from serverless_dist.comm.engine.channel import Channel, Format
from serverless_dist.comm.engine.messages import finish
from serverless_dist.comm.engine.operations import Collective, Persistent
from serverless_dist.comm.request import Prequest, Request
from serverless_dist.comm.state import State
from serverless_dist.comm.steps import Steps

SIGNALS = Format(lambda _: (b"",), lambda _: None)
"""Messages without data."""


class Call(IntEnum):
    """The collective calls; the number is part of a call's tag."""

    BARRIER = 0
    BCAST = 1
    SCATTER = 2
    GATHER = 3
    ALLGATHER = 4
    ALLTOALL = 5
    REDUCE = 6
    ALLREDUCE = 7
    REDUCE_SCATTER = 8
    SCAN = 9
    EXSCAN = 10
    NEIGHBOR_ALLGATHER = 11
    NEIGHBOR_ALLTOALL = 12


@dataclass(frozen=True, slots=True)
class Plan:
    """A collective call of one communicator.

    Parameters
    ----------
    channel
        Carries the messages of this call. It may be begun again when it is done: the
        messages of one rank stay in order.
    steps
        Returns the algorithm's steps from the start; they read the caller's buffers
        as they go, fill them at the end, and return what the call returns.
    """

    channel: Channel
    steps: Callable[[], Steps[Any]]

    @classmethod
    def of(
        cls, state: State, call: Call, form: Format, steps: Callable[[], Steps[Any]]
    ) -> "Plan":
        """Prepare the next call of a communicator, which all its ranks make.

        Parameters
        ----------
        state
            The communicator.
        call
            Which call it is: calls that are mixed up never match.
        form
            How the data travel.
        steps
            Returns the algorithm's steps.
        """
        tag = next(state.calls) * len(Call) + call
        label = f"in {call.name.lower()} for a message"
        return cls(Channel(state, tag, label, form), steps)

    def run(self) -> Any:
        """Do it, and return what the call returns."""
        return finish(self._begin())[0]

    def start(self) -> Request:
        """Begin it; it goes on while the rank computes."""
        return Request.of(self._begin_in_background())

    def prepare(self) -> Prequest:
        """Return a request that begins it when it is started."""
        endpoint = self.channel.state.endpoint
        return Prequest.of(Persistent(endpoint, self._begin_in_background))

    def _begin(self) -> Collective:
        return Collective(self.channel, self.steps())

    def _begin_in_background(self) -> Collective:
        operation = self._begin()
        if not operation.is_done:
            self.channel.state.endpoint.keep_going(operation)
        return operation


@dataclass(frozen=True, slots=True)
class Root:
    """Who is the root of a call, in the joint numbering.

    Attributes
    ----------
    rank
        None: not known here, and not needed: the root is another of this group.
    is_here
        Whether this rank is the root.
    """

    rank: int | None
    is_here: bool

    @classmethod
    def of(cls, state: State, root: int) -> "Root":
        """Check what the caller gives as root.

        Raises
        ------
        MPIError
            ERR_ROOT: there is no such rank.
        """
        if state.remote is None:
            rank = check_rank("root", root, len(state.members))
            return cls(rank, rank == state.rank)
        rank = check_rank("root", root, len(state.remote), (ROOT, PROC_NULL))
        if rank == ROOT:
            return cls(state.joint_rank, is_here=True)
        if rank == PROC_NULL:
            return cls(None, is_here=False)
        shift = len(state.members) if state.is_first else 0
        return cls(shift + rank, is_here=False)


def dispatch(
    state: State,
    collective: str,
    *arguments: Any,
    nbytes: int | None = None,
    root: Root | None = None,
    vector: bool = False,
    commutative: bool = True,
) -> Steps[Any]:
    """Return the steps of a collective call, within a group or between two.

    Parameters
    ----------
    state
        The communicator, which may prescribe an algorithm.
    collective
        The call: "allreduce".
    arguments
        What its algorithms take besides rank, size and root.
    nbytes
        How many bytes it is about, where all ranks know and agree.
    root
        Of a call that has one. Who only knows that it is another rank of its own group
        has no part in the call.
    vector
        Whether the data are 1-D arrays of the same length on all ranks.
    commutative
        Whether the operator is, if there is one.
    """
    if root is not None and root.rank is None:
        return None
    if state.remote is not None:
        sizes = len(state.members), len(state.remote)
        first, second = sizes if state.is_first else sizes[::-1]
        named = {} if root is None else {"root": root.rank}
        between = _BETWEEN[collective](
            state.joint_rank, first, second, *arguments, **named
        )
        return (yield from between)
    algorithm = choose(
        collective,
        ranks=len(state.members),
        nbytes=nbytes,
        channel=state.endpoint.channel,
        vector=vector,
        commutative=commutative,
        cores=state.endpoint.cores,
        override=state.algorithms,
    )
    given = arguments if root is None else (*arguments, root.rank)
    return (yield from algorithm.function(state.rank, len(state.members), *given))


_BETWEEN: Mapping[str, Callable[..., Steps[Any]]] = {
    "barrier": inter.barrier,
    "bcast": inter.bcast,
    "gather": inter.gather,
    "scatter": inter.scatter,
    "allgather": inter.allgather,
    "alltoall": inter.alltoall,
    "reduce": inter.reduce,
    "allreduce": inter.allreduce,
    "reduce_scatter": inter.reduce_scatter,
}


def nothing() -> Steps[None]:
    """Return the steps of a rank that has no part in a call."""
    return None
    yield  # a generator, all the same
