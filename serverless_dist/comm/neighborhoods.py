"""Neighbourhood collectives: each rank exchanges with its neighbours in the topology.

All is posted at once; ranks that are not neighbours have nothing to do with each other.
Where a neighbour is `PROC_NULL`, at the border of a grid, its place in the receiving
buffer stays as it is, and its object is None.

An object that is given for several neighbours is sent once, as a multicast, which
topics and object stores do in one request.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from serverless_dist.comm.algorithms import exchange
from serverless_dist.comm.buffer_moves import EQUAL, VECTOR, VECTOR_W, Splitters
from serverless_dist.comm.checks import check_items
from serverless_dist.comm.constants import PROC_NULL
from serverless_dist.comm.data.blocks import Block
from serverless_dist.comm.data.buffers import send_block
from serverless_dist.comm.engine.channel import Format
from serverless_dist.comm.engine.plans import Call, Plan
from serverless_dist.comm.engine.sealed import Sealed
from serverless_dist.comm.engine.state import State
from serverless_dist.comm.engine.steps import Script, Send, Steps
from serverless_dist.comm.info import INFO_NULL, Info
from serverless_dist.comm.member import Member
from serverless_dist.comm.request import Prequest, Request
from serverless_dist.comm.topologies import Cartesian

_ONE = Format(lambda sealed: sealed.body, Sealed)
"""Each message is one `Sealed`, without a head."""


class NeighborCollectives(Member):
    """Collective calls among the neighbours of a topology."""

    __slots__ = ()

    def neighbor_allgather(self, sendobj: Any) -> list[Any]:
        """Return the objects of all sources, in their order."""
        state = self.state
        _, dests = _neighbors(state)
        return _open(_objects(state, Call.NEIGHBOR_ALLGATHER, [sendobj] * len(dests)))

    def neighbor_alltoall(self, sendobj: Iterable[Any]) -> list[Any]:
        """Send each destination its item of `sendobj`; return one of each source.

        Raises
        ------
        MPIError
            `sendobj` does not have as many items as there are destinations.
        """
        state = self.state
        _, dests = _neighbors(state)
        items = check_items("neighbor_alltoall", sendobj, len(dests))
        return _open(_objects(state, Call.NEIGHBOR_ALLTOALL, items))

    def Neighbor_allgather(self, sendbuf: Any, recvbuf: Any) -> None:
        """Fill `recvbuf` with the `sendbuf` of every source, in their order."""
        allgather(self.state, sendbuf, recvbuf).run()

    def Neighbor_allgatherv(self, sendbuf: Any, recvbuf: Any) -> None:
        """Do as `Neighbor_allgather` with a count and place for each source."""
        allgather(self.state, sendbuf, recvbuf, VECTOR).run()

    def Neighbor_alltoall(self, sendbuf: Any, recvbuf: Any) -> None:
        """Send each destination its part of `sendbuf`; fill `recvbuf` by source."""
        alltoall(self.state, sendbuf, recvbuf).run()

    def Neighbor_alltoallv(self, sendbuf: Any, recvbuf: Any) -> None:
        """Do as `Neighbor_alltoall` with counts and places for each neighbour."""
        alltoall(self.state, sendbuf, recvbuf, VECTOR).run()

    def Neighbor_alltoallw(self, sendbuf: Any, recvbuf: Any) -> None:
        """Do as `Neighbor_alltoallv` with datatypes as well, and places in bytes."""
        alltoall(self.state, sendbuf, recvbuf, VECTOR_W).run()

    def Ineighbor_allgather(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin `Neighbor_allgather`; the request is done when it is."""
        return allgather(self.state, sendbuf, recvbuf).start()

    def Ineighbor_allgatherv(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin `Neighbor_allgatherv`; the request is done when it is."""
        return allgather(self.state, sendbuf, recvbuf, VECTOR).start()

    def Ineighbor_alltoall(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin `Neighbor_alltoall`; the request is done when it is."""
        return alltoall(self.state, sendbuf, recvbuf).start()

    def Ineighbor_alltoallv(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin `Neighbor_alltoallv`; the request is done when it is."""
        return alltoall(self.state, sendbuf, recvbuf, VECTOR).start()

    def Ineighbor_alltoallw(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin `Neighbor_alltoallw`; the request is done when it is."""
        return alltoall(self.state, sendbuf, recvbuf, VECTOR_W).start()

    def Neighbor_allgather_init(
        self, sendbuf: Any, recvbuf: Any, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Neighbor_allgather`."""
        del info
        return allgather(self.state, sendbuf, recvbuf).prepare()

    def Neighbor_allgatherv_init(
        self, sendbuf: Any, recvbuf: Any, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Neighbor_allgatherv`."""
        del info
        return allgather(self.state, sendbuf, recvbuf, VECTOR).prepare()

    def Neighbor_alltoall_init(
        self, sendbuf: Any, recvbuf: Any, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Neighbor_alltoall`."""
        del info
        return alltoall(self.state, sendbuf, recvbuf).prepare()

    def Neighbor_alltoallv_init(
        self, sendbuf: Any, recvbuf: Any, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Neighbor_alltoallv`."""
        del info
        return alltoall(self.state, sendbuf, recvbuf, VECTOR).prepare()

    def Neighbor_alltoallw_init(
        self, sendbuf: Any, recvbuf: Any, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Neighbor_alltoallw`."""
        del info
        return alltoall(self.state, sendbuf, recvbuf, VECTOR_W).prepare()


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


def _objects(state: State, call: Call, items: Sequence[Any]) -> list[Sealed | None]:
    """Exchange objects; each is encoded once."""
    encoded: dict[int, Sealed] = {}
    for item in items:
        if id(item) not in encoded:
            encoded[id(item)] = Sealed.of(item)
    sealed = [encoded[id(item)] for item in items]
    result: list[Sealed | None]
    result = Plan.of(state, call, _ONE, lambda: _exchange(state, sealed)).run()
    return result


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


def _open(bundle: Iterable[Sealed | None]) -> list[Any]:
    return [None if sealed is None else sealed.open() for sealed in bundle]
