"""Reduce: the root gets the data of all ranks, combined in rank order.

n ranks, m bytes, root k. *Binomial*: two trees that meet at the root, one over the
ranks from the root on and its mirror image over those before it. Every message is the
fold of a contiguous range of ranks, so operators need to be associative but not
commutative, whatever the root. *Direct*: all send to the root, which folds.
*Reduce-scatter, gather* (Rabenseifner 2004; vectors): p places, the largest power of
two up to n, r = n - p; the places halve the vectors, then gather the blocks along a
binomial tree.

==========  ===========================================  ===============
..          binomial                                     direct
==========  ===========================================  ===============
rounds      max(floor(log2(n - k)), floor(log2(k + 1)))  1
messages    n - 1                                        n - 1
bytes       (n - 1) * m                                  (n - 1) * m
posts       n - 1                                        n - 1
==========  ===========================================  ===============

==========  ===============================================================
..          reduce_scatter_gather
==========  ===============================================================
rounds      2 * log2 p; 1 more if r > 0 and the root is one of the first 2r
messages    p * log2 p + p - 1 + r
bytes       m * (p - 1 + r + log2 p / 2)
posts       as messages
==========  ===============================================================

The usual way to keep the order, a tree at rank 0 that hands its result to the root,
takes a message and a round more than the binomial one. Direct is one round: right
where a round is slow and data are small. Reduce-scatter and gather share the work of
combining large vectors: no rank moves more than about 2 m bytes, the root of a tree
log2(n) m.
"""

import functools
from typing import Any

from numpy.typing import NDArray

from serverless_dist.comm.algorithms import gather
from serverless_dist.comm.algorithms.blocks import even_bounds
from serverless_dist.comm.algorithms.costs import Cost, Load, ceil_log2, floor_log2
from serverless_dist.comm.algorithms.halving import (
    Assembly,
    Combine,
    Places,
    fold_pair,
    halve,
)
from serverless_dist.comm.algorithms.tree import children, parent
from serverless_dist.comm.steps import Exchange, Recv, Send, Steps


def binomial(rank: int, size: int, data: Any, op: Combine, root: int = 0) -> Steps[Any]:
    """Return the fold of all data by `op` in rank order at the root; None elsewhere.

    Parameters
    ----------
    rank, size
        This rank and the number of ranks.
    data
        What this rank contributes; never changed.
    op
        Associative; called with the fold of lower ranks first.
    root
        The rank that gets the result.
    """
    before: list[int] = []
    after: list[int] = []
    if rank <= root:
        places = children(root - rank, root + 1)
        before = [root - place for place in reversed(places)]
    if rank >= root:
        after = [root + place for place in children(rank - root, size - root)]
    value = data
    if before or after:
        parts = yield Exchange((), (*before, *after))
        parts.insert(len(before), data)
        value = functools.reduce(op, parts)
    if rank == root:
        return value
    side = 1 if rank > root else -1
    yield Send(root + side * parent(abs(rank - root)), value)
    return None


def binomial_cost(size: int, nbytes: int) -> Cost:
    """Return what `binomial` costs for `nbytes` of each rank; the root is rank 0."""
    fan = ceil_log2(size)
    total = (size - 1) * nbytes
    path = Load(fan, fan * nbytes)
    return Cost(floor_log2(size), size - 1, total, size - 1, path)


def direct(rank: int, size: int, data: Any, op: Combine, root: int = 0) -> Steps[Any]:
    """Return the fold of all data by `op` in rank order at the root; None elsewhere.

    See `binomial` for the parameters.
    """
    if rank != root:
        yield Send(root, data)
        return None
    others = (*range(root), *range(root + 1, size))
    items = (yield Exchange((), others)) if others else []
    items.insert(root, data)
    return functools.reduce(op, items)


direct_cost = gather.direct_cost


def reduce_scatter_gather(
    rank: int, size: int, data: NDArray[Any], op: Combine, root: int = 0
) -> Steps[NDArray[Any] | None]:
    """Return the fold of all data by `op` in rank order at the root; None elsewhere.

    Parameters
    ----------
    rank, size
        This rank and the number of ranks.
    data
        A vector, of the same length on every rank; never changed.
    op
        Associative; combines two vectors element by element, that of lower ranks
        first, and is called on parts of vectors.
    root
        The rank that gets the result.
    """
    places = Places.of(size, root)
    data = yield from fold_pair(places, rank, data, op)
    if not places.leads(rank):
        return None
    place, goal = places.place(rank), places.place(root)
    bounds = even_bounds(len(data), places.power)
    block = yield from halve(places, place, data, bounds, op)
    if places.power == 1:
        return block
    assembly = Assembly(place, places.power, block, bounds)
    bit = places.power // 2
    while bit:
        peer = places.leader(place ^ bit)
        if (place ^ goal) & bit:
            yield Send(peer, assembly.held)
            return None
        assembly.add((yield Recv(peer)), below=bool(place & bit))
        bit //= 2
    return assembly.held


def reduce_scatter_gather_cost(size: int, nbytes: int) -> Cost:
    """Return what `reduce_scatter_gather` costs; the root is rank 0."""
    depth = floor_log2(size)
    power = 1 << depth
    extra = size - power
    messages = power * depth + power - 1 + extra
    total = (power - 1 + extra) * nbytes + depth * nbytes // 2
    shared = extra > 0
    path_bytes = 2 * (power - 1) * nbytes // power + shared * nbytes
    path = Load(2 * depth + shared, path_bytes)
    return Cost(2 * depth + shared, messages, total, messages, path)
