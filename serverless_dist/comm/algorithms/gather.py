"""Gather: the root gets a list of what every rank gave. Messages are lists of items.

n ranks, m bytes each. *Binomial*: each rank collects the data of its subtree and hands
it to its parent; data travel as many hops as their place has one bits. *Direct*: each
rank sends to the root.

==========  ==============================  =============
..          binomial                        direct
==========  ==============================  =============
rounds      floor(log2 n)                   1
messages    n - 1                           n - 1
bytes       m * (one bits of 1 .. n - 1)    (n - 1) * m
posts       n - 1                           n - 1
==========  ==============================  =============

The one bits are n / 2 * log2 n for powers of two. With the tree the root receives only
ceil(log2 n) messages, which is what small data need where messages cost the receiver
time; direct is one round and no byte too many.
"""

from typing import Any

from serverless_dist.comm.algorithms.costs import (
    NOTHING,
    Cost,
    Load,
    ceil_log2,
    floor_log2,
    one_bits,
)
from serverless_dist.comm.algorithms.tree import children, parent
from serverless_dist.comm.steps import Exchange, Send, Steps


def binomial(rank: int, size: int, data: Any, root: int = 0) -> Steps[list[Any] | None]:
    """Return the data of all ranks, by rank, at the root; None elsewhere."""
    place = (rank - root) % size
    mine = [data]
    below = children(place, size)
    if below:
        # Subtrees are contiguous: ascending children follow on from each other.
        sources = tuple((child + root) % size for child in below)
        for part in (yield Exchange((), sources)):
            mine.extend(part)
    if place:
        yield Send((parent(place) + root) % size, mine)
        return None
    shift = size - root
    return mine[shift:] + mine[:shift]


def binomial_cost(size: int, nbytes: int) -> Cost:
    """Return what `binomial` costs for `nbytes` of each rank."""
    return Cost(
        rounds=floor_log2(size),
        messages=size - 1,
        bytes=one_bits(size) * nbytes,
        posts=size - 1,
        path=Load(ceil_log2(size), (size - 1) * nbytes),
    )


def direct(rank: int, size: int, data: Any, root: int = 0) -> Steps[list[Any] | None]:
    """Return the data of all ranks, by rank, at the root; None elsewhere."""
    if rank != root:
        yield Send(root, [data])
        return None
    others = (*range(root), *range(root + 1, size))
    bundles = (yield Exchange((), others)) if others else []
    items = [item for bundle in bundles for item in bundle]
    items.insert(root, data)
    return items


def direct_cost(size: int, nbytes: int) -> Cost:
    """Return what `direct` costs for `nbytes` of each rank."""
    if size == 1:
        return NOTHING
    total = (size - 1) * nbytes
    return Cost(1, size - 1, total, size - 1, Load(size - 1, total))
