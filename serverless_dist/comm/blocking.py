"""Collective calls on buffers that return when they are done.

A buffer is anything with the buffer protocol, alone or with count and datatype (see
`comm.data.buffers`). `IN_PLACE` as `sendbuf`, at the root or on all ranks as MPI has
it, says that the data are in `recvbuf` already; as `recvbuf` of a scatter's root, that
they stay in `sendbuf`. What is of no use to a rank, as the `recvbuf` of one that is not
the root, may be None. On an intercommunicator each group gets what the other gives, and
the root's group passes `ROOT` and, if it is not the root, `PROC_NULL`.

A mistake is found before anything is sent, but for a message that is longer than its
buffer: that is ``ERR_TRUNCATE`` where it is received.
"""

from collections.abc import Sequence
from typing import Any

from serverless_dist.comm.collectives import moves, reductions
from serverless_dist.comm.collectives.plans import Call
from serverless_dist.comm.data.ops import SUM, Op
from serverless_dist.comm.member import Member


class BlockingCollectives(Member):
    """Collective calls on buffers."""

    __slots__ = ()

    def Barrier(self) -> None:
        """Return once every rank has called it."""
        moves.barrier(self.state).run()

    def Bcast(self, buf: Any, root: int = 0) -> None:
        """Fill every rank's buffer with what the root's holds."""
        moves.bcast(self.state, buf, root).run()

    def Gather(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """Fill the root's `recvbuf` with every rank's `sendbuf`, by rank."""
        moves.gather(self.state, sendbuf, recvbuf, root).run()

    def Gatherv(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """Do as `Gather` with a count and place in `recvbuf` for each rank."""
        moves.gather(self.state, sendbuf, recvbuf, root, moves.VECTOR).run()

    def Scatter(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """Fill every rank's `recvbuf` with its part of the root's `sendbuf`."""
        moves.scatter(self.state, sendbuf, recvbuf, root).run()

    def Scatterv(self, sendbuf: Any, recvbuf: Any, root: int = 0) -> None:
        """Do as `Scatter` with a count and place in `sendbuf` for each rank."""
        moves.scatter(self.state, sendbuf, recvbuf, root, moves.VECTOR).run()

    def Allgather(self, sendbuf: Any, recvbuf: Any) -> None:
        """Fill every rank's `recvbuf` with every rank's `sendbuf`, by rank."""
        moves.allgather(self.state, sendbuf, recvbuf).run()

    def Allgatherv(self, sendbuf: Any, recvbuf: Any) -> None:
        """Do as `Allgather` with a count and place in `recvbuf` for each rank."""
        moves.allgather(self.state, sendbuf, recvbuf, moves.VECTOR).run()

    def Alltoall(self, sendbuf: Any, recvbuf: Any) -> None:
        """Fill `recvbuf` with this rank's part of every rank's `sendbuf`."""
        moves.alltoall(self.state, sendbuf, recvbuf).run()

    def Alltoallv(self, sendbuf: Any, recvbuf: Any) -> None:
        """Do as `Alltoall` with counts and places for each rank."""
        moves.alltoall(self.state, sendbuf, recvbuf, moves.VECTOR).run()

    def Alltoallw(self, sendbuf: Any, recvbuf: Any) -> None:
        """Do as `Alltoallv` with a datatype for each rank, and places in bytes."""
        moves.alltoall(self.state, sendbuf, recvbuf, moves.VECTOR_W).run()

    def Reduce(self, sendbuf: Any, recvbuf: Any, op: Op = SUM, root: int = 0) -> None:
        """Fill the root's `recvbuf` with the fold of all `sendbuf`, by element."""
        reductions.reduce(self.state, sendbuf, recvbuf, op, root).run()

    def Allreduce(self, sendbuf: Any, recvbuf: Any, op: Op = SUM) -> None:
        """Fill every `recvbuf` with the fold of all `sendbuf`, by element."""
        reductions.allreduce(self.state, sendbuf, recvbuf, op).run()

    def Reduce_scatter_block(self, sendbuf: Any, recvbuf: Any, op: Op = SUM) -> None:
        """Fill `recvbuf` with this rank's block of the fold of all `sendbuf`."""
        reductions.reduce_scatter_block(self.state, sendbuf, recvbuf, op).run()

    def Reduce_scatter(
        self,
        sendbuf: Any,
        recvbuf: Any,
        recvcounts: Sequence[int] | None = None,
        op: Op = SUM,
    ) -> None:
        """Do as `Reduce_scatter_block` with a count for each rank."""
        reductions.reduce_scatter(self.state, sendbuf, recvbuf, recvcounts, op).run()


class BlockingScans(Member):
    """Those that only make sense within one group."""

    __slots__ = ()

    def Scan(self, sendbuf: Any, recvbuf: Any, op: Op = SUM) -> None:
        """Fill `recvbuf` with the fold of the `sendbuf` of the ranks up to this one."""
        reductions.scan(self.state, sendbuf, recvbuf, op, Call.SCAN).run()

    def Exscan(self, sendbuf: Any, recvbuf: Any, op: Op = SUM) -> None:
        """Do as `Scan` with the ranks before this one; rank 0 gets nothing."""
        reductions.scan(self.state, sendbuf, recvbuf, op, Call.EXSCAN).run()
