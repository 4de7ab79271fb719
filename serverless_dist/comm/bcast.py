"""Broadcast: every rank gets the root's data.

Binomial tree, n ranks, m bytes: each rank passes the data on to all its children in
one multicast.

==============  =======================================
rounds          floor(log2 n)
messages        n - 1
bytes           (n - 1) * m
most sends      ceil(log2 n), by the root in one post
==============  =======================================

The fewest messages there can be, in logarithmic depth: right for anything but data so
large that the root's own link is the limit (there, scatter and allgather).
"""

from typing import Any

from serverless_dist.comm.steps import Recv, Send, Steps
from serverless_dist.comm.tree import children, parent


def binomial(rank: int, size: int, data: Any, root: int = 0) -> Steps[Any]:
    """Return the root's `data`; that of other ranks is not looked at."""
    place = (rank - root) % size
    if place:
        data = yield Recv((parent(place) + root) % size)
    # The child with the largest subtree first: it has the longest way to go.
    below = [(child + root) % size for child in reversed(children(place, size))]
    if below:
        yield Send(tuple(below), data)
    return data
