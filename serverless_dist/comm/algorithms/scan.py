"""Scan: rank i gets the fold of ranks 0 to i; exscan: of those before it.

Recursive doubling (Hillis and Steele 1986), n ranks, m bytes, d = ceil(log2 n): in
round k every rank sends the fold of the 2^k ranks up to itself to the rank 2^k further
on. All in rank order, so operators need to be associative but not commutative.

==========  ======================
rounds      floor(log2 n)
messages    n * d - 2^d + 1
bytes       m * messages
posts       as messages
==========  ======================

The fewest rounds there can be. A chain from rank to rank takes n - 1 messages and as
many rounds, which no channel of ours makes worth while.
"""

from typing import Any

from serverless_dist.comm.algorithms.costs import Cost, Load, ceil_log2, floor_log2
from serverless_dist.comm.algorithms.halving import Combine
from serverless_dist.comm.steps import Exchange, Send, Steps


def recursive_doubling(rank: int, size: int, data: Any, op: Combine) -> Steps[Any]:
    """Return the fold by `op` of the data of ranks 0 to this one, in rank order.

    Parameters
    ----------
    rank, size
        This rank and the number of ranks.
    data
        What this rank contributes; never changed.
    op
        Associative; called with the fold of lower ranks first.
    """
    value = data
    distance = 1
    while distance < size:
        for theirs in (yield from _shift(rank, size, value, distance)):
            value = op(theirs, value)
        distance *= 2
    return value


def exclusive(rank: int, size: int, data: Any, op: Combine) -> Steps[Any]:
    """Return the fold of the data of the ranks before this one; None at rank 0.

    See `recursive_doubling` for the parameters.
    """
    value = data
    before: list[Any] = []  # the same fold without this rank's data, once there is any
    distance = 1
    while distance < size:
        for theirs in (yield from _shift(rank, size, value, distance)):
            before = [op(theirs, before[0]) if before else theirs]
            if 2 * distance < size:  # somebody wants it still
                value = op(theirs, value)
        distance *= 2
    return before[0] if before else None


def _shift(rank: int, size: int, value: Any, distance: int) -> Steps[list[Any]]:
    """Send up by `distance`; return what came from as far below, if anything."""
    sends = (Send(rank + distance, value),) if rank + distance < size else ()
    sources = (rank - distance,) if rank >= distance else ()
    if not sends and not sources:
        return []
    received: list[Any] = yield Exchange(sends, sources)
    return received


def doubling_cost(size: int, nbytes: int) -> Cost:
    """Return what `recursive_doubling` and `exclusive` cost."""
    doublings = ceil_log2(size)
    messages = size * doublings - (1 << doublings) + 1
    return Cost(
        rounds=floor_log2(size),
        messages=messages,
        bytes=messages * nbytes,
        posts=messages,
        path=Load(doublings, doublings * nbytes),
    )
