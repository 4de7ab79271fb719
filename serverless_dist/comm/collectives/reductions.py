"""Plans of the collective calls that combine the contents of buffers.

Data are vectors, of the same length and type on all ranks. Operands are folded in rank
order, but for operators that say they are commutative and algorithms that need it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serverless_dist.comm.checks import check_items
from serverless_dist.comm.collectives import objects
from serverless_dist.comm.collectives.plans import Call, Plan, Root, dispatch, nothing
from serverless_dist.comm.data.addresses import is_in_place
from serverless_dist.comm.data.blocks import Block
from serverless_dist.comm.data.buffers import (
    check_alike,
    recv_block,
    recv_blocks,
    send_block,
    send_blocks,
)
from serverless_dist.comm.data.ops import Op
from serverless_dist.comm.engine.channel import BUNDLES, Format, arrays
from serverless_dist.comm.exceptions import ERR_TRUNCATE, MPIError
from serverless_dist.comm.state import State
from serverless_dist.comm.steps import Script, Steps


def reduce(state: State, sendbuf: Any, recvbuf: Any, op: Op, root: int) -> Plan:
    """Prepare a fold of all buffers into that of the root.

    Parameters
    ----------
    state
        The communicator.
    sendbuf
        What this rank contributes; `IN_PLACE` at the root: it is in `recvbuf`.
    recvbuf
        Of the root: where the result goes.
    op
        The operator.
    root
        Who gets the result.
    """
    at = Root.of(state, root)
    place = recv_block(recvbuf) if at.is_here else None
    contributes = at.rank is not None and not (at.is_here and state.remote is not None)
    item = _contribution(sendbuf, place) if contributes else place
    if item is None:  # another rank of this group is the root
        return Plan.of(state, Call.REDUCE, BUNDLES, nothing)
    vector, combine = _vector(item, op)

    def steps() -> Script:
        result = yield from _dispatch(
            state, "reduce", item, op, vector(), combine, root=at
        )
        if place is not None:
            _put(place, result)

    return Plan.of(state, Call.REDUCE, _form(item, op), steps)


def allreduce(state: State, sendbuf: Any, recvbuf: Any, op: Op) -> Plan:
    """Prepare a fold of all buffers into those of all."""
    place = recv_block(recvbuf)
    in_place = is_in_place(sendbuf) and state.remote is None
    item = place if in_place else _contribution(sendbuf, place)
    vector, combine = _vector(item, op)

    def steps() -> Script:
        result = yield from _dispatch(state, "allreduce", item, op, vector(), combine)
        _put(place, result)

    return Plan.of(state, Call.ALLREDUCE, _form(item, op), steps)


def reduce_scatter_block(state: State, sendbuf: Any, recvbuf: Any, op: Op) -> Plan:
    """Prepare a fold of all buffers of which each rank gets an equal block."""
    size = len(state.members)
    if is_in_place(sendbuf) and state.remote is None:
        places = recv_blocks(recvbuf, size)
        items = places
    else:
        places = [recv_block(recvbuf)]
        items = send_blocks(sendbuf, size)
        check_alike(items[0], places[0])
    whole = Block(
        items[0].memory, items[0].offset, items[0].count * size, items[0].layout
    )
    counts = [items[0].count] * size
    return _reduce_scatter(state, whole, places[0], counts, op)


def reduce_scatter(
    state: State,
    sendbuf: Any,
    recvbuf: Any,
    recvcounts: Sequence[int] | None,
    op: Op,
) -> Plan:
    """Prepare a fold of all buffers of which each rank gets a block.

    Parameters
    ----------
    state
        The communicator.
    sendbuf
        What this rank contributes; `IN_PLACE`: it is in `recvbuf`.
    recvbuf
        Where this rank's block goes, at its start.
    recvcounts
        The elements for each rank; None: as many as each rank's `recvbuf` has.
    op
        The operator.
    """
    place = recv_block(recvbuf)
    in_place = is_in_place(sendbuf) and state.remote is None
    item = place if in_place else send_block(sendbuf)
    size = len(state.members)
    if recvcounts is None and not in_place and state.remote is None:
        counts = objects.allgather(state, place.count).run()
    else:
        counts = [int(count) for count in check_items("counts", recvcounts, size)]
    _check_counts(state, item, place, counts, in_place=in_place)
    return _reduce_scatter(state, item, place, counts, op)


def scan(state: State, sendbuf: Any, recvbuf: Any, op: Op, call: Call) -> Plan:
    """Prepare a fold of the buffers of the ranks up to each, or before each.

    Parameters
    ----------
    state
        The communicator.
    sendbuf
        What this rank contributes; `IN_PLACE`: it is in `recvbuf`.
    recvbuf
        Where the result goes; that of rank 0 stays as it is for ``EXSCAN``.
    op
        The operator.
    call
        ``SCAN`` or ``EXSCAN``.
    """
    place = recv_block(recvbuf)
    item = place if is_in_place(sendbuf) else _contribution(sendbuf, place)
    vector, combine = _vector(item, op)

    def steps() -> Script:
        name = call.name.lower()
        result = yield from _dispatch(state, name, item, op, vector(), combine)
        if result is not None:
            _put(place, result)

    return Plan.of(state, call, _form(item, op), steps)


def _reduce_scatter(
    state: State, item: Block, place: Block, counts: Sequence[int], op: Op
) -> Plan:
    vector, combine = _vector(item, op)
    per_element = len(vector()) // item.count if item.count else 1

    def steps() -> Script:
        shares = [count * per_element for count in counts]
        result = yield from _dispatch(
            state, "reduce_scatter", item, op, vector(), shares, combine
        )
        _put(place, result)

    return Plan.of(state, Call.REDUCE_SCATTER, _form(item, op), steps)


def _contribution(sendbuf: Any, place: Block | None) -> Block:
    """Return what this rank gives, which has to fit where the result goes."""
    if is_in_place(sendbuf) and place is not None:
        return place
    item = send_block(sendbuf)
    if place is not None:
        check_alike(item, place)
    return item


def _check_counts(
    state: State, item: Block, place: Block, counts: Sequence[int], *, in_place: bool
) -> None:
    total = sum(counts)
    if item.layout is not place.layout:
        msg = "mismatch in send and receive MPI datatypes"
        raise ValueError(msg)
    if item.count != total:
        msg = f"mismatch in send count {item.count} and sum(counts) {total}"
        raise ValueError(msg)
    mine = counts[state.rank]
    if not in_place and place.count != mine:
        msg = f"mismatch in receive count {place.count} and counts[{state.rank}] {mine}"
        raise ValueError(msg)


def _vector(
    item: Block, op: Op
) -> tuple[Callable[[], NDArray[Any]], Callable[[Any, Any], Any]]:
    """Return what gives the elements as an array, and what combines two of them."""
    combine = op.on_arrays(item.datatype)

    def checked(lower: Any, higher: Any) -> Any:
        if len(lower) != len(higher):  # numpy would stretch a single element
            msg = (
                f"a reduction was given {len(lower)} elements by one rank and"
                f" {len(higher)} by another: all ranks have to pass as many"
            )
            raise MPIError(ERR_TRUNCATE, msg)
        return combine(lower, higher)

    return lambda: op.operand(item), checked


def _form(item: Block, op: Op) -> Format:
    return arrays(op.operand(item).dtype)


def _dispatch(
    state: State,
    collective: str,
    item: Block,
    op: Op,
    *arguments: Any,
    root: Root | None = None,
) -> Steps[Any]:
    """Return the steps of a reduction of vectors; see `dispatch`."""
    return dispatch(
        state,
        collective,
        *arguments,
        nbytes=item.nbytes,
        root=root,
        vector=True,
        commutative=op.is_commutative,
    )


def _put(place: Block, result: NDArray[Any]) -> None:
    place.write(np.ascontiguousarray(result).view(np.uint8).data)
