"""Scatter: rank i gets item i of the root.

Binomial tree, n ranks, m bytes an item: each rank receives the items of its whole
subtree and hands each child that child's part. An item travels as many hops as its
place has one bits.

==============  =====================================================================
rounds          floor(log2 n)
messages        n - 1
bytes           m * (one bits of 1 .. n - 1), m * n/2 * log2 n for powers of two
most sends      ceil(log2 n), by the root in one post
==============  =====================================================================

The root posts few messages, which is what small items need. Large items are better
sent directly: n - 1 messages and (n - 1) * m bytes in one round.
"""

from collections.abc import Sequence
from typing import Any

from serverless_dist.comm.steps import Exchange, Recv, Send, Steps
from serverless_dist.comm.tree import children, parent, span


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
