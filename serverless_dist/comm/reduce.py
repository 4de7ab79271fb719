"""Reduce: the root gets the data of all ranks, combined in rank order.

Two binomial trees that meet at the root, one over the ranks from the root on and its
mirror image over those before it. Every message is the fold of a contiguous range of
ranks, so operators need to be associative but not commutative, whatever the root. n
ranks, m bytes, root r:

================  ====================================================
rounds            max(floor(log2(n - r)), floor(log2(r + 1)))
messages          n - 1
bytes             (n - 1) * m
most receives     ceil(log2(n - r)) + ceil(log2(r + 1)), by the root
================  ====================================================

The usual way to keep the order, a tree at rank 0 that hands its result to the root,
takes a message and a round more. For very large arrays, reduce-scatter and gather share
the work of combining.
"""

import functools
from collections.abc import Callable
from typing import Any

from serverless_dist.comm.steps import Exchange, Send, Steps
from serverless_dist.comm.tree import children, parent


def binomial(
    rank: int, size: int, data: Any, op: Callable[[Any, Any], Any], root: int = 0
) -> Steps[Any]:
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
