"""Neighbourhood exchange: each rank sends to and receives from peers it knows.

Direct, all posted at once. With d receivers over all ranks and m bytes each:

==========  ==========
rounds      1
messages    d
bytes       d * m
==========  ==========

The pattern of sparse computations whose communication is computed once and used many
times (MPI 3's neighbourhood collectives, Hoefler and Traeff 2009).
"""

from collections.abc import Sequence
from typing import Any

from serverless_dist.comm.steps import Exchange, Send, Steps


def exchange(sends: Sequence[Send], sources: Sequence[int]) -> Steps[list[Any]]:
    """Return what each of `sources` sent to this rank, in the order of `sources`.

    A rank may be named several times, as in a periodic grid of one or two ranks, and
    may be this one: the k-th message from a rank is the k-th that it sent here.
    """
    if not sends and not sources:
        return []
    received: list[Any] = yield Exchange(tuple(sends), tuple(sources))
    return received
