"""Plans of the neighbourhood collectives: each rank exchanges with its neighbours.

All is posted at once; ranks that are not neighbours have nothing to do with each other.
What is given for several neighbours, the same object, is sent once, as a multicast,
which topics and object stores do in one request.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from serverless_dist.comm.algorithms import exchange
from serverless_dist.comm.checks import check_items
from serverless_dist.comm.collectives.moves import EQUAL, Splitters
from serverless_dist.comm.collectives.plans import Call, Plan
from serverless_dist.comm.constants import PROC_NULL
from serverless_dist.comm.data.blocks import Block
from serverless_dist.comm.data.buffers import send_block
from serverless_dist.comm.engine.channel import Format
from serverless_dist.comm.engine.sealed import Sealed
from serverless_dist.comm.state import State
from serverless_dist.comm.steps import Script, Send, Steps
from serverless_dist.comm.topology.topologies import Cartesian

_ONE = Format(lambda sealed: sealed.body, Sealed)
"""Each message is one `Sealed`, without a head."""


def allgather(
    state: State, sendbuf: Any, recvbuf: Any, split: Splitters = EQUAL
) -> Plan:
    """Prepare the gathering of the buffers of all sources."""
    sources, dests = _neighbors(state)
    item, places = send_block(sendbuf), split[1](recvbuf, len(sources))
    return _plan(state, Call.NEIGHBOR_ALLGATHER, [item] * len(dests), places)


def alltoall(
    state: State, sendbuf: Any, recvbuf: Any, split: Splitters = EQUAL
) -> Plan:
    """Prepare the exchange of a part of the buffer with each neighbour."""
    sources, dests = _neighbors(state)
    parts, places = split[0](sendbuf, len(dests)), split[1](recvbuf, len(sources))
    return _plan(state, Call.NEIGHBOR_ALLTOALL, parts, places)


def allgather_objects(state: State, obj: Any) -> Plan:
    """Prepare the gathering of the objects of all sources."""
    _, dests = _neighbors(state)
    return _objects(state, Call.NEIGHBOR_ALLGATHER, [obj] * len(dests))


def alltoall_objects(state: State, objs: Iterable[Any]) -> Plan:
    """Prepare the exchange of an object with each neighbour."""
    _, dests = _neighbors(state)
    items = check_items("neighbor_alltoall", objs, len(dests))
    return _objects(state, Call.NEIGHBOR_ALLTOALL, items)


def _neighbors(state: State) -> tuple[Sequence[int], Sequence[int]]:
    """Return the ranks that this one receives from and sends to, in MPI's order."""
    topology = state.topology
    assert topology is not None  # only communicators with a topology have these calls
    return topology.neighbors(state.rank)


def _plan(
    state: State, call: Call, parts: Sequence[Block], places: Sequence[Block]
) -> Plan:
    """Prepare an exchange of the contents of buffers."""

    def steps() -> Script:
        read: dict[int, Sealed] = {}
        for part in parts:
            if id(part) not in read:
                read[id(part)] = Sealed((part.read(),))
        received = yield from _exchange(state, [read[id(part)] for part in parts])
        for place, sealed in zip(places, received, strict=True):
            if sealed is not None:
                place.write(sealed.body[0])

    return Plan.of(state, call, _ONE, steps)


def _objects(state: State, call: Call, items: Sequence[Any]) -> Plan:
    """Prepare an exchange of objects; each is encoded once."""
    encoded: dict[int, Sealed] = {}
    for item in items:
        if id(item) not in encoded:
            encoded[id(item)] = Sealed.of(item)
    sealed = [encoded[id(item)] for item in items]

    def steps() -> Script:
        received = yield from _exchange(state, sealed)
        return [None if each is None else each.open() for each in received]

    return Plan.of(state, call, _ONE, steps)


def _exchange(state: State, items: Sequence[Sealed]) -> Steps[list[Sealed | None]]:
    """Send an item to each destination; return one of each source, in their order."""
    sources, dests = _neighbors(state)
    real = [source for source in sources if source != PROC_NULL]
    received = iter((yield from exchange(_sends(state, dests, items), real)))
    return [None if s == PROC_NULL else next(received) for s in sources]


def _sends(state: State, dests: Sequence[int], items: Sequence[Sealed]) -> list[Send]:
    """Return what to send, those of the same item as a multicast."""
    pairs = list(zip(dests, items, strict=True))
    if isinstance(state.topology, Cartesian):
        # A neighbour on both sides names its lower side first: so the message that
        # goes up has to be sent before the one that goes down.
        pairs = [pairs[place ^ 1] for place in range(len(pairs))]
    pairs = [(dest, item) for dest, item in pairs if dest != PROC_NULL]
    if len({dest for dest, _ in pairs}) < len(pairs):
        return [Send(dest, item) for dest, item in pairs]
    groups: dict[int, tuple[list[int], Sealed]] = {}
    for dest, item in pairs:
        groups.setdefault(id(item), ([], item))[0].append(dest)
    return [Send(tuple(members), item) for members, item in groups.values()]
