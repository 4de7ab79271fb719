"""Collective calls on Python objects: the lower-case ones.

What holds for every call:

1. What it returns is the caller's own: nothing is shared with what anyone passed in,
   so the same program behaves alike on one rank and on many. (Unless `op` puts parts
   of its operands into its result, as the sum of lists does.)
2. Every rank makes the same collective calls in the same order. Calls that are mixed up
   never match: they wait until the deadline, and the error says in which call.
3. A caller's mistake is found before anything is sent.
"""

from collections.abc import Callable, Iterable
from typing import Any

from serverless_dist.comm.algorithms import inter
from serverless_dist.comm.buffer_moves import barrier
from serverless_dist.comm.checks import check_items
from serverless_dist.comm.data.ops import SUM
from serverless_dist.comm.engine.channel import BUNDLES, OBJECTS
from serverless_dist.comm.engine.plans import Call, Plan, Root, group_sizes, pick
from serverless_dist.comm.engine.sealed import Sealed
from serverless_dist.comm.engine.state import State
from serverless_dist.comm.engine.steps import Script, Steps
from serverless_dist.comm.member import Member

Combine = Callable[[Any, Any], Any]


class ObjectCollectives(Member):
    """Collective calls on objects; anything that pickle or cloudpickle can handle."""

    __slots__ = ()

    def barrier(self) -> None:
        """Return once every rank has called it."""
        barrier(self.state).run()

    def bcast(self, obj: Any, root: int = 0) -> Any:
        """Return the root's `obj` on every rank; that of the others is ignored."""
        state = self.state
        at = Root.of(state, root)
        bundle = [Sealed.of(obj)] if at.is_here else []

        def steps() -> Script:
            if at.rank is None:
                return None
            if state.remote is None:
                algorithm = pick(state, "bcast", None)
                size = len(state.members)
                found = yield from algorithm(state.rank, size, bundle, at.rank)
            else:
                sizes = group_sizes(state)
                found = yield from inter.bcast(
                    state.joint_rank, *sizes, bundle, root=at.rank
                )
            return None if found is None else found[0].open()

        return Plan.of(state, Call.BCAST, BUNDLES, steps).run()

    def gather(self, sendobj: Any, root: int = 0) -> list[Any] | None:
        """Return what every rank gave, by rank, at the root; None elsewhere."""
        state = self.state
        at = Root.of(state, root)
        sealed = Sealed.of(sendobj)

        def steps() -> Script:
            if at.rank is None:
                return None
            if state.remote is None:
                algorithm = pick(state, "gather", None)
                size = len(state.members)
                return (yield from algorithm(state.rank, size, sealed, at.rank))
            sizes = group_sizes(state)
            return (
                yield from inter.gather(state.joint_rank, *sizes, sealed, root=at.rank)
            )

        bundle = Plan.of(state, Call.GATHER, BUNDLES, steps).run()
        return None if bundle is None else _open(bundle)

    def scatter(self, sendobj: Iterable[Any] | None, root: int = 0) -> Any:
        """Return item `rank` of the root's `sendobj`, which has one for each rank.

        None is a None for each.

        Raises
        ------
        MPIError
            The root's `sendobj` does not have as many items as there are ranks.
        """
        state = self.state
        at = Root.of(state, root)
        bundle: list[Sealed] = []
        if at.is_here:
            bundle = _seal("scatter", sendobj, len(state.peers))

        def steps() -> Script:
            if at.rank is None:
                return None
            if state.remote is None:
                algorithm = pick(state, "scatter", None)
                size = len(state.members)
                return (yield from algorithm(state.rank, size, bundle, at.rank))
            sizes = group_sizes(state)
            return (
                yield from inter.scatter(state.joint_rank, *sizes, bundle, root=at.rank)
            )

        sealed = Plan.of(state, Call.SCATTER, BUNDLES, steps).run()
        return None if sealed is None else sealed.open()

    def allgather(self, sendobj: Any) -> list[Any]:
        """Return what every rank gave, by rank."""
        state = self.state
        sealed = Sealed.of(sendobj)

        def steps() -> Script:
            if state.remote is None:
                algorithm = pick(state, "allgather", None)
                return (yield from algorithm(state.rank, len(state.members), sealed))
            sizes = group_sizes(state)
            return (yield from inter.allgather(state.joint_rank, *sizes, sealed))

        return _open(Plan.of(state, Call.ALLGATHER, BUNDLES, steps).run())

    def alltoall(self, sendobj: Iterable[Any] | None) -> list[Any]:
        """Return item `rank` of every rank's `sendobj`, by rank; None is all None.

        Raises
        ------
        MPIError
            `sendobj` does not have as many items as there are ranks.
        """
        state = self.state
        bundle = _seal("alltoall", sendobj, len(state.peers))

        def steps() -> Script:
            if state.remote is None:
                algorithm = pick(state, "alltoall", None)
                return (yield from algorithm(state.rank, len(state.members), bundle))
            sizes = group_sizes(state)
            return (yield from inter.alltoall(state.joint_rank, *sizes, bundle))

        return _open(Plan.of(state, Call.ALLTOALL, BUNDLES, steps).run())

    def reduce(self, sendobj: Any, op: Combine = SUM, root: int = 0) -> Any:
        """Return the fold of what every rank gave at the root; None elsewhere.

        Parameters
        ----------
        sendobj
            What this rank contributes.
        op
            An operator such as `SUM`, or any associative function of two operands
            that does not change them. Ranks are folded in order, lower ones first, so
            it need not be commutative.
        root
            The rank that gets the result.
        """
        state = self.state
        at = Root.of(state, root)

        def steps() -> Script:
            if at.rank is None:
                return None
            if state.remote is None:
                algorithm = pick(state, "reduce", None)
                size = len(state.members)
                return (yield from algorithm(state.rank, size, sendobj, op, at.rank))
            sizes = group_sizes(state)
            return (
                yield from inter.reduce(
                    state.joint_rank, *sizes, sendobj, op, root=at.rank
                )
            )

        return _fold(state, Call.REDUCE, steps, sendobj)

    def allreduce(self, sendobj: Any, op: Combine = SUM) -> Any:
        """Return the fold of what every rank gave, the same bits on every rank.

        See `reduce` for what `op` may be.
        """
        state = self.state

        def steps() -> Script:
            if state.remote is None:
                algorithm = pick(state, "allreduce", None)
                size = len(state.members)
                return (yield from algorithm(state.rank, size, sendobj, op))
            sizes = group_sizes(state)
            return (yield from inter.allreduce(state.joint_rank, *sizes, sendobj, op))

        return _fold(state, Call.ALLREDUCE, steps, sendobj)


class ObjectScans(Member):
    """The calls that only make sense within one group."""

    __slots__ = ()

    def scan(self, sendobj: Any, op: Combine = SUM) -> Any:
        """Return the fold of what the ranks up to this one gave; see `reduce`."""
        return self._scan("scan", Call.SCAN, sendobj, op)

    def exscan(self, sendobj: Any, op: Combine = SUM) -> Any:
        """Return the fold of what the ranks before this one gave; None at rank 0."""
        return self._scan("exscan", Call.EXSCAN, sendobj, op)

    def _scan(self, name: str, call: Call, sendobj: Any, op: Combine) -> Any:
        state = self.state

        def steps() -> Script:
            algorithm = pick(state, name, None)
            return (yield from algorithm(state.rank, len(state.members), sendobj, op))

        return _fold(state, call, steps, sendobj)


def _fold(
    state: State, call: Call, steps: Callable[[], Steps[Any]], sendobj: Any
) -> Any:
    """Do a reduction; copy the result if the operator returned the caller's operand."""
    result = Plan.of(state, call, OBJECTS, steps).run()
    return Sealed.of(result).open() if result is sendobj else result


def _seal(call: str, items: Iterable[Any] | None, size: int) -> list[Sealed]:
    """Return each rank's item; None is one None for each, as in mpi4py."""
    if items is None:
        items = [None] * size
    return [Sealed.of(item) for item in check_items(call, items, size)]


def _open(bundle: Iterable[Sealed]) -> list[Any]:
    return [sealed.open() for sealed in bundle]
