"""Scatter: rank i gets item i of the root. Messages are lists of items.

n ranks, m bytes an item. *Binomial*: each rank receives the items of its whole subtree
and hands each child that child's part; an item travels as many hops as its place has
one bits. *Direct*: the root sends each rank its item, all posted at once.

==========  ==============================  =============
..          binomial                        direct
==========  ==============================  =============
rounds      floor(log2 n)                   1
messages    n - 1                           n - 1
bytes       m * (one bits of 1 .. n - 1)    (n - 1) * m
posts       floor(n / 2)                    1
==========  ==============================  =============

The one bits are n / 2 * log2 n for powers of two. With the tree the root sends only
ceil(log2 n) messages, which is what small items need where messages cost the sender
time; direct is one round and no byte too many.
"""

from collections.abc import Sequence
from typing import Any

from serverless_dist.comm.algorithms.costs import (
    NOTHING,
    Cost,
    Load,
    ceil_log2,
    floor_log2,
    one_bits,
)
from serverless_dist.comm.algorithms.tree import children, parent, span
from serverless_dist.comm.steps import Exchange, Recv, Send, Steps


def binomial(rank: int, size: int, items: Sequence[Any], root: int = 0) -> Steps[Any]:
    """Return item `rank` of the root's `items`; those of others are not looked at."""
    place = (rank - root) % size
    if place == 0:
        mine = [*items[root:], *items[:root]]
    else:
        mine = yield Recv((parent(place) + root) % size)
    sends = []
    for child in reversed(children(place, size)):
        start = child - place
        part = mine[start : start + span(child, size)]
        sends.append(Send((child + root) % size, part))
    if sends:
        yield Exchange(tuple(sends), ())
    return mine[0]


def binomial_cost(size: int, nbytes: int) -> Cost:
    """Return what `binomial` costs for items of `nbytes` each."""
    return Cost(
        rounds=floor_log2(size),
        messages=size - 1,
        bytes=one_bits(size) * nbytes,
        posts=size // 2,
        path=Load(ceil_log2(size), (size - 1) * nbytes),
    )


def direct(rank: int, size: int, items: Sequence[Any], root: int = 0) -> Steps[Any]:
    """Return item `rank` of the root's `items`; those of others are not looked at."""
    if rank != root:
        return (yield Recv(root))[0]
    others = (*range(root + 1, size), *range(root))
    if others:
        yield Exchange(tuple(Send(dest, [items[dest]]) for dest in others), ())
    return items[root]


def direct_cost(size: int, nbytes: int) -> Cost:
    """Return what `direct` costs for items of `nbytes` each."""
    if size == 1:
        return NOTHING
    total = (size - 1) * nbytes
    return Cost(1, size - 1, total, 1, Load(size - 1, total))
