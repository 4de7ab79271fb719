"""The communicators: all that ranks can do together, with mpi4py's names.

::

    Comm                    messages, collective calls, what a communicator has
    ├── Intracomm           one group: scans, and new communicators of all kinds
    │   └── Topocomm        neighbours
    │       ├── Cartcomm    a grid
    │       ├── Graphcomm   a graph that all ranks know
    │       └── Distgraphcomm   a graph of which each rank knows its own edges
    └── Intercomm           two groups, each talking to the other

What holds for every method:

1. Sends never wait for the receiver, except synchronous ones.
2. Messages of one rank and tag are received in the order they were sent.
3. Every wait ends at the job's deadline, with an error that names rank, peer and tag.
4. A caller's mistake is an error, `MPIError` where MPI has a class for it, that is
   raised before anything is sent.
"""

from collections.abc import Sequence
from typing import ClassVar, NoReturn, Self

from serverless_dist.comm import creation
from serverless_dist.comm.abort import abort
from serverless_dist.comm.attributes import (
    COMM_ATTRIBUTES,
    Attributed,
    Keyvals,
    Store,
)
from serverless_dist.comm.blocking import BlockingCollectives, BlockingScans
from serverless_dist.comm.buffer_messages import BufferMessages
from serverless_dist.comm.constants import (
    COMM_TYPE_SHARED,
    CONGRUENT,
    IDENT,
    SIMILAR,
    UNDEFINED,
    UNEQUAL,
)
from serverless_dist.comm.engine.endpoint import Endpoint
from serverless_dist.comm.engine.operations import Operation
from serverless_dist.comm.errhandler import ErrorHandling
from serverless_dist.comm.exceptions import ERR_ARG, ERR_COMM, MPIError
from serverless_dist.comm.grids import (
    Adjacency,
    CartesianCalls,
    DistGraphCalls,
    GraphCalls,
)
from serverless_dist.comm.group import Group
from serverless_dist.comm.info import INFO_NULL, Info
from serverless_dist.comm.neighborhoods import NeighborCollectives
from serverless_dist.comm.nonblocking import NonblockingCollectives, NonblockingScans
from serverless_dist.comm.object_collectives import ObjectCollectives, ObjectScans
from serverless_dist.comm.object_messages import ObjectMessages
from serverless_dist.comm.persistent import PersistentCollectives, PersistentScans
from serverless_dist.comm.refused import Unavailable
from serverless_dist.comm.request import Request
from serverless_dist.comm.state import State, self_state, world_state
from serverless_dist.comm.topology.edges import (
    Weights,
    adjacency,
    adjacent_graph,
)
from serverless_dist.comm.topology.topologies import Cartesian, DistGraph, Graph


class Comm(
    ObjectMessages,
    BufferMessages,
    ObjectCollectives,
    BlockingCollectives,
    NonblockingCollectives,
    PersistentCollectives,
    Attributed,
    ErrorHandling,
    Unavailable,
):
    """A communicator of any kind; ``Comm()`` is null."""

    __slots__ = ()
    _keyvals: ClassVar[Keyvals] = Keyvals(COMM_ATTRIBUTES)

    def _attributes(self) -> Store:
        return self.state.attributes

    def Get_group(self) -> Group:
        """Return the (local) group."""
        return Group.of(self.state.members, self.state.endpoint.rank)

    @property
    def group(self) -> Group:
        """The (local) group."""
        return Comm.Get_group(self)

    def Compare(self, comm: "Comm") -> int:
        """Return `IDENT`, `CONGRUENT`, `SIMILAR` or `UNEQUAL`.

        Congruent ones have the same ranks in the same order, similar ones in another.
        """
        mine, other = self.state, comm.state
        if mine is other:
            return IDENT
        here = (mine.members, mine.remote or ())
        there = (other.members, other.remote or ())
        if here == there:
            return CONGRUENT
        if [set(group) for group in here] == [set(group) for group in there]:
            return SIMILAR
        return UNEQUAL

    def Dup(self, info: Info | None = None) -> Self:
        """Return a communicator of the same ranks whose messages are apart.

        Parameters
        ----------
        info
            Its hints; None: those of this one.
        """
        new = type(self).of(creation.duplicate(self.state, info))
        self._copy_attributes(new.state.attributes)
        return new

    def Clone(self) -> Self:
        """Return a communicator of the same ranks; the same as `Dup`."""
        return Comm.Dup(self)

    def Dup_with_info(self, info: Info) -> Self:
        """Return a communicator of the same ranks with these hints."""
        return Comm.Dup(self, info)

    def Idup(self, info: Info | None = None) -> tuple[Self, Request]:
        """Return what `Dup` returns, and a request that is done."""
        return Comm.Dup(self, info), Request.of(Operation())

    def Idup_with_info(self, info: Info) -> tuple[Self, Request]:
        """Return what `Dup` returns, and a request that is done."""
        return Comm.Idup(self, info)

    def Create(self, group: Group) -> "Comm":
        """Return a communicator of the ranks in `group`; null on the others."""
        return self._plain().of(creation.subset(self.state, group))

    def Split(self, color: int = 0, key: int = 0) -> "Comm":
        """Return a communicator of the ranks that give the same color.

        Parameters
        ----------
        color
            0 or more; `UNDEFINED`: this rank gets a null one.
        key
            Ranks are in the order of their keys, then of their old ranks.
        """
        return self._plain().of(creation.split(self.state, color, key))

    def Split_type(
        self, split_type: int, key: int = 0, info: Info = INFO_NULL
    ) -> "Comm":
        """Return a communicator of the ranks that share memory; null for other types.

        Parameters
        ----------
        split_type
            `COMM_TYPE_SHARED`, or `UNDEFINED`: this rank gets a null one.
        key
            As for `Split`.
        info
            Not looked at.
        """
        del info
        is_shared = split_type == COMM_TYPE_SHARED
        new = creation.split_by_machine(self.state, key, takes_part=is_shared)
        return self._plain().of(new)

    def Free(self) -> None:
        """Make this handle null; the attributes are deleted.

        Raises
        ------
        MPIError
            It is null, or `COMM_WORLD` or `COMM_SELF`.
        """
        self.state  # noqa: B018 - raises if it is null
        if self._constant:
            msg = f"{self._constant} cannot be freed"
            raise MPIError(ERR_COMM, msg)
        self._delete_attributes()
        self._forget()

    def Disconnect(self) -> None:
        """Make this handle null; the same as `Free`, as sends never wait."""
        Comm.Free(self)

    def Is_inter(self) -> bool:
        """Return whether it has two groups."""
        return self.state.remote is not None

    def Is_intra(self) -> bool:
        """Return whether it has one group."""
        return self.state.remote is None

    def Get_topology(self) -> int:
        """Return `CART`, `GRAPH`, `DIST_GRAPH`, or `UNDEFINED` if there is none."""
        topology = self.state.topology
        return UNDEFINED if topology is None else topology.kind

    is_inter = property(Is_inter)
    is_intra = property(Is_intra)
    topology = property(Get_topology)

    @property
    def is_topo(self) -> bool:
        """Whether it has a topology."""
        return self.state.topology is not None

    def Get_name(self) -> str:
        """Return the name; empty if it was never set."""
        return self.state.name if self else "MPI_COMM_NULL"

    def Set_name(self, name: str) -> None:
        """Set the name, which is for people only."""
        self.state.name = name

    name = property(Get_name, Set_name)

    def Get_info(self) -> Info:
        """Return a copy of the hints."""
        info = self.state.info
        return info.Dup() if info else Info.Create()

    def Set_info(self, info: Info) -> None:
        """Set the hints; nothing looks at them."""
        self.state.info = info.Dup() if info else info

    info = property(Get_info, Set_info)

    def Set_algorithm(self, collective: str, name: str) -> None:
        """Use one algorithm for a collective from now on; all ranks have to call.

        One that cannot do a call's work is passed over. `serverless-dist algorithms`
        lists them.

        Parameters
        ----------
        collective
            ``"allreduce"`` and so on.
        name
            ``"ring"`` and so on.

        Raises
        ------
        UsageError
            There is no such collective or algorithm; the message lists those there are.
        """
        creation.prescribe(self.state, collective, name)

    def Abort(self, errorcode: int = 0) -> NoReturn:
        """End all ranks of the job at once; its exit code is `errorcode`, or 1."""
        abort(errorcode)

    @classmethod
    def Get_parent(cls) -> "Intercomm":
        """Return a null communicator: no rank was started by another."""
        return Intercomm()

    def _plain(self) -> "type[Intracomm | Intercomm]":
        """Return the class of a new communicator without a topology."""
        return Intracomm if self.state.remote is None else Intercomm


class Intracomm(Comm, ObjectScans, BlockingScans, NonblockingScans, PersistentScans):
    """A communicator of one group of ranks."""

    __slots__ = ()

    @classmethod
    def _suits(cls, state: State) -> bool:
        return state.remote is None

    @classmethod
    def world(cls, endpoint: Endpoint) -> Self:
        """Return the communicator of all ranks of the endpoint's job."""
        return cls._wrap(world_state(endpoint), "COMM_WORLD")

    @classmethod
    def alone(cls, endpoint: Endpoint) -> Self:
        """Return the communicator of the endpoint's rank alone."""
        return cls._wrap(self_state(endpoint), "COMM_SELF")

    def Create_group(self, group: Group, tag: int = 0) -> "Intracomm":
        """Return a communicator of the ranks in `group`, which alone call."""
        return Intracomm.of(creation.subset_alone(self.state, group, tag))

    def Create_cart(
        self,
        dims: Sequence[int],
        periods: Sequence[bool] | bool | None = None,
        reorder: bool = False,
    ) -> "Cartcomm":
        """Return a communicator whose ranks are a grid; null on those left over.

        Parameters
        ----------
        dims
            The ranks in each direction; the last one runs fastest.
        periods
            Whether each direction is a ring; one value for all, or None: no.
        reorder
            Not looked at: ranks keep their order.
        """
        del reorder
        grid = Cartesian.of(dims, periods)
        return Cartcomm.of(creation.arrange(self.state, grid, grid.size))

    def Create_graph(
        self,
        index: Sequence[int],
        edges: Sequence[int],
        reorder: bool = False,
    ) -> "Graphcomm":
        """Return a communicator whose ranks are a graph; null on those left over.

        Parameters
        ----------
        index
            For each rank, how many edges it and those before it have.
        edges
            The neighbours of rank 0, then those of rank 1, and so on.
        reorder
            Not looked at: ranks keep their order.
        """
        del reorder
        graph = Graph.of(index, edges)
        return Graphcomm.of(creation.arrange(self.state, graph, graph.size))

    def Create_dist_graph_adjacent(
        self,
        sources: Sequence[int] | None,
        destinations: Sequence[int] | None,
        sourceweights: Weights = None,
        destweights: Weights = None,
        info: Info = INFO_NULL,
        reorder: bool = False,
    ) -> "Distgraphcomm":
        """Return a communicator in which each rank names its own neighbours.

        No message is sent: who names a source is named by it as a destination.

        Parameters
        ----------
        sources, destinations
            The ranks that send to this one, and those it sends to.
        sourceweights, destweights
            A number for each; None: there are none.
        info, reorder
            Not looked at.
        """
        del info, reorder
        weights = sourceweights, destweights
        graph = adjacent_graph(sources, destinations, weights, self.size)
        return self._dist_graph(graph)

    def Create_dist_graph(
        self,
        sources: Sequence[int],
        degrees: Sequence[int],
        destinations: Sequence[int],
        weights: Weights = None,
        info: Info = INFO_NULL,
        reorder: bool = False,
    ) -> "Distgraphcomm":
        """Return a communicator of a graph of which each rank names any edges.

        Parameters
        ----------
        sources
            Ranks from which edges go out.
        degrees
            How many edges go out from each of them.
        destinations
            Where they go to, those of the first source first.
        weights
            A number for each edge; None: there are none.
        info, reorder
            Not looked at.
        """
        del info, reorder
        given = (sources, degrees, destinations, weights)
        named = ObjectCollectives.allgather(self, given)
        return self._dist_graph(adjacency(named, self.rank, self.size))

    def Create_intercomm(
        self,
        local_leader: int,
        peer_comm: "Intracomm",
        remote_leader: int,
        tag: int = 0,
    ) -> "Intercomm":
        """Return a communicator of this group and another one.

        Parameters
        ----------
        local_leader
            The rank that speaks for this group.
        peer_comm
            A communicator that both leaders are in; only looked at there.
        remote_leader
            The rank in it that speaks for the other group.
        tag
            Tells calls apart that are made at the same time.
        """
        peer = peer_comm.state if peer_comm else None
        return Intercomm.of(
            creation.connect(self.state, local_leader, peer, remote_leader, tag)
        )

    def Cart_map(
        self, dims: Sequence[int], periods: Sequence[bool] | bool | None = None
    ) -> int:
        """Return this rank's place in a grid, or `UNDEFINED` if it is left over."""
        return self._place(Cartesian.of(dims, periods).size)

    def Graph_map(self, index: Sequence[int], edges: Sequence[int]) -> int:
        """Return this rank's place in a graph, or `UNDEFINED` if it is left over."""
        return self._place(Graph.of(index, edges).size)

    def _dist_graph(self, graph: DistGraph) -> "Distgraphcomm":
        return Distgraphcomm.of(creation.arrange(self.state, graph, self.size))

    def _place(self, ranks: int) -> int:
        if ranks > self.size:
            msg = f"there are {self.size} ranks, but the topology has {ranks}"
            raise MPIError(ERR_ARG, msg)
        return self.rank if self.rank < ranks else UNDEFINED


class Topocomm(Intracomm, NeighborCollectives, Adjacency):
    """A communicator whose ranks have neighbours."""

    __slots__ = ()

    @classmethod
    def _suits(cls, state: State) -> bool:
        return state.topology is not None


class Cartcomm(Topocomm, CartesianCalls):
    """A communicator whose ranks are a grid."""

    __slots__ = ()

    @classmethod
    def _suits(cls, state: State) -> bool:
        return isinstance(state.topology, Cartesian)

    def Sub(self, remain_dims: Sequence[bool]) -> "Cartcomm":
        """Return the part of the grid that this rank is in, of fewer directions.

        Parameters
        ----------
        remain_dims
            Whether each direction remains.
        """
        grid, color, key = self._grid.sub(self.state.rank, remain_dims)
        part = creation.split(self.state, color, key)
        assert part is not None  # the color is one
        part.topology = grid
        return Cartcomm.of(part)


class Graphcomm(Topocomm, GraphCalls):
    """A communicator whose ranks are a graph that all of them know."""

    __slots__ = ()

    @classmethod
    def _suits(cls, state: State) -> bool:
        return isinstance(state.topology, Graph)


class Distgraphcomm(Topocomm, DistGraphCalls):
    """A communicator whose ranks are a graph of which each knows its neighbours."""

    __slots__ = ()

    @classmethod
    def _suits(cls, state: State) -> bool:
        return isinstance(state.topology, DistGraph)


class Intercomm(Comm):
    """A communicator of two groups: messages and collective calls go to the other."""

    __slots__ = ()

    @classmethod
    def _suits(cls, state: State) -> bool:
        return state.remote is not None

    def Get_remote_group(self) -> Group:
        """Return the other group."""
        state = self.state
        return Group.of(_remote(state), state.endpoint.rank)

    def Get_remote_size(self) -> int:
        """Return the number of ranks in the other group."""
        return len(_remote(self.state))

    remote_group = property(Get_remote_group)
    remote_size = property(Get_remote_size)

    def Merge(self, high: bool = False) -> Intracomm:
        """Return a communicator of both groups.

        Parameters
        ----------
        high
            Whether this group comes last; the same on all its ranks.
        """
        _remote(self.state)
        return Intracomm.of(creation.merge(self.state, high=high))


COMM_NULL = Comm._wrap(None, "COMM_NULL")
"""No communicator."""


def _remote(state: State) -> tuple[int, ...]:
    if state.remote is None:
        msg = "the communicator has one group: there is no other one"
        raise MPIError(ERR_COMM, msg)
    return state.remote
