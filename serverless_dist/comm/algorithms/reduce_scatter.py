"""Reduce-scatter: rank i gets block i of the fold of all vectors, in rank order.

n ranks, m bytes of which each rank gets m / n (or any counts, also none), p the
largest power of two up to n, r = n - p. *Recursive halving* (distance doubling, so that
ranks stay in order; Thakur, Rabenseifner and Gropp 2005): the first 2 r ranks fold in
pairs, p places halve vectors whose blocks are laid out in bit-reversed order, and the
pairs part their block. *Pairwise*: each block goes straight to its rank, one exchange
after the other, folded as it arrives. *Posted*: the same, all at once.

==========  ========================================  ===============  ===============
..          recursive_halving                         pairwise         posted
==========  ========================================  ===============  ===============
rounds      log2 p; 1 more if r > 0, 2 if r > p / 2   n - 1            1
messages    p * log2 p + 2 * r                        n * (n - 1)      n * (n - 1)
bytes       m * (p - 1 + r + r / n)                   (n - 1) * m      (n - 1) * m
posts       as messages                               n * (n - 1)      n
==========  ========================================  ===============  ===============

Halving is right nearly always. Posted is right where a round is slow and one request
carries several messages. Pairwise moves the least where n is no power of two, and keeps
one block at a time on its way.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serverless_dist.comm.algorithms.allreduce import doubling_rounds
from serverless_dist.comm.algorithms.blocks import bounds_of, cut
from serverless_dist.comm.algorithms.costs import NOTHING, Cost, Load, floor_log2
from serverless_dist.comm.algorithms.halving import (
    Combine,
    Places,
    fold_pair,
    halve,
    reversed_bits,
)
from serverless_dist.comm.steps import Exchange, Recv, Send, Steps


def recursive_halving(
    rank: int, size: int, data: NDArray[Any], counts: Sequence[int], op: Combine
) -> Steps[NDArray[Any]]:
    """Return block `rank` of the fold of all data by `op` in rank order.

    Parameters
    ----------
    rank, size
        This rank and the number of ranks.
    data
        A vector of ``sum(counts)`` elements; never changed.
    counts
        The elements that each rank gets; the same on every rank.
    op
        Associative; combines two vectors element by element, that of lower ranks
        first, and is called on parts of vectors.
    """
    places = Places.of(size)
    partner = places.partner(rank)
    data = yield from fold_pair(places, rank, data, op)
    if partner is not None and not places.leads(rank):
        mine: NDArray[Any] = yield Recv(partner)
        return mine
    vector, bounds = _reordered(places, data, counts)
    block = yield from halve(places, places.place(rank), vector, bounds, op)
    if partner is None:
        return block
    yield Send(partner, block[counts[rank] :])
    return block[: counts[rank]]


def _reordered(
    places: Places, data: NDArray[Any], counts: Sequence[int]
) -> tuple[NDArray[Any], list[int]]:
    """Return the data with the block of place i where `halve` gives it to place i."""
    bounds = bounds_of(counts)
    paired = 2 * places.extra
    blocks = cut(data, [*bounds[:paired:2], *bounds[paired:]])
    order = [reversed_bits(place, places.power) for place in range(places.power)]
    if places.power > 2:
        blocks = [blocks[place] for place in order]
        data = np.concatenate(blocks)
    return data, bounds_of([len(block) for block in blocks])


def recursive_halving_cost(size: int, nbytes: int) -> Cost:
    """Return what `recursive_halving` costs for vectors of `nbytes`, evenly dealt."""
    depth = floor_log2(size)
    power = 1 << depth
    extra = size - power
    messages = power * depth + 2 * extra
    path_bytes = (power - 1) * nbytes // power
    if extra:
        path_bytes += nbytes + nbytes // size
    return Cost(
        rounds=doubling_rounds(size),
        messages=messages,
        bytes=(power - 1 + extra) * nbytes + extra * nbytes // size,
        posts=messages,
        path=Load(depth + 2 * (extra > 0), path_bytes),
    )


def pairwise(
    rank: int, size: int, data: NDArray[Any], counts: Sequence[int], op: Combine
) -> Steps[NDArray[Any]]:
    """Return block `rank` of the fold of all data by `op`; see `recursive_halving`."""
    blocks = cut(data, bounds_of(counts))
    below = blocks[rank]  # the fold from some rank up to this one
    above: NDArray[Any] | None = None  # and of all from some later rank on
    for distance in range(1, size):
        dest, source = (rank + distance) % size, (rank - distance) % size
        (block,) = yield Exchange((Send(dest, blocks[dest]),), (source,))
        if source < rank:
            below = op(block, below)
        else:
            above = block if above is None else op(block, above)
    return below if above is None else op(below, above)


def pairwise_cost(size: int, nbytes: int) -> Cost:
    """Return what `pairwise` costs for vectors of `nbytes`, evenly dealt."""
    messages = size * (size - 1)
    path = Load(size - 1, (size - 1) * nbytes // size)
    return Cost(size - 1, messages, (size - 1) * nbytes, messages, path)


def posted(
    rank: int, size: int, data: NDArray[Any], counts: Sequence[int], op: Combine
) -> Steps[NDArray[Any]]:
    """Return block `rank` of the fold of all data by `op`; see `recursive_halving`."""
    blocks = cut(data, bounds_of(counts))
    if size == 1:
        return blocks[0]
    after, before = tuple(range(rank + 1, size)), tuple(range(rank))
    sends = tuple(Send(dest, blocks[dest]) for dest in (*after, *before))
    parts = yield Exchange(sends, (*before, *after))
    parts.insert(rank, blocks[rank])
    return functools.reduce(op, parts)


def posted_cost(size: int, nbytes: int) -> Cost:
    """Return what `posted` costs for vectors of `nbytes`, evenly dealt."""
    if size == 1:
        return NOTHING
    received = Load(size - 1, (size - 1) * nbytes // size)
    return Cost(
        rounds=1,
        messages=size * (size - 1),
        bytes=(size - 1) * nbytes,
        posts=size,
        path=Load(2 * size - 3, received.bytes),
        sent_path=received,
    )
