"""All to all: rank i gets item i of every rank. Messages are lists of items.

n ranks, m bytes an item. *Posted*: rank r sends to r + 1, r + 2, ... so that no two
begin with the same receiver, all at once: a channel that packs messages puts several
targets into one request. *Pairwise*: the same, one exchange after the other. *Bruck*
(Bruck, Ho, Kipnis, Upfal and Weathersby 1997): in round k every rank sends the items
whose way to go has bit k, 2^k ranks on.

==========  =================  =================  ==================================
..          posted             pairwise           bruck
==========  =================  =================  ==================================
rounds      1                  n - 1              ceil(log2 n)
messages    n * (n - 1)        n * (n - 1)        n * ceil(log2 n)
bytes       n * (n - 1) * m    n * (n - 1) * m    n * m * (one bits of 1 .. n - 1)
posts       n                  n * (n - 1)        n * ceil(log2 n)
==========  =================  =================  ==================================

Posted is right unless items are tiny and ranks many: there Bruck has fewer messages,
each byte travelling about log2(n) / 2 hops. Pairwise keeps one item at a time on its
way, which bounds the memory that it takes.
"""

from collections.abc import Sequence
from typing import Any

from serverless_dist.comm.algorithms.costs import (
    NOTHING,
    Cost,
    Load,
    ceil_log2,
    one_bits,
)
from serverless_dist.comm.steps import Exchange, Send, Steps


def posted(rank: int, size: int, items: Sequence[Any]) -> Steps[list[Any]]:
    """Return item `rank` of every rank, by rank."""
    result = [items[rank]] * size
    if size > 1:
        dests = (*range(rank + 1, size), *range(rank))
        sources = (*range(rank), *range(rank + 1, size))
        sends = tuple(Send(dest, [items[dest]]) for dest in dests)
        received = yield Exchange(sends, sources)
        for source, bundle in zip(sources, received, strict=True):
            (result[source],) = bundle
    return result


def posted_cost(size: int, nbytes: int) -> Cost:
    """Return what `posted` costs for items of `nbytes` each."""
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
        sent_path=received,
    )


def pairwise(rank: int, size: int, items: Sequence[Any]) -> Steps[list[Any]]:
    """Return item `rank` of every rank, by rank."""
    result = [items[rank]] * size
    for distance in range(1, size):
        dest, source = (rank + distance) % size, (rank - distance) % size
        (bundle,) = yield Exchange((Send(dest, [items[dest]]),), (source,))
        (result[source],) = bundle
    return result


def pairwise_cost(size: int, nbytes: int) -> Cost:
    """Return what `pairwise` costs for items of `nbytes` each."""
    messages = size * (size - 1)
    path = Load(size - 1, (size - 1) * nbytes)
    return Cost(size - 1, messages, messages * nbytes, messages, path)


def bruck(rank: int, size: int, items: Sequence[Any]) -> Steps[list[Any]]:
    """Return item `rank` of every rank, by rank."""
    # moving[i] has i ranks to go in all, and goes the bits of i one after the other.
    moving = [*items[rank:], *items[:rank]]
    bit = 1
    while bit < size:
        places = [place for place in range(size) if place & bit]
        send = Send((rank + bit) % size, [moving[place] for place in places])
        (bundle,) = yield Exchange((send,), ((rank - bit) % size,))
        for place, item in zip(places, bundle, strict=True):
            moving[place] = item
        bit *= 2
    return [moving[(rank - source) % size] for source in range(size)]


def bruck_cost(size: int, nbytes: int) -> Cost:
    """Return what `bruck` costs for items of `nbytes` each."""
    rounds = ceil_log2(size)
    each = one_bits(size) * nbytes
    return Cost(rounds, size * rounds, size * each, size * rounds, Load(rounds, each))
