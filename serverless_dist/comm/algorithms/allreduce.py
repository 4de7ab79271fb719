"""Allreduce of any data: every rank gets the data of all, combined in rank order.

n ranks, m bytes, p the largest power of two up to n, r = n - p. *Recursive doubling*
(Thakur, Rabenseifner and Gropp 2005): the first 2 r ranks fold in pairs of neighbours,
p places double, and the pairs share the result. *Reduce, bcast*: a binomial tree to
rank 0, which multicasts. *Gather, bcast*: all send to rank 0, which folds and
multicasts. *Multicast*: every rank sends to all at once, and everybody folds.

==========  ======================================  ============  ==============
..          recursive_doubling                      reduce_bcast  gather_bcast
==========  ======================================  ============  ==============
rounds      log2 p; 1 more if r > 0, 2 if r > p/2   1 + log2 p    2
messages    p * log2 p + 2 * r                      2 * (n - 1)   2 * (n - 1)
bytes       m * messages                            m * messages  m * messages
posts       as messages                             n             n
==========  ======================================  ============  ==============

The multicast takes one round, n * (n - 1) messages and n posts.

Every value is the fold of a contiguous range of ranks, so operators need to be
associative but not commutative, and all ranks get the very same bits. Doubling is the
fastest for small data where messages are cheap. Where each is billed, 2 (n - 1) are the
fewest there can be, by tree if rank 0 cannot take n - 1 at once; where a round is slow
and ranks are few, the multicast is the fastest. Large vectors: see `vectors`.
"""

import functools
from typing import Any

from serverless_dist.comm.algorithms import allgather, reduce
from serverless_dist.comm.algorithms.costs import (
    NOTHING,
    Cost,
    Load,
    ceil_log2,
    floor_log2,
)
from serverless_dist.comm.algorithms.halving import Combine, Places, double, fold_pair
from serverless_dist.comm.steps import Exchange, Recv, Send, Steps


def recursive_doubling(rank: int, size: int, data: Any, op: Combine) -> Steps[Any]:
    """Return the fold of all data by `op` in rank order.

    Parameters
    ----------
    rank, size
        This rank and the number of ranks.
    data
        What this rank contributes; never changed.
    op
        Associative; called with the fold of lower ranks first.
    """
    places = Places.of(size)
    partner = places.partner(rank)
    value = yield from fold_pair(places, rank, data, op)
    if partner is not None and not places.leads(rank):
        return (yield Recv(partner))
    value = yield from double(places, places.place(rank), value, op)
    if partner is not None:
        yield Send(partner, value)
    return value


def doubling_rounds(size: int) -> int:
    """Return the longest chain of messages when pairs fold, double and share.

    >>> [doubling_rounds(size) for size in (1, 2, 3, 4, 5, 7)]
    [0, 1, 2, 2, 3, 4]
    """
    depth = floor_log2(size)
    extra = size - (1 << depth)
    return depth + (extra > 0) + (2 * extra > 1 << depth)


def recursive_doubling_cost(size: int, nbytes: int) -> Cost:
    """Return what `recursive_doubling` costs for `nbytes` of each rank."""
    depth = floor_log2(size)
    extra = size - (1 << depth)
    messages = (depth << depth) + 2 * extra
    longest = depth + 2 * (extra > 0)
    path = Load(longest, longest * nbytes)
    return Cost(doubling_rounds(size), messages, messages * nbytes, messages, path)


def _spread(rank: int, size: int, value: Any) -> Steps[Any]:
    """Return the value of rank 0, which multicasts it."""
    if rank:
        return (yield Recv(0))
    if size > 1:
        yield Send(tuple(range(1, size)), value)
    return value


def reduce_bcast(rank: int, size: int, data: Any, op: Combine) -> Steps[Any]:
    """Return the fold of all data by `op` in rank order; see `recursive_doubling`."""
    value = yield from reduce.binomial(rank, size, data, op)
    return (yield from _spread(rank, size, value))


def reduce_bcast_cost(size: int, nbytes: int) -> Cost:
    """Return what `reduce_bcast` costs for `nbytes` of each rank."""
    if size == 1:
        return NOTHING
    fan = ceil_log2(size)
    return Cost(
        rounds=floor_log2(size) + 1,
        messages=2 * (size - 1),
        bytes=2 * (size - 1) * nbytes,
        posts=size,
        path=Load(fan + size - 1, (fan + size - 1) * nbytes),
        sent=Load(size, size * nbytes),
        sent_path=Load(fan + 1, (fan + 1) * nbytes),
    )


def gather_bcast(rank: int, size: int, data: Any, op: Combine) -> Steps[Any]:
    """Return the fold of all data by `op` in rank order; see `recursive_doubling`."""
    value = yield from reduce.direct(rank, size, data, op)
    return (yield from _spread(rank, size, value))


def gather_bcast_cost(size: int, nbytes: int) -> Cost:
    """Return what `gather_bcast` costs for `nbytes` of each rank."""
    if size == 1:
        return NOTHING
    messages = 2 * (size - 1)
    return Cost(
        rounds=2,
        messages=messages,
        bytes=messages * nbytes,
        posts=size,
        path=Load(messages, messages * nbytes),
        sent=Load(size, size * nbytes),
        sent_path=Load(size, size * nbytes),
    )


def multicast(rank: int, size: int, data: Any, op: Combine) -> Steps[Any]:
    """Return the fold of all data by `op` in rank order; see `recursive_doubling`."""
    if size == 1:
        return data
    after, before = tuple(range(rank + 1, size)), tuple(range(rank))
    send = Send((*after, *before), data)
    items = yield Exchange((send,), (*before, *after))
    items.insert(rank, data)
    return functools.reduce(op, items)


multicast_cost = allgather.multicast_cost
