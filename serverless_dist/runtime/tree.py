"""The launch tree: the driver starts some ranks, and those start others.

The driver is node 0 and rank r is node r + 1; the children of node n are the nodes
from n b + 1 to n b + b, for a branching of b. A node starts its children side by side,
as many at a time as it has connections for, and before it does anything else.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from serverless_dist.runtime.envelope import Envelope

WIDTH = 8  # invocations side by side: the threads of `AwsClients`
# Seconds that a branching is chosen for: asynchronous invocations are accepted in 10 to
# 20 ms (unverified), by a driver outside AWS later; a Python function with our clients
# takes some 500 ms to start where there is no warm environment, else some 50 ms.
_INVOKE = 0.02
_DRIVER_INVOKE = 0.06
_STARTS = 0.05, 0.5


def children(node: int, size: int, branching: int) -> range:
    """Return the ranks, of `size`, that a node starts.

    >>> [list(children(node, 8, 3)) for node in range(4)]
    [[0, 1, 2], [3, 4, 5], [6, 7], []]
    """
    first = node * branching
    return range(min(first, size), min(first + branching, size))


def child_envelopes(envelope: Envelope) -> list[Envelope]:
    """Return the invitations of those whom the receiver of this one starts."""
    fields = envelope.fields
    branching = fields.get("branching", 0)
    if not branching:
        return []
    ranks = children(fields["rank"] + 1, fields["size"], branching)
    return [replace(envelope, fields={**fields, "rank": rank}) for rank in ranks]


def parent(rank: int, branching: int) -> int:
    """Return the node that starts a rank.

    >>> [parent(rank, 3) for rank in range(8)]
    [0, 0, 0, 1, 1, 1, 2, 2]
    """
    return rank // branching


def last_start(
    size: int,
    branching: int,
    *,
    start: float,
    invoke: float = _INVOKE,
    driver_invoke: float = _DRIVER_INVOKE,
) -> float:
    """Return after how many seconds the last rank has started.

    Parameters
    ----------
    size, branching
        The number of ranks, and how many children each has.
    start
        Seconds from an invocation's end until the function does something.
    invoke, driver_invoke
        Seconds of one invocation, by a function and by the driver.

    Examples
    --------
    >>> last_start(64, 64, invoke=0.05, driver_invoke=0.05, start=0.0)
    0.4
    >>> last_start(64, 8, invoke=0.05, driver_invoke=0.05, start=0.0)
    0.1
    """
    seconds, nodes, started, cost = 0.0, 1, 0, driver_invoke
    while started < size:
        # The first node of a level is the one with the most children.
        most = min(branching, size - started)
        seconds += cost * math.ceil(most / WIDTH) + start
        nodes *= branching
        started += nodes
        cost = invoke
    return seconds


def choose_branching(size: int) -> int:
    """Return the branching with which the last of `size` ranks starts soon.

    Whether environments are warm cannot be known, so it is the branching that is at
    worst by the smallest factor slower than the best one, warm or not.

    >>> [choose_branching(size) for size in (1, 8, 64, 1_000)]
    [1, 8, 8, 10]
    """
    best = [
        min(last_start(size, b, start=start) for b in range(1, size + 1))
        for start in _STARTS
    ]

    def regret(branching: int) -> float:
        return max(
            last_start(size, branching, start=start) / least
            for start, least in zip(_STARTS, best, strict=True)
        )

    return min(range(1, size + 1), key=lambda b: (regret(b), b))


def roots(missing: Sequence[int], branching: int) -> list[int]:
    """Return those of the missing ranks whose parent is not missing.

    >>> roots([1, 3, 6, 7], branching=3)  # rank 1 starts 6 and 7
    [1, 3]
    """
    return [rank for rank in missing if parent(rank, branching) - 1 not in missing]
