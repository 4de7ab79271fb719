"""Collective calls on Python objects: the lower-case ones.

What holds for every call:

1. What it returns is the caller's own: nothing is shared with what anyone passed in,
   so the same program behaves alike on one rank and on many. (Unless `op` puts parts
   of its operands into its result, as the sum of lists does.)
2. Every rank makes the same collective calls in the same order. Calls that are mixed up
   never match: they wait until the deadline, and the error says in which call.
3. A caller's mistake is found before anything is sent.
"""

from collections.abc import Iterable
from typing import Any

from serverless_dist.comm.collectives import moves, objects
from serverless_dist.comm.collectives.objects import Combine
from serverless_dist.comm.collectives.plans import Call
from serverless_dist.comm.data.ops import SUM
from serverless_dist.comm.member import Member


class ObjectCollectives(Member):
    """Collective calls on objects; anything that pickle or cloudpickle can handle."""

    __slots__ = ()

    def barrier(self) -> None:
        """Return once every rank has called it."""
        moves.barrier(self.state).run()

    def bcast(self, obj: Any, root: int = 0) -> Any:
        """Return the root's `obj` on every rank; that of the others is ignored."""
        return objects.bcast(self.state, obj, root).run()

    def gather(self, sendobj: Any, root: int = 0) -> list[Any] | None:
        """Return what every rank gave, by rank, at the root; None elsewhere."""
        gathered: list[Any] | None = objects.gather(self.state, sendobj, root).run()
        return gathered

    def scatter(self, sendobj: Iterable[Any] | None, root: int = 0) -> Any:
        """Return item `rank` of the root's `sendobj`, which has one for each rank.

        None is a None for each.

        Raises
        ------
        MPIError
            The root's `sendobj` does not have as many items as there are ranks.
        """
        return objects.scatter(self.state, sendobj, root).run()

    def allgather(self, sendobj: Any) -> list[Any]:
        """Return what every rank gave, by rank."""
        gathered: list[Any] = objects.allgather(self.state, sendobj).run()
        return gathered

    def alltoall(self, sendobj: Iterable[Any] | None) -> list[Any]:
        """Return item `rank` of every rank's `sendobj`, by rank; None is all None.

        Raises
        ------
        MPIError
            `sendobj` does not have as many items as there are ranks.
        """
        received: list[Any] = objects.alltoall(self.state, sendobj).run()
        return received

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
        return objects.reduce(self.state, sendobj, op, root).run()

    def allreduce(self, sendobj: Any, op: Combine = SUM) -> Any:
        """Return the fold of what every rank gave, the same bits on every rank.

        See `reduce` for what `op` may be.
        """
        return objects.allreduce(self.state, sendobj, op).run()


class ObjectScans(Member):
    """The calls that only make sense within one group."""

    __slots__ = ()

    def scan(self, sendobj: Any, op: Combine = SUM) -> Any:
        """Return the fold of what the ranks up to this one gave; see `reduce`."""
        return objects.scan(self.state, sendobj, op, Call.SCAN).run()

    def exscan(self, sendobj: Any, op: Combine = SUM) -> Any:
        """Return the fold of what the ranks before this one gave; None at rank 0."""
        return objects.scan(self.state, sendobj, op, Call.EXSCAN).run()
