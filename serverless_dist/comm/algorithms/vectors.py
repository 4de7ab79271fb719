"""Allreduce of large vectors: every rank gets the fold of all, block by block.

n ranks, m bytes, p the largest power of two up to n, r = n - p. *Ring* (Patarasuk and
Yuan 2009): every block goes once around to be folded, and once more to be known.
*Rabenseifner* (2004): the first 2 r ranks fold in pairs, p places halve vectors while
they double distances, then put the blocks together on the way back, and the pairs share
the result.

==========  ====================  ================================
..          ring                  rabenseifner
==========  ====================  ================================
rounds      2 * (n - 1)           2 * log2 p; 2 more if r > 0
messages    2 * n * (n - 1)       2 * p * log2 p + 2 * r
bytes       2 * (n - 1) * m       2 * (p - 1 + r) * m
posts       as messages           as messages
==========  ====================  ================================

All ranks get the very same bits. Rabenseifner folds in rank order and has logarithmic
rounds: right for large vectors unless n is no power of two, where the pairs move 2 m
bytes more than others; there, and on direct links only, the ring moves the least. A
ring folds each block in another order, so it is for commutative operators.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from serverless_dist.comm.algorithms.blocks import cut, even_bounds
from serverless_dist.comm.algorithms.costs import Cost, Load, floor_log2
from serverless_dist.comm.algorithms.halving import (
    Assembly,
    Combine,
    Places,
    fold_pair,
    halve,
)
from serverless_dist.comm.steps import Exchange, Recv, Send, Steps


def ring(rank: int, size: int, data: NDArray[Any], op: Combine) -> Steps[NDArray[Any]]:
    """Return the fold of all data by `op`, in any order.

    Parameters
    ----------
    rank, size
        This rank and the number of ranks.
    data
        A vector, of the same length on every rank; never changed.
    op
        Associative and commutative; combines two vectors element by element, and is
        called on parts of vectors.
    """
    if size == 1:
        return data
    blocks = cut(data, even_bounds(len(data), size))
    after, before = (rank + 1) % size, (rank - 1) % size
    block = blocks[rank]
    for step in range(1, size):
        (theirs,) = yield Exchange((Send(after, block),), (before,))
        block = op(theirs, blocks[(rank - step) % size])
    blocks[after] = block  # folded by all by now
    for step in range(size - 1):
        (block,) = yield Exchange((Send(after, block),), (before,))
        blocks[(rank - step) % size] = block
    return np.concatenate(blocks)


def ring_cost(size: int, nbytes: int) -> Cost:
    """Return what `ring` costs for vectors of `nbytes`."""
    rounds = 2 * (size - 1)
    path = Load(rounds, rounds * nbytes // size)
    return Cost(rounds, size * rounds, rounds * nbytes, size * rounds, path)


def rabenseifner(
    rank: int, size: int, data: NDArray[Any], op: Combine
) -> Steps[NDArray[Any]]:
    """Return the fold of all data by `op` in rank order.

    Parameters
    ----------
    rank, size
        This rank and the number of ranks.
    data
        A vector, of the same length on every rank; never changed.
    op
        Associative; combines two vectors element by element, that of lower ranks
        first, and is called on parts of vectors.
    """
    places = Places.of(size)
    partner = places.partner(rank)
    data = yield from fold_pair(places, rank, data, op)
    if partner is not None and not places.leads(rank):
        result: NDArray[Any] = yield Recv(partner)
        return result
    place = places.place(rank)
    bounds = even_bounds(len(data), places.power)
    block = yield from halve(places, place, data, bounds, op)
    if places.power == 1:
        return block
    assembly = Assembly(place, places.power, block, bounds)
    bit = places.power // 2
    while bit:
        peer = places.leader(place ^ bit)
        (part,) = yield Exchange((Send(peer, assembly.held),), (peer,))
        assembly.add(part, below=bool(place & bit))
        bit //= 2
    if partner is not None:
        yield Send(partner, assembly.held)
    return assembly.held


def rabenseifner_cost(size: int, nbytes: int) -> Cost:
    """Return what `rabenseifner` costs for vectors of `nbytes`."""
    depth = floor_log2(size)
    power = 1 << depth
    extra = size - power
    rounds = 2 * depth + 2 * (extra > 0)
    messages = 2 * power * depth + 2 * extra
    path_bytes = 2 * (power - 1) * nbytes // power + 2 * (extra > 0) * nbytes
    return Cost(
        rounds=rounds,
        messages=messages,
        bytes=2 * (power - 1 + extra) * nbytes,
        posts=messages,
        path=Load(rounds, path_bytes),
    )
