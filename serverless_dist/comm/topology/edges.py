"""How ranks make a distributed graph: from the edges that each of them names."""

from collections.abc import Sequence
from typing import NamedTuple

from serverless_dist.comm.checks import check_rank
from serverless_dist.comm.exceptions import ERR_ARG, ERR_TOPOLOGY, MPIError
from serverless_dist.comm.topology.topologies import DistGraph, Ranks, check_length

# Addresses in C, and so integers in mpi4py; these are those of MPI's standard ABI.
UNWEIGHTED = 10
"""Edges have no weights."""

WEIGHTS_EMPTY = 11
"""Edges have weights, but this rank has no edges."""

Weights = Sequence[int] | int | None
Named = tuple[Sequence[int], Sequence[int], Sequence[int], Weights]


class _Edge(NamedTuple):
    start: int
    end: int
    weight: int


def adjacent_graph(
    sources: Sequence[int] | None,
    destinations: Sequence[int] | None,
    weights: tuple[Weights, Weights],
    size: int,
) -> DistGraph:
    """Return the graph of a rank that names its own neighbours.

    Parameters
    ----------
    sources
        Those that send to it; None: none.
    destinations
        Those that it sends to; None: none.
    weights
        The weights of both. `UNWEIGHTED` or None: there are none; then neither may
        have them. `WEIGHTS_EMPTY`: there are no edges.
    size
        The number of ranks.

    Raises
    ------
    MPIError
        `ERR_RANK`; `ERR_ARG` for too few, too many or negative weights; `ERR_TOPOLOGY`
        if only one side has weights.
    """
    sides = [
        tuple(check_rank(role, rank, size) for rank in ranks or ())
        for role, ranks in (("source", sources), ("destination", destinations))
    ]
    given = [_weights(of, len(side)) for of, side in zip(weights, sides, strict=True)]
    if given[0] is not None and given[1] is not None:
        return DistGraph(sides[0], sides[1], (given[0], given[1]))
    if any(given):
        msg = "sourceweights and destweights have to be given both, or neither"
        raise MPIError(ERR_TOPOLOGY, msg)
    return DistGraph(sides[0], sides[1])


def adjacency(named: Sequence[Named], rank: int, size: int) -> DistGraph:
    """Return a rank's part of the graph that all ranks named edges of.

    Edges come in the order of the ranks that named them, so both ends of parallel edges
    list them alike. Every rank finds the same mistakes.

    Parameters
    ----------
    named
        What each rank passed to `Create_dist_graph`: sources, the number of edges from
        each of them, their destinations, and weights as in `adjacent_graph`.
    rank
        The rank.
    size
        The number of ranks.

    Raises
    ------
    MPIError
        As for `adjacent_graph`; `ERR_TOPOLOGY` if some edges have weights and some
        have none.

    >>> adjacency([([0], [1], [1], None), ([], [], [], None)], 1, 2)
    DistGraph(sources=(0,), destinations=(), weights=None)
    """
    parts = [_edges(given, size) for given in named]
    # Who names no edge need not say whether edges have weights.
    kinds = {is_weighted for edges, is_weighted in parts if edges}
    if len(kinds) > 1:
        msg = "some ranks gave their edges weights and some did not"
        raise MPIError(ERR_TOPOLOGY, msg)
    is_weighted = kinds.pop() if kinds else any(weighted for _, weighted in parts)
    edges = [edge for part, _ in parts for edge in part]
    inward = [edge for edge in edges if edge.end == rank]
    outward = [edge for edge in edges if edge.start == rank]
    weights = tuple(e.weight for e in inward), tuple(e.weight for e in outward)
    return DistGraph(
        tuple(edge.start for edge in inward),
        tuple(edge.end for edge in outward),
        weights if is_weighted else None,
    )


def _edges(named: Named, size: int) -> tuple[list[_Edge], bool]:
    """Return the edges that a rank named, and whether it gave them weights."""
    sources, degrees, destinations, weights = named
    check_length("degrees", degrees, len(sources))
    if any(degree < 0 for degree in degrees):
        msg = f"degrees are {list(degrees)}, but none may be negative"
        raise MPIError(ERR_ARG, msg)
    check_length("destinations", destinations, sum(degrees))
    given = _weights(weights, len(destinations))
    starts = [
        check_rank("source", source, size)
        for source, degree in zip(sources, degrees, strict=True)
        for _ in range(degree)
    ]
    ends = [check_rank("destination", rank, size) for rank in destinations]
    loads = [1] * len(ends) if given is None else given
    return list(map(_Edge, starts, ends, loads)), given is not None


def _weights(weights: Weights, degree: int) -> Ranks | None:
    """Return as many weights as there are edges; None if edges have none."""
    if weights is None or (isinstance(weights, int) and weights == UNWEIGHTED):
        return None
    given = () if isinstance(weights, int) and weights == WEIGHTS_EMPTY else weights
    if isinstance(given, int):
        msg = f"weights are {given}, but they must be one for each edge"
        raise TypeError(msg)
    check_length("weights", given, degree)
    if any(weight < 0 for weight in given):
        msg = f"weights are {list(given)}, but none may be negative"
        raise MPIError(ERR_ARG, msg)
    return tuple(given)
