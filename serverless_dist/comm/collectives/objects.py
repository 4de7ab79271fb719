"""Plans of the collective calls on Python objects; running one returns the object.

Objects that others only pass on are sealed: encoded by their owner, decoded by their
reader. Ranks cannot know how large they are, so no algorithm depends on it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from serverless_dist.comm.checks import check_items
from serverless_dist.comm.collectives.plans import Call, Plan, Root, dispatch
from serverless_dist.comm.engine.channel import BUNDLES, OBJECTS
from serverless_dist.comm.engine.sealed import Sealed
from serverless_dist.comm.state import State
from serverless_dist.comm.steps import Script

Combine = Callable[[Any, Any], Any]


def bcast(state: State, obj: Any, root: int) -> Plan:
    """Prepare a broadcast of the root's object."""
    at = Root.of(state, root)
    bundle = [Sealed.of(obj)] if at.is_here else []

    def steps() -> Script:
        found = yield from dispatch(state, "bcast", bundle, root=at)
        return None if found is None else found[0].open()

    return Plan.of(state, Call.BCAST, BUNDLES, steps)


def gather(state: State, obj: Any, root: int) -> Plan:
    """Prepare a gathering of all objects at the root."""
    at = Root.of(state, root)
    sealed = Sealed.of(obj)

    def steps() -> Script:
        bundle = yield from dispatch(state, "gather", sealed, root=at)
        return None if bundle is None else _open(bundle)

    return Plan.of(state, Call.GATHER, BUNDLES, steps)


def scatter(state: State, items: Iterable[Any] | None, root: int) -> Plan:
    """Prepare a scattering of the root's items."""
    at = Root.of(state, root)
    bundle: list[Sealed] = []
    if at.is_here:
        bundle = _seal("scatter", items, len(state.peers))

    def steps() -> Script:
        sealed = yield from dispatch(state, "scatter", bundle, root=at)
        return None if sealed is None else sealed.open()

    return Plan.of(state, Call.SCATTER, BUNDLES, steps)


def allgather(state: State, obj: Any) -> Plan:
    """Prepare a gathering of all objects on all ranks."""
    sealed = Sealed.of(obj)

    def steps() -> Script:
        return _open((yield from dispatch(state, "allgather", sealed)))

    return Plan.of(state, Call.ALLGATHER, BUNDLES, steps)


def alltoall(state: State, items: Iterable[Any] | None) -> Plan:
    """Prepare an exchange of an item of each rank with every other."""
    bundle = _seal("alltoall", items, len(state.peers))

    def steps() -> Script:
        return _open((yield from dispatch(state, "alltoall", bundle)))

    return Plan.of(state, Call.ALLTOALL, BUNDLES, steps)


def reduce(state: State, obj: Any, op: Combine, root: int) -> Plan:
    """Prepare a fold of all objects at the root."""
    at = Root.of(state, root)

    def steps() -> Script:
        return _fresh(obj, (yield from dispatch(state, "reduce", obj, op, root=at)))

    return Plan.of(state, Call.REDUCE, OBJECTS, steps)


def allreduce(state: State, obj: Any, op: Combine) -> Plan:
    """Prepare a fold of all objects on all ranks."""

    def steps() -> Script:
        return _fresh(obj, (yield from dispatch(state, "allreduce", obj, op)))

    return Plan.of(state, Call.ALLREDUCE, OBJECTS, steps)


def scan(state: State, obj: Any, op: Combine, call: Call) -> Plan:
    """Prepare a fold of the objects of the ranks up to each, or before each.

    Parameters
    ----------
    state
        The communicator.
    obj
        What this rank contributes.
    op
        Combines two objects.
    call
        ``SCAN`` or ``EXSCAN``.
    """

    def steps() -> Script:
        return _fresh(obj, (yield from dispatch(state, call.name.lower(), obj, op)))

    return Plan.of(state, call, OBJECTS, steps)


def _fresh(obj: Any, result: Any) -> Any:
    """Return the result; a copy if the operator returned the caller's operand."""
    return Sealed.of(result).open() if result is obj else result


def _seal(call: str, items: Iterable[Any] | None, size: int) -> list[Sealed]:
    """Return each rank's item; None is one None for each, as in mpi4py."""
    if items is None:
        items = [None] * size
    return [Sealed.of(item) for item in check_items(call, items, size)]


def _open(bundle: Sequence[Sealed]) -> list[Any]:
    return [sealed.open() for sealed in bundle]
