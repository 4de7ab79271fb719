"""Gather: the root gets a list of what every rank gave.

Binomial tree, n ranks, m bytes each: each rank collects the data of its subtree and
hands it to its parent. Data travel as many hops as their place has one bits.

================  ===================================================================
rounds            floor(log2 n)
messages          n - 1
bytes             m * (one bits of 1 .. n - 1), m * n/2 * log2 n for powers of two
most receives     ceil(log2 n), by the root
================  ===================================================================

The root receives few messages, which is what small data need. Large data are better
sent to the root directly: n - 1 messages and (n - 1) * m bytes in one round.
"""

from typing import Any

from serverless_dist.comm.steps import Exchange, Send, Steps
from serverless_dist.comm.tree import children, parent


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
