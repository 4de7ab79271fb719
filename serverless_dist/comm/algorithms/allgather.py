"""Allgather: every rank gets a list of what every rank gave, of any sizes.

Messages are lists of items. n ranks, m bytes each. *Recursive doubling* (powers of two
only): in round k ranks 2^k apart exchange all they have. *Bruck* (Bruck, Ho, Kipnis,
Upfal and Weathersby 1997): in round k every rank sends all it has, at most 2^k items,
to the rank 2^k before it. *Ring*: every rank passes on to the next what came from the
one before. *Multicast*: every rank sends to all at once.

==========  ==================  ==================  ================
..          doubling, Bruck     ring                multicast
==========  ==================  ==================  ================
rounds      ceil(log2 n)        n - 1               1
messages    n * ceil(log2 n)    n * (n - 1)         n * (n - 1)
bytes       n * (n - 1) * m     n * (n - 1) * m     n * (n - 1) * m
posts       n * ceil(log2 n)    n * (n - 1)         n
==========  ==================  ==================  ================

Doubling and Bruck have the fewest rounds without a multicast and no byte too many. A
ring never packs two items into one message, so that it needs the least memory. Where
topics or object stores copy a message, n multicasts in one round beat all forwarding.
"""

from typing import Any

from serverless_dist.comm.algorithms.costs import NOTHING, Cost, Load, ceil_log2
from serverless_dist.comm.steps import Exchange, Send, Steps
from serverless_dist.errors import UsageError


def recursive_doubling(rank: int, size: int, data: Any) -> Steps[list[Any]]:
    """Return the data of all ranks, by rank.

    Raises
    ------
    UsageError
        The number of ranks is not a power of two.
    """
    if size & (size - 1):
        msg = f"recursive doubling is for powers of two, not for {size} ranks"
        raise UsageError(msg)
    items = [data]  # of the ranks that agree with this one but for the lowest bits
    bit = 1
    while bit < size:
        peer = rank ^ bit
        (more,) = yield Exchange((Send(peer, items),), (peer,))
        items = [*more, *items] if peer < rank else [*items, *more]
        bit *= 2
    return items


def bruck(rank: int, size: int, data: Any) -> Steps[list[Any]]:
    """Return the data of all ranks, by rank."""
    items = [data]  # items[i] is that of rank + i
    distance = 1
    while distance < size:
        missing = size - distance
        send = Send((rank - distance) % size, items[:missing])
        (more,) = yield Exchange((send,), ((rank + distance) % size,))
        items.extend(more)
        distance *= 2
    shift = size - rank
    return items[shift:] + items[:shift]


def doubling_cost(size: int, nbytes: int) -> Cost:
    """Return what `recursive_doubling` and `bruck` cost for `nbytes` of each rank."""
    rounds = ceil_log2(size)
    return Cost(
        rounds=rounds,
        messages=size * rounds,
        bytes=size * (size - 1) * nbytes,
        posts=size * rounds,
        path=Load(rounds, (size - 1) * nbytes),
    )


def ring(rank: int, size: int, data: Any) -> Steps[list[Any]]:
    """Return the data of all ranks, by rank."""
    result = [data] * size
    bundle = [data]
    after, before = (rank + 1) % size, (rank - 1) % size
    for distance in range(1, size):
        (bundle,) = yield Exchange((Send(after, bundle),), (before,))
        (result[(rank - distance) % size],) = bundle
    return result


def ring_cost(size: int, nbytes: int) -> Cost:
    """Return what `ring` costs for `nbytes` of each rank."""
    messages = size * (size - 1)
    path = Load(size - 1, (size - 1) * nbytes)
    return Cost(size - 1, messages, messages * nbytes, messages, path)


def multicast(rank: int, size: int, data: Any) -> Steps[list[Any]]:
    """Return the data of all ranks, by rank."""
    if size == 1:
        return [data]
    after, before = tuple(range(rank + 1, size)), tuple(range(rank))
    send = Send((*after, *before), [data])
    bundles = yield Exchange((send,), (*before, *after))
    items = [item for bundle in bundles for item in bundle]
    items.insert(rank, data)
    return items


def multicast_cost(size: int, nbytes: int) -> Cost:
    """Return what `multicast` costs for `nbytes` of each rank."""
    if size == 1:
        return NOTHING
    messages = size * (size - 1)
    received = Load(size - 1, (size - 1) * nbytes)
    return Cost(
        rounds=1,
        messages=messages,
        bytes=messages * nbytes,
        posts=size,
        path=Load(2 * size - 3, received.bytes),
        sent=Load(size, size * nbytes),
        sent_path=received,
    )
