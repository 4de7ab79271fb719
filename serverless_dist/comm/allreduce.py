"""Allreduce: every rank gets the data of all ranks, combined in rank order.

Recursive doubling (Thakur, Rabenseifner and Gropp 2005). n ranks, m bytes, p the
largest power of two up to n, r = n - p: the first 2 r ranks fold in pairs of
neighbours, p ranks double, and the pairs share the result. Every value is the fold of
a contiguous range of ranks, so operators need to be associative but not commutative,
and all ranks compute the very same bits.

==========  ============================================
rounds      log2 p; 1 more if r > 0, 2 more if r > p / 2
messages    p * log2 p + 2 * r
bytes       m * messages
==========  ============================================

The fewest rounds: right for small data. A reduce and a bcast take 2 (n - 1) messages
and about twice the rounds, which is cheaper where each message is billed; large arrays
want reduce-scatter and allgather.
"""

from collections.abc import Callable
from typing import Any

from serverless_dist.comm.steps import Exchange, Recv, Send, Steps


def recursive_doubling(
    rank: int, size: int, data: Any, op: Callable[[Any, Any], Any]
) -> Steps[Any]:
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
    power = 1 << (size.bit_length() - 1)
    extra = size - power
    if rank >= 2 * extra:
        return (yield from _double(rank, extra, power, data, op))
    if rank % 2:
        yield Send(rank - 1, data)
        return (yield Recv(rank - 1))
    value = op(data, (yield Recv(rank + 1)))
    value = yield from _double(rank, extra, power, value, op)
    yield Send(rank + 1, value)
    return value


def _double(
    rank: int, extra: int, power: int, value: Any, op: Callable[[Any, Any], Any]
) -> Steps[Any]:
    """Double over `power` places: `extra` even ranks, then all from 2 `extra` on."""
    place = rank // 2 if rank < 2 * extra else rank - extra
    bit = 1
    while bit < power:
        other = place ^ bit
        peer = 2 * other if other < extra else other + extra
        (theirs,) = yield Exchange((Send(peer, value),), (peer,))
        value = op(theirs, value) if other < place else op(value, theirs)
        bit *= 2
    return value
