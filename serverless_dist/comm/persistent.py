"""Collective calls on buffers that are prepared once and begun often.

All ranks have to prepare them in the same order; see `blocking`. The `info` is not
looked at.
"""

from collections.abc import Sequence
from typing import Any

from serverless_dist.comm.collectives import moves, reductions
from serverless_dist.comm.collectives.plans import Call
from serverless_dist.comm.data.ops import SUM, Op
from serverless_dist.comm.info import INFO_NULL, Info
from serverless_dist.comm.member import Member
from serverless_dist.comm.request import Prequest


class PersistentCollectives(Member):
    """Collective calls on buffers that return persistent requests."""

    __slots__ = ()

    def Barrier_init(self, info: Info = INFO_NULL) -> Prequest:
        """Return a request whose `Start` begins `Barrier`."""
        del info
        return moves.barrier(self.state).prepare()

    def Bcast_init(self, buf: Any, root: int = 0, info: Info = INFO_NULL) -> Prequest:
        """Return a request whose `Start` begins `Bcast`."""
        del info
        return moves.bcast(self.state, buf, root).prepare()

    def Gather_init(
        self, sendbuf: Any, recvbuf: Any, root: int = 0, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Gather`."""
        del info
        return moves.gather(self.state, sendbuf, recvbuf, root).prepare()

    def Gatherv_init(
        self, sendbuf: Any, recvbuf: Any, root: int = 0, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Gatherv`."""
        del info
        return moves.gather(self.state, sendbuf, recvbuf, root, moves.VECTOR).prepare()

    def Scatter_init(
        self, sendbuf: Any, recvbuf: Any, root: int = 0, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Scatter`."""
        del info
        return moves.scatter(self.state, sendbuf, recvbuf, root).prepare()

    def Scatterv_init(
        self, sendbuf: Any, recvbuf: Any, root: int = 0, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Scatterv`."""
        del info
        return moves.scatter(self.state, sendbuf, recvbuf, root, moves.VECTOR).prepare()

    def Allgather_init(
        self, sendbuf: Any, recvbuf: Any, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Allgather`."""
        del info
        return moves.allgather(self.state, sendbuf, recvbuf).prepare()

    def Allgatherv_init(
        self, sendbuf: Any, recvbuf: Any, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Allgatherv`."""
        del info
        return moves.allgather(self.state, sendbuf, recvbuf, moves.VECTOR).prepare()

    def Alltoall_init(
        self, sendbuf: Any, recvbuf: Any, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Alltoall`."""
        del info
        return moves.alltoall(self.state, sendbuf, recvbuf).prepare()

    def Alltoallv_init(
        self, sendbuf: Any, recvbuf: Any, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Alltoallv`."""
        del info
        return moves.alltoall(self.state, sendbuf, recvbuf, moves.VECTOR).prepare()

    def Alltoallw_init(
        self, sendbuf: Any, recvbuf: Any, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Alltoallw`."""
        del info
        return moves.alltoall(self.state, sendbuf, recvbuf, moves.VECTOR_W).prepare()

    def Reduce_init(
        self,
        sendbuf: Any,
        recvbuf: Any,
        op: Op = SUM,
        root: int = 0,
        info: Info = INFO_NULL,
    ) -> Prequest:
        """Return a request whose `Start` begins `Reduce`."""
        del info
        return reductions.reduce(self.state, sendbuf, recvbuf, op, root).prepare()

    def Allreduce_init(
        self, sendbuf: Any, recvbuf: Any, op: Op = SUM, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Allreduce`."""
        del info
        return reductions.allreduce(self.state, sendbuf, recvbuf, op).prepare()

    def Reduce_scatter_block_init(
        self, sendbuf: Any, recvbuf: Any, op: Op = SUM, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Reduce_scatter_block`."""
        del info
        return reductions.reduce_scatter_block(
            self.state, sendbuf, recvbuf, op
        ).prepare()

    def Reduce_scatter_init(
        self,
        sendbuf: Any,
        recvbuf: Any,
        recvcounts: Sequence[int] | None = None,
        op: Op = SUM,
        info: Info = INFO_NULL,
    ) -> Prequest:
        """Return a request whose `Start` begins `Reduce_scatter`."""
        del info
        return reductions.reduce_scatter(
            self.state, sendbuf, recvbuf, recvcounts, op
        ).prepare()


class PersistentScans(Member):
    """Those that only make sense within one group."""

    __slots__ = ()

    def Scan_init(
        self, sendbuf: Any, recvbuf: Any, op: Op = SUM, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Scan`."""
        del info
        return reductions.scan(self.state, sendbuf, recvbuf, op, Call.SCAN).prepare()

    def Exscan_init(
        self, sendbuf: Any, recvbuf: Any, op: Op = SUM, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Exscan`."""
        del info
        return reductions.scan(self.state, sendbuf, recvbuf, op, Call.EXSCAN).prepare()
