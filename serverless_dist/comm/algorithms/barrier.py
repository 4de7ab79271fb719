"""Barrier: return once every rank has entered.

Dissemination (Hensgen, Finkel and Manber 1988), n ranks: in round k every rank tells
the rank 2^k further on. Gather and bcast: every rank tells rank 0, which tells all in
one multicast.

==========  =====================  ================
..          dissemination          gather_bcast
==========  =====================  ================
rounds      ceil(log2 n)           2
messages    n * ceil(log2 n)       2 * (n - 1)
bytes       0                      0
posts       n * ceil(log2 n)       n
==========  =====================  ================

Dissemination is the fastest where messages are cheap, since nobody handles more than a
few. Where each post is billed and takes long, the fewest posts and rounds win.
"""

from serverless_dist.comm.algorithms.costs import NOTHING, Cost, Load, ceil_log2
from serverless_dist.comm.steps import Exchange, Recv, Send, Steps


def dissemination(rank: int, size: int) -> Steps[None]:
    """Return once every rank has entered."""
    distance = 1
    while distance < size:
        signal = Send((rank + distance) % size, None)
        yield Exchange((signal,), ((rank - distance) % size,))
        distance *= 2


def dissemination_cost(size: int, nbytes: int) -> Cost:
    """Return what `dissemination` costs; there are no bytes."""
    del nbytes
    rounds = ceil_log2(size)
    return Cost(rounds, size * rounds, 0, size * rounds, Load(rounds, 0))


def gather_bcast(rank: int, size: int) -> Steps[None]:
    """Return once every rank has entered."""
    if rank:
        yield Send(0, None)
        yield Recv(0)
    elif size > 1:
        others = tuple(range(1, size))
        yield Exchange((), others)
        yield Send(others, None)


def gather_bcast_cost(size: int, nbytes: int) -> Cost:
    """Return what `gather_bcast` costs; there are no bytes."""
    del nbytes
    if size == 1:
        return NOTHING
    return Cost(
        rounds=2,
        messages=2 * (size - 1),
        bytes=0,
        posts=size,
        path=Load(2 * (size - 1), 0),
        sent=Load(size, 0),
        sent_path=Load(size, 0),
    )
