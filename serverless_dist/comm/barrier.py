"""Barrier: return once every rank has entered.

Dissemination (Hensgen, Finkel and Manber 1988), n ranks: in round k every rank tells
the rank 2^k further on.

==========  ==================
rounds      ceil(log2 n)
messages    n * ceil(log2 n)
bytes       0
==========  ==================

Every rank works in every round, so it is the fastest where messages are cheap. Where
each message is billed, a reduce and a bcast of nothing take 2 (n - 1) messages and
twice the rounds.
"""

from serverless_dist.comm.steps import Exchange, Send, Steps


def dissemination(rank: int, size: int) -> Steps[None]:
    """Return once every rank has entered."""
    distance = 1
    while distance < size:
        signal = Send((rank + distance) % size, None)
        yield Exchange((signal,), ((rank - distance) % size,))
        distance *= 2
