"""What communicators with a topology say about it, with mpi4py's names."""

from collections.abc import Sequence

from serverless_dist.comm.member import Member
from serverless_dist.comm.topology.topologies import Cartesian, DistGraph, Graph


class Adjacency(Member):
    """Who the neighbours of this rank are, in any topology."""

    __slots__ = ()

    @property
    def inedges(self) -> list[int]:
        """The ranks that this one receives from."""
        return self.inoutedges[0]

    @property
    def outedges(self) -> list[int]:
        """The ranks that this one sends to."""
        return self.inoutedges[1]

    @property
    def inoutedges(self) -> tuple[list[int], list[int]]:
        """The ranks that this one receives from, and those it sends to."""
        state = self.state
        assert state.topology is not None  # such communicators have one
        sources, dests = state.topology.neighbors(state.rank)
        return list(sources), list(dests)

    @property
    def degrees(self) -> tuple[int, int]:
        """How many ranks this one receives from, and sends to."""
        sources, dests = self.inoutedges
        return len(sources), len(dests)

    @property
    def indegree(self) -> int:
        """How many ranks this one receives from."""
        return self.degrees[0]

    @property
    def outdegree(self) -> int:
        """How many ranks this one sends to."""
        return self.degrees[1]


class CartesianCalls(Member):
    """Coordinates, ranks and shifts in a grid."""

    __slots__ = ()

    @property
    def _grid(self) -> Cartesian:
        topology = self.state.topology
        assert isinstance(topology, Cartesian)  # such communicators have one
        return topology

    def Get_dim(self) -> int:
        """Return the number of directions."""
        return len(self._grid.dims)

    def Get_topo(self) -> tuple[list[int], list[int], list[int]]:
        """Return the dimensions, the periods, and this rank's coordinates."""
        return self.dims, self.periods, self.coords

    def Get_cart_rank(self, coords: Sequence[int]) -> int:
        """Return the rank at these coordinates."""
        return self._grid.rank(coords)

    def Get_coords(self, rank: int) -> list[int]:
        """Return the coordinates of a rank."""
        return self._grid.coords(rank)

    def Shift(self, direction: int, disp: int) -> tuple[int, int]:
        """Return whom to receive from and whom to send to.

        Parameters
        ----------
        direction
            From 0.
        disp
            How far data go, upwards if it is positive.

        Returns
        -------
        tuple
            Source and destination; `PROC_NULL` where there is none.
        """
        return self._grid.shift(self.state.rank, direction, disp)

    @property
    def dim(self) -> int:
        """The number of directions."""
        return self.Get_dim()

    ndim = dim

    @property
    def topo(self) -> tuple[list[int], list[int], list[int]]:
        """The dimensions, the periods, and this rank's coordinates."""
        return self.Get_topo()

    @property
    def dims(self) -> list[int]:
        """The ranks along each direction."""
        return list(self._grid.dims)

    @property
    def periods(self) -> list[int]:
        """For each direction 1 if its ends are neighbours, else 0."""
        return list(self._grid.periods)

    @property
    def coords(self) -> list[int]:
        """The coordinates of this rank."""
        return self._grid.coords(self.state.rank)


class GraphCalls(Member):
    """The nodes and edges of a graph."""

    __slots__ = ()

    @property
    def _graph(self) -> Graph:
        topology = self.state.topology
        assert isinstance(topology, Graph)  # such communicators have one
        return topology

    def Get_dims(self) -> tuple[int, int]:
        """Return the numbers of nodes and edges."""
        return self._graph.size, len(self._graph.edges)

    def Get_topo(self) -> tuple[list[int], list[int]]:
        """Return the index and the edges, as for `Create_graph`."""
        return list(self._graph.index), list(self._graph.edges)

    def Get_neighbors_count(self, rank: int) -> int:
        """Return how many neighbours a rank has."""
        return len(self._graph.adjacent(rank))

    def Get_neighbors(self, rank: int) -> list[int]:
        """Return the neighbours of a rank."""
        return list(self._graph.adjacent(rank))

    @property
    def dims(self) -> tuple[int, int]:
        """The numbers of nodes and edges."""
        return self.Get_dims()

    @property
    def nnodes(self) -> int:
        """The number of nodes."""
        return self.Get_dims()[0]

    @property
    def nedges(self) -> int:
        """The number of edges."""
        return self.Get_dims()[1]

    @property
    def topo(self) -> tuple[list[int], list[int]]:
        """The index and the edges, as for `Create_graph`."""
        return self.Get_topo()

    @property
    def index(self) -> list[int]:
        """For each rank, how many edges it and those before it have."""
        return self.Get_topo()[0]

    @property
    def edges(self) -> list[int]:
        """The neighbours of all ranks, one rank after the other."""
        return self.Get_topo()[1]

    @property
    def nneighbors(self) -> int:
        """How many neighbours this rank has."""
        return self.Get_neighbors_count(self.state.rank)

    @property
    def neighbors(self) -> list[int]:
        """The neighbours of this rank."""
        return self.Get_neighbors(self.state.rank)


class DistGraphCalls(Member):
    """The edges of this rank in a graph."""

    __slots__ = ()

    @property
    def _graph(self) -> DistGraph:
        topology = self.state.topology
        assert isinstance(topology, DistGraph)  # such communicators have one
        return topology

    def Get_dist_neighbors_count(self) -> tuple[int, int, bool]:
        """Return how many ranks this one receives from, sends to, and if weighted."""
        graph = self._graph
        is_weighted = graph.weights is not None
        return len(graph.sources), len(graph.destinations), is_weighted

    def Get_dist_neighbors(
        self,
    ) -> tuple[list[int], list[int], tuple[list[int], list[int]] | None]:
        """Return the sources, the destinations, and the weights of both or None."""
        graph = self._graph
        weights = None
        if graph.weights is not None:
            weights = list(graph.weights[0]), list(graph.weights[1])
        return list(graph.sources), list(graph.destinations), weights
