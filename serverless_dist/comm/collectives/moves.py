"""Plans of the collective calls that move the contents of buffers.

Data are packed bytes: each rank looks only at its own. A receiver's buffer may be
larger than what comes; if it is smaller, the call raises ``ERR_TRUNCATE`` there.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serverless_dist.comm.collectives.plans import (
    SIGNALS,
    Call,
    Plan,
    Root,
    dispatch,
    nothing,
)
from serverless_dist.comm.data.addresses import is_in_place
from serverless_dist.comm.data.blocks import Block
from serverless_dist.comm.data.buffers import (
    recv_block,
    recv_blocks,
    recv_vector,
    recv_vector_w,
    send_block,
    send_blocks,
    send_vector,
    send_vector_w,
)
from serverless_dist.comm.engine.channel import BUNDLES, arrays
from serverless_dist.comm.engine.sealed import Sealed
from serverless_dist.comm.state import State
from serverless_dist.comm.steps import Script

_BYTES = arrays(np.uint8)

Splitters = tuple[Callable[[Any, int], list[Block]], Callable[[Any, int], list[Block]]]
"""Take what a caller gives apart into one block for each rank: to send, to receive."""

EQUAL: Splitters = send_blocks, recv_blocks
VECTOR: Splitters = send_vector, recv_vector
VECTOR_W: Splitters = send_vector_w, recv_vector_w


def barrier(state: State) -> Plan:
    """Prepare a barrier."""
    return Plan.of(state, Call.BARRIER, SIGNALS, lambda: dispatch(state, "barrier"))


def bcast(state: State, buf: Any, root: int) -> Plan:
    """Prepare a broadcast from the root's buffer to those of all others."""
    at = Root.of(state, root)
    if at.rank is None:  # another rank of this group is the root
        return Plan.of(state, Call.BCAST, _BYTES, nothing)
    block = send_block(buf) if at.is_here else recv_block(buf)

    def steps() -> Script:
        data, nbytes = _flat(block.read()), block.nbytes
        result = yield from dispatch(
            state, "bcast", data, nbytes=nbytes, root=at, vector=True
        )
        if not at.is_here:
            block.write(result)

    return Plan.of(state, Call.BCAST, _BYTES, steps)


def gather(
    state: State, sendbuf: Any, recvbuf: Any, root: int, split: Splitters = EQUAL
) -> Plan:
    """Prepare a gathering of all buffers in that of the root.

    Parameters
    ----------
    state
        The communicator.
    sendbuf
        What this rank gives; `IN_PLACE` at the root: it is in `recvbuf` already.
    recvbuf
        Of the root: has a place for each rank.
    root
        Who gets the data.
    split
        How `recvbuf` is divided.
    """
    at = Root.of(state, root)
    places = split[1](recvbuf, len(state.peers)) if at.is_here else []
    item = _own(state, at, sendbuf, places)

    def steps() -> Script:
        nbytes = _size(split, item)
        bundle = yield from dispatch(
            state, "gather", _seal(item), nbytes=nbytes, root=at
        )
        _fill(places, bundle)

    return Plan.of(state, Call.GATHER, BUNDLES, steps)


def scatter(
    state: State, sendbuf: Any, recvbuf: Any, root: int, split: Splitters = EQUAL
) -> Plan:
    """Prepare a scattering of the root's buffer over those of all.

    Parameters
    ----------
    state
        The communicator.
    sendbuf
        Of the root: has a part for each rank.
    recvbuf
        Where this rank's part goes; `IN_PLACE` at the root: it stays where it is.
    root
        Whose data they are.
    split
        How `sendbuf` is divided.
    """
    at = Root.of(state, root)
    parts = split[0](sendbuf, len(state.peers)) if at.is_here else []
    is_giver = at.is_here and (state.remote is not None or is_in_place(recvbuf))
    place = None if at.rank is None or is_giver else recv_block(recvbuf)

    def steps() -> Script:
        items = [_seal(part) for part in parts]
        is_dealt = at.is_here and state.remote is None
        nbytes = _size(split, parts[state.rank] if is_dealt else place)
        sealed = yield from dispatch(state, "scatter", items, nbytes=nbytes, root=at)
        if place is not None:
            place.write(sealed.body[0])

    return Plan.of(state, Call.SCATTER, BUNDLES, steps)


def allgather(
    state: State, sendbuf: Any, recvbuf: Any, split: Splitters = EQUAL
) -> Plan:
    """Prepare a gathering of all buffers in those of all."""
    places = split[1](recvbuf, len(state.peers))
    in_place = is_in_place(sendbuf) and state.remote is None
    item = places[state.rank] if in_place else send_block(sendbuf)

    def steps() -> Script:
        nbytes = _size(split, item)
        bundle = yield from dispatch(state, "allgather", _seal(item), nbytes=nbytes)
        _fill(places, bundle)

    return Plan.of(state, Call.ALLGATHER, BUNDLES, steps)


def alltoall(
    state: State, sendbuf: Any, recvbuf: Any, split: Splitters = EQUAL
) -> Plan:
    """Prepare an exchange of a part of each rank's buffer with every other's."""
    places = split[1](recvbuf, len(state.peers))
    in_place = is_in_place(sendbuf) and state.remote is None
    parts = places if in_place else split[0](sendbuf, len(state.peers))

    def steps() -> Script:
        items = [_seal(part) for part in parts]
        nbytes = _size(split, parts[0])
        bundle = yield from dispatch(state, "alltoall", items, nbytes=nbytes)
        _fill(places, bundle)

    return Plan.of(state, Call.ALLTOALL, BUNDLES, steps)


def _own(state: State, at: Root, sendbuf: Any, places: Sequence[Block]) -> Block | None:
    """Return what this rank gives; None: the root of another group asks for nothing."""
    if at.rank is None or (at.is_here and state.remote is not None):
        return None
    if at.is_here and is_in_place(sendbuf):
        return places[state.rank]
    return send_block(sendbuf)


def _seal(block: Block | None) -> Sealed:
    return Sealed((b"",)) if block is None else Sealed((block.read(),))


def _fill(places: Sequence[Block], bundle: Sequence[Sealed] | None) -> None:
    """Put what came into its places; a rank that is not the root has none."""
    if bundle is not None:
        for place, sealed in zip(places, bundle, strict=True):
            place.write(sealed.body[0])


def _size(split: Splitters, block: Block | None) -> int | None:
    """Return the bytes of a block if that is what all ranks have."""
    return block.nbytes if split is EQUAL and block is not None else None


def _flat(memory: memoryview) -> NDArray[np.uint8]:
    if not memory.nbytes:  # numpy refuses to look at nothing
        return np.empty(0, np.uint8)
    return np.frombuffer(memory, np.uint8)
