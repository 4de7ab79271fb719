"""Collectives as generators of steps, one file per collective, and the choice of one.

1. The algorithms of one collective take the same arguments.
2. They never write into what they are given or sent, and do not copy it needlessly:
   what they return may be, or be part of, what the caller gave or an operator returned.
3. Messages of scatter, gather, allgather and alltoall are lists of items that nobody
   looks at; those of bcast, reductions and scans are the data, or a part of a vector.
"""

from serverless_dist.comm.algorithms import inter
from serverless_dist.comm.algorithms.among import among
from serverless_dist.comm.algorithms.choose import (
    CANDIDATES,
    Algorithm,
    candidates,
    choose,
    named,
)
from serverless_dist.comm.algorithms.neighbor import exchange

__all__ = [
    "CANDIDATES",
    "Algorithm",
    "among",
    "candidates",
    "choose",
    "exchange",
    "inter",
    "named",
]
