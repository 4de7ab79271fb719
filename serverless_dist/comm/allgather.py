"""Allgather: every rank gets a list of what every rank gave.

Bruck, Ho, Kipnis, Upfal and Weathersby (1997), n ranks, m bytes each: in round k every
rank sends all it has, at most 2^k items, to the rank 2^k before it.

==========  ==================
rounds      ceil(log2 n)
messages    n * ceil(log2 n)
bytes       n * (n - 1) * m
==========  ==================

The fewest rounds there can be and no byte too many, for any n: right for small and
medium data. Where one multicast reaches everybody and data are large, n multicasts in
one round move the same bytes without forwarding.
"""

from typing import Any

from serverless_dist.comm.steps import Exchange, Send, Steps


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
