"""Broadcast: every rank gets the root's data.

n ranks, m bytes. *Binomial*: each rank passes the data on to all its children in one
multicast. *Scatter, allgather* (van de Geijn; Barnett et al. 1994): the root deals out
blocks of the vector along a binomial tree and all ranks allgather them. *Multicast*:
the root sends to all at once.

==========  ===============  ===========================================  ===========
..          binomial         scatter_allgather                            multicast
==========  ===============  ===========================================  ===========
rounds      floor(log2 n)    floor(log2 n) + ceil(log2 n)                 1
messages    n - 1            n - 1 + n * ceil(log2 n)                     n - 1
bytes       (n - 1) * m      (n - 1) * m + m / n * one bits of 1 .. n-1   (n - 1) * m
posts       floor(n / 2)     floor(n / 2) + n * ceil(log2 n)              1
==========  ===============  ===========================================  ===========

Binomial has the fewest messages there can be, in logarithmic depth. Where topics,
object stores or shared memory hold one copy for all, the multicast is one request.
Scatter and allgather suit large vectors where a multicast to so many ranks takes the
root too long: nobody sends more than 2 m bytes or more than 2 log2 n messages.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serverless_dist.comm.algorithms.blocks import even_bounds
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


def binomial_cost(size: int, nbytes: int) -> Cost:
    """Return what `binomial` costs for data of `nbytes`."""
    depth, fan = floor_log2(size), ceil_log2(size)
    return Cost(
        rounds=depth,
        messages=size - 1,
        bytes=(size - 1) * nbytes,
        posts=size // 2,
        path=Load(fan, fan * nbytes),
        sent=Load(size // 2, size // 2 * nbytes),
        sent_path=Load(depth, depth * nbytes),
    )


def multicast(rank: int, size: int, data: Any, root: int = 0) -> Steps[Any]:
    """Return the root's `data`; that of other ranks is not looked at."""
    if rank != root:
        return (yield Recv(root))
    if size > 1:
        yield Send((*range(root + 1, size), *range(root)), data)
    return data


def multicast_cost(size: int, nbytes: int) -> Cost:
    """Return what `multicast` costs for data of `nbytes`."""
    if size == 1:
        return NOTHING
    everything = Load(size - 1, (size - 1) * nbytes)
    once = Load(1, nbytes)
    return Cost(
        1, everything.messages, everything.bytes, 1, everything, once, sent_path=once
    )


def scatter_allgather(
    rank: int, size: int, data: NDArray[Any], root: int = 0
) -> Steps[NDArray[Any]]:
    """Return the root's `data`.

    Parameters
    ----------
    rank, size
        This rank and the number of ranks.
    data
        One-dimensional and of the same length and type on every rank. What others than
        the root have in it is not looked at, and stays.
    root
        The rank whose data all get; it gets `data` itself back.
    """
    place = (rank - root) % size
    bounds = even_bounds(len(data), size)
    whole = np.empty_like(data) if place else data
    yield from _deal(place, root, whole, bounds)
    distance = 1  # so many blocks are there, from that of this place on
    while distance < size:
        count = min(distance, size - distance)
        send = Send((rank - distance) % size, _blocks(whole, bounds, place, count))
        (more,) = yield Exchange((send,), ((rank + distance) % size,))
        if place:
            _put(whole, bounds, (place + distance) % size, more)
        distance *= 2
    return whole


def _deal(
    place: int, root: int, whole: NDArray[Any], bounds: Sequence[int]
) -> Steps[None]:
    """Receive the blocks of all places below this one, and pass them on."""
    size = len(bounds) - 1
    if place:
        part = yield Recv((parent(place) + root) % size)
        whole[bounds[place] : bounds[place + span(place, size)]] = part
    sends = [
        Send(
            (child + root) % size,
            whole[bounds[child] : bounds[child + span(child, size)]],
        )
        for child in reversed(children(place, size))
    ]
    if sends:
        yield Exchange(tuple(sends), ())


def _blocks(
    whole: NDArray[Any], bounds: Sequence[int], start: int, count: int
) -> NDArray[Any]:
    """Return so many blocks from one on, around the end; a view if they are in line."""
    size = len(bounds) - 1
    stop = start + count
    if stop <= size:
        return whole[bounds[start] : bounds[stop]]
    return np.concatenate((whole[bounds[start] :], whole[: bounds[stop - size]]))


def _put(
    whole: NDArray[Any], bounds: Sequence[int], start: int, part: NDArray[Any]
) -> None:
    """Put blocks where they belong, from one on and around the end."""
    begin = bounds[start]
    head = part[: len(whole) - begin]
    whole[begin : begin + len(head)] = head
    tail = part[len(head) :]
    whole[: len(tail)] = tail


def scatter_allgather_cost(size: int, nbytes: int) -> Cost:
    """Return what `scatter_allgather` costs for data of `nbytes`."""
    doublings = ceil_log2(size)
    return Cost(
        rounds=floor_log2(size) + doublings,
        messages=size - 1 + size * doublings,
        bytes=(size - 1) * nbytes + one_bits(size) * nbytes // size,
        posts=size // 2 + size * doublings,
        path=Load(2 * doublings, 2 * (size - 1) * nbytes // size),
    )
