"""What a communicator is: its members, and the contexts that keep it apart.

A communicator object is a handle on a `State`; several handles may share one.

Every member derives the context of a new communicator from what all of them know: the
context of its parent and how many collective calls that has seen. So making one takes
no message where its members are known. A context is 62 bits of a hash: with a million
communicators in one job, two share one with a probability of one in ten million.
"""

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from threading import Lock

from serverless_dist.comm.attributes import Store
from serverless_dist.comm.engine.endpoint import Endpoint
from serverless_dist.comm.engine.scope import Scope
from serverless_dist.comm.errhandler import ERRORS_RETURN, Errhandler
from serverless_dist.comm.info import INFO_NULL, Info
from serverless_dist.comm.topology.topologies import Topology

WORLD_CONTEXT = 0
SELF_CONTEXT = 2


@dataclass(slots=True, eq=False)
class Extras:
    """What mpi4py's parts in Python keep with a communicator; see `extension`.

    Attributes
    ----------
    locks
        By name; made when they are asked for.
    duplicate, local
        A communicator of the same ranks, and one of the local group.
    tags
        Numbers that were not used in `duplicate` yet.
    """

    locks: defaultdict[Hashable, Lock] = field(
        default_factory=lambda: defaultdict(Lock)
    )
    duplicate: "State | None" = None
    local: "State | None" = None
    tags: Iterator[int] = field(default_factory=itertools.count)


@dataclass(slots=True, eq=False)
class State(Scope):
    """A `Scope`, and what the program and the collective calls keep with it.

    Attributes
    ----------
    name, info, errhandler
        What the program has set.
    topology
        How the ranks are arranged, if they are.
    algorithms
        The algorithm to use, by collective; others are chosen by cost.
    attributes
        What the program has attached, by key.
    calls
        Numbers the collective calls.
    numbered
        Numbers what is not collective but has to be told apart.
    extras
        For mpi4py's own use.
    """

    name: str = ""
    info: Info = field(default_factory=lambda: INFO_NULL)
    errhandler: Errhandler = field(default_factory=lambda: ERRORS_RETURN)
    topology: Topology | None = None
    algorithms: dict[str, str] = field(default_factory=dict)
    attributes: Store = field(default_factory=dict)
    calls: Iterator[int] = field(default_factory=itertools.count)
    numbered: dict[object, Iterator[int]] = field(default_factory=dict)
    extras: Extras = field(default_factory=Extras)


def world_state(endpoint: Endpoint) -> State:
    """Return the communicator of all ranks of the job."""
    members = tuple(range(endpoint.size))
    return State(
        endpoint,
        WORLD_CONTEXT,
        members,
        endpoint.rank,
        name="MPI_COMM_WORLD",
        algorithms=dict(endpoint.algorithms),
    )


def self_state(endpoint: Endpoint) -> State:
    """Return the communicator of this rank alone."""
    return State(endpoint, SELF_CONTEXT, (endpoint.rank,), 0, name="MPI_COMM_SELF")


def derive(context: int, *distinctions: object) -> int:
    """Return the context of a new communicator: even, and below 2**63.

    Parameters
    ----------
    context
        That of its parent.
    distinctions
        What tells it from others of that parent: numbers, texts and tuples of them.

    >>> derive(0, "dup", 1) == derive(0, "dup", 1) != derive(0, "dup", 2)
    True
    """
    text = repr((context, *distinctions)).encode()
    digest = hashlib.blake2b(text, digest_size=8).digest()
    return int.from_bytes(digest) & ~(1 << 63) & ~1 | 1 << 32


def next_call(calls: dict[object, Iterator[int]], key: object) -> int:
    """Return how often the key was asked for before.

    >>> counters: dict[object, Iterator[int]] = {}
    >>> next_call(counters, "a"), next_call(counters, "b"), next_call(counters, "a")
    (0, 0, 1)
    """
    return next(calls.setdefault(key, itertools.count()))
