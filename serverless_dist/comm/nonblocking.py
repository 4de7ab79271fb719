"""Collective calls on buffers that are only begun: they go on while the rank computes.

Buffers are not to be touched before the request is done; see `blocking`.
"""

from collections.abc import Sequence
from typing import Any

from serverless_dist.comm.collectives import moves, reductions
from serverless_dist.comm.collectives.plans import Call
from serverless_dist.comm.data.ops import SUM, Op
from serverless_dist.comm.member import Member
from serverless_dist.comm.request import Request


class NonblockingCollectives(Member):
    """Collective calls on buffers that return requests."""

    __slots__ = ()

    def Ibarrier(self) -> Request:
        """Begin `Barrier`; the request is done when it is."""
        return moves.barrier(self.state).start()

    def Ibcast(self, buf: Any, root: int = 0) -> Request:
        """Begin `Bcast`; the request is done when it is."""
        return moves.bcast(self.state, buf, root).start()

    def Igather(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> Request:
        """Begin `Gather`; the request is done when it is."""
        return moves.gather(self.state, sendbuf, recvbuf, root).start()

    def Igatherv(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> Request:
        """Begin `Gatherv`; the request is done when it is."""
        return moves.gather(self.state, sendbuf, recvbuf, root, moves.VECTOR).start()

    def Iscatter(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> Request:
        """Begin `Scatter`; the request is done when it is."""
        return moves.scatter(self.state, sendbuf, recvbuf, root).start()

    def Iscatterv(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> Request:
        """Begin `Scatterv`; the request is done when it is."""
        return moves.scatter(self.state, sendbuf, recvbuf, root, moves.VECTOR).start()

    def Iallgather(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin `Allgather`; the request is done when it is."""
        return moves.allgather(self.state, sendbuf, recvbuf).start()

    def Iallgatherv(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin `Allgatherv`; the request is done when it is."""
        return moves.allgather(self.state, sendbuf, recvbuf, moves.VECTOR).start()

    def Ialltoall(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin `Alltoall`; the request is done when it is."""
        return moves.alltoall(self.state, sendbuf, recvbuf).start()

    def Ialltoallv(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin `Alltoallv`; the request is done when it is."""
        return moves.alltoall(self.state, sendbuf, recvbuf, moves.VECTOR).start()

    def Ialltoallw(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin `Alltoallw`; the request is done when it is."""
        return moves.alltoall(self.state, sendbuf, recvbuf, moves.VECTOR_W).start()

    def Ireduce(
        self, sendbuf: Any, recvbuf: Any, op: Op = SUM, root: int = 0
    ) -> Request:
        """Begin `Reduce`; the request is done when it is."""
        return reductions.reduce(self.state, sendbuf, recvbuf, op, root).start()

    def Iallreduce(self, sendbuf: Any, recvbuf: Any, op: Op = SUM) -> Request:
        """Begin `Allreduce`; the request is done when it is."""
        return reductions.allreduce(self.state, sendbuf, recvbuf, op).start()

    def Ireduce_scatter_block(
        self, sendbuf: Any, recvbuf: Any, op: Op = SUM
    ) -> Request:
        """Begin `Reduce_scatter_block`; the request is done when it is."""
        return reductions.reduce_scatter_block(self.state, sendbuf, recvbuf, op).start()

    def Ireduce_scatter(
        self,
        sendbuf: Any,
        recvbuf: Any,
        recvcounts: Sequence[int] | None = None,
        op: Op = SUM,
    ) -> Request:
        """Begin `Reduce_scatter`; the request is done when it is."""
        return reductions.reduce_scatter(
            self.state, sendbuf, recvbuf, recvcounts, op
        ).start()


class NonblockingScans(Member):
    """Those that only make sense within one group."""

    __slots__ = ()

    def Iscan(self, sendbuf: Any, recvbuf: Any, op: Op = SUM) -> Request:
        """Begin `Scan`; the request is done when it is."""
        return reductions.scan(self.state, sendbuf, recvbuf, op, Call.SCAN).start()

    def Iexscan(self, sendbuf: Any, recvbuf: Any, op: Op = SUM) -> Request:
        """Begin `Exscan`; the request is done when it is."""
        return reductions.scan(self.state, sendbuf, recvbuf, op, Call.EXSCAN).start()
