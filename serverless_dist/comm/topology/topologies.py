"""Virtual topologies: who is whose neighbour. Plain values, no communication.

All three have their `kind`, a constant of MPI, and answer `neighbors(rank)` with the
ranks that `rank` receives from and those that it sends to, in MPI's order, which is the
order of the blocks in neighbourhood collectives.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Self

from serverless_dist.comm.checks import check_rank
from serverless_dist.comm.constants import CART, DIST_GRAPH, GRAPH, PROC_NULL
from serverless_dist.comm.exceptions import (
    ERR_ARG,
    ERR_DIMS,
    MPIError,
)

Ranks = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cartesian:
    """A grid, its ranks numbered with the last coordinate running fastest.

    Attributes
    ----------
    dims
        The ranks along each dimension.
    periods
        For each dimension 1 if its ends are neighbours, else 0.
    """

    kind: ClassVar[int] = CART

    dims: tuple[int, ...]
    periods: tuple[int, ...]

    @classmethod
    def of(
        cls, dims: Sequence[int], periods: Sequence[bool] | bool | None = None
    ) -> Self:
        """Return the grid, its dimensions checked.

        Parameters
        ----------
        dims
            The ranks along each dimension.
        periods
            Whether its ends are neighbours, for each dimension or for all; by default
            they are not.
        """
        if periods is None or isinstance(periods, bool):
            periods = [bool(periods)] * len(dims)
        if any(dim < 1 for dim in dims):
            msg = f"the dimensions are {list(dims)}, but each must be 1 or more"
            raise MPIError(ERR_DIMS, msg)
        check_length("periods", periods, len(dims))
        return cls(tuple(dims), tuple(int(bool(period)) for period in periods))

    @property
    def size(self) -> int:
        """The number of ranks.

        >>> Cartesian((2, 3), (0, 0)).size
        6
        """
        return math.prod(self.dims)

    def rank(self, coords: Sequence[int]) -> int:
        """Return the rank at these coordinates, wrapped where the grid is periodic.

        Raises
        ------
        MPIError
            `ERR_ARG`: they are too few, too many, or outside the grid.

        >>> Cartesian((2, 3), (0, 1)).rank([1, -1])
        5
        """
        check_length("coords", coords, len(self.dims))
        result = 0
        for coord, dim, period in zip(coords, self.dims, self.periods, strict=True):
            if not period and not 0 <= coord < dim:
                msg = f"the coordinates {list(coords)} are not in the grid {self.dims}"
                raise MPIError(ERR_ARG, msg)
            result = result * dim + coord % dim
        return result

    def coords(self, rank: int) -> list[int]:
        """Return the coordinates of a rank.

        >>> Cartesian((2, 3), (0, 0)).coords(5)
        [1, 2]
        """
        rest = check_rank("rank", rank, self.size)
        result = []
        for dim in reversed(self.dims):
            rest, coord = divmod(rest, dim)
            result.append(coord)
        return result[::-1]

    def shift(self, rank: int, direction: int, disp: int) -> tuple[int, int]:
        """Return whom a rank receives from and sends to when all shift.

        Parameters
        ----------
        rank
            The rank.
        direction
            The dimension to shift along, from 0.
        disp
            How far, upwards if it is positive.

        Returns
        -------
        tuple
            The source and the destination, `PROC_NULL` where there is none.

        >>> Cartesian((3,), (0,)).shift(2, 0, 1)
        (1, -2)
        """
        if not 0 <= direction < len(self.dims):
            msg = f"direction is {direction}, but the grid has {len(self.dims)} of them"
            raise MPIError(ERR_ARG, msg)
        coords = self.coords(rank)
        return (
            self._at(coords, direction, -disp),
            self._at(coords, direction, disp),
        )

    def neighbors(self, rank: int) -> tuple[Ranks, Ranks]:
        """Return the lower and the upper neighbour in each dimension, twice.

        >>> Cartesian((2, 3), (0, 1)).neighbors(0)
        ((-2, 3, 2, 1), (-2, 3, 2, 1))
        """
        both = tuple(
            neighbor
            for direction in range(len(self.dims))
            for neighbor in self.shift(rank, direction, 1)
        )
        return both, both

    def sub(self, rank: int, remain: Sequence[bool]) -> tuple["Cartesian", int, int]:
        """Return the part of the grid that a rank is in when dimensions are dropped.

        Parameters
        ----------
        rank
            The rank.
        remain
            For each dimension whether it is kept.

        Returns
        -------
        tuple
            The part; its number among all parts; the rank's number in it.

        >>> grid, color, key = Cartesian((2, 3), (0, 1)).sub(5, [False, True])
        >>> grid.dims, color, key
        ((3,), 1, 2)
        """
        check_length("remain_dims", remain, len(self.dims))
        coords = self.coords(rank)
        kept = [place for place, keep in enumerate(remain) if keep]
        dropped = [place for place, keep in enumerate(remain) if not keep]
        part, others = self._only(kept), self._only(dropped)
        color = others.rank([coords[place] for place in dropped])
        return part, color, part.rank([coords[place] for place in kept])

    def _only(self, places: Sequence[int]) -> "Cartesian":
        dims = tuple(self.dims[place] for place in places)
        return Cartesian(dims, tuple(self.periods[place] for place in places))

    def _at(self, coords: Sequence[int], direction: int, disp: int) -> int:
        moved = list(coords)
        moved[direction] += disp
        inside = 0 <= moved[direction] < self.dims[direction]
        return self.rank(moved) if inside or self.periods[direction] else PROC_NULL


@dataclass(frozen=True, slots=True)
class Graph:
    """Any graph, known to all ranks.

    Attributes
    ----------
    index
        For each rank, the number of neighbours of it and all before it.
    edges
        The neighbours of all ranks, one rank after the other.
    """

    kind: ClassVar[int] = GRAPH

    index: tuple[int, ...]
    edges: tuple[int, ...]

    @classmethod
    def of(cls, index: Sequence[int], edges: Sequence[int]) -> Self:
        """Return the graph, checked.

        Parameters
        ----------
        index
            As above; a 0 may come first, as usual outside of MPI. As in mpi4py, it has
            to if the first rank has no neighbours.
        edges
            As above.
        """
        if len(index) and index[0] == 0 and index[-1] == len(edges):
            index = index[1:]
        bounds = [0, *index]
        if any(low > high for low, high in pairwise(bounds)) or bounds[-1] > len(edges):
            msg = (
                f"index has to rise from 0 to at most {len(edges)}, the number of edges"
            )
            raise MPIError(ERR_ARG, msg)
        if any(not 0 <= edge < len(index) for edge in edges):
            msg = f"edges may name ranks from 0 to {len(index) - 1} only"
            raise MPIError(ERR_ARG, msg)
        return cls(tuple(index), tuple(edges[: bounds[-1]]))

    @property
    def size(self) -> int:
        """The number of ranks."""
        return len(self.index)

    def adjacent(self, rank: int) -> Ranks:
        """Return the neighbours of a rank.

        >>> Graph((1, 3, 4), (1, 0, 2, 1)).adjacent(1)
        (0, 2)
        """
        place = check_rank("rank", rank, self.size)
        start = self.index[place - 1] if place else 0
        return self.edges[start : self.index[place]]

    def neighbors(self, rank: int) -> tuple[Ranks, Ranks]:
        """Return the neighbours of a rank, twice."""
        both = self.adjacent(rank)
        return both, both


@dataclass(frozen=True, slots=True)
class DistGraph:
    """A graph of which each rank knows its own edges.

    Attributes
    ----------
    sources
        The ranks that send to this one.
    destinations
        The ranks that this one sends to.
    weights
        The weights of both; None if the graph has none.
    """

    kind: ClassVar[int] = DIST_GRAPH

    sources: Ranks
    destinations: Ranks
    weights: tuple[Ranks, Ranks] | None = None

    def neighbors(self, rank: int) -> tuple[Ranks, Ranks]:
        """Return sources and destinations of this rank: no other's are known."""
        return self.sources, self.destinations


Topology = Cartesian | Graph | DistGraph


def check_length(name: str, items: Sequence[object], length: int) -> None:
    """Refuse a sequence that does not have as many items as it needs.

    Raises
    ------
    MPIError
        `ERR_ARG`.
    """
    if len(items) != length:
        msg = f"{name} has {len(items)} items, but {length} are needed"
        raise MPIError(ERR_ARG, msg)
