"""All to all: rank i gets item i of every rank.

Pairwise order, n ranks, m bytes an item: rank r sends to r + 1, r + 2, ... so that no
two ranks begin with the same receiver. All is posted at once: a channel that packs
messages puts several targets into one request.

==========  ==================
rounds      1
messages    n * (n - 1)
bytes       n * (n - 1) * m
==========  ==================

No byte too many and one round: right unless items are tiny and n is large.
"""

from collections.abc import Sequence
from typing import Any

from serverless_dist.comm.steps import Exchange, Send, Steps


def pairwise(rank: int, size: int, items: Sequence[Any]) -> Steps[list[Any]]:
    """Return item `rank` of every rank, by rank."""
    sends = []
    sources = []
    for distance in range(1, size):
        dest = (rank + distance) % size
        sends.append(Send(dest, items[dest]))
        sources.append((rank - distance) % size)
    result = [items[rank]] * size
    if sends:
        received = yield Exchange(tuple(sends), tuple(sources))
        for source, item in zip(sources, received, strict=True):
            result[source] = item
    return result
