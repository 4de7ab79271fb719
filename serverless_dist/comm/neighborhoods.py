"""Neighbourhood collectives: each rank exchanges with its neighbours in the topology.

Where a neighbour is `PROC_NULL`, at the border of a grid, its place in the receiving
buffer stays as it is, and its object is None.
"""

from collections.abc import Iterable
from typing import Any

from serverless_dist.comm.collectives import neighbors
from serverless_dist.comm.collectives.moves import VECTOR, VECTOR_W
from serverless_dist.comm.info import INFO_NULL, Info
from serverless_dist.comm.member import Member
from serverless_dist.comm.request import Prequest, Request


class NeighborCollectives(Member):
    """Collective calls among the neighbours of a topology."""

    __slots__ = ()

    def neighbor_allgather(self, sendobj: Any) -> list[Any]:
        """Return the objects of all sources, in their order."""
        received: list[Any] = neighbors.allgather_objects(self.state, sendobj).run()
        return received

    def neighbor_alltoall(self, sendobj: Iterable[Any]) -> list[Any]:
        """Send each destination its item of `sendobj`; return one of each source.

        Raises
        ------
        MPIError
            `sendobj` does not have as many items as there are destinations.
        """
        received: list[Any] = neighbors.alltoall_objects(self.state, sendobj).run()
        return received

    def Neighbor_allgather(self, sendbuf: Any, recvbuf: Any) -> None:
        """Fill `recvbuf` with the `sendbuf` of every source, in their order."""
        neighbors.allgather(self.state, sendbuf, recvbuf).run()

    def Neighbor_allgatherv(self, sendbuf: Any, recvbuf: Any) -> None:
        """Do as `Neighbor_allgather` with a count and place for each source."""
        neighbors.allgather(self.state, sendbuf, recvbuf, VECTOR).run()

    def Neighbor_alltoall(self, sendbuf: Any, recvbuf: Any) -> None:
        """Send each destination its part of `sendbuf`; fill `recvbuf` by source."""
        neighbors.alltoall(self.state, sendbuf, recvbuf).run()

    def Neighbor_alltoallv(self, sendbuf: Any, recvbuf: Any) -> None:
        """Do as `Neighbor_alltoall` with counts and places for each neighbour."""
        neighbors.alltoall(self.state, sendbuf, recvbuf, VECTOR).run()

    def Neighbor_alltoallw(self, sendbuf: Any, recvbuf: Any) -> None:
        """Do as `Neighbor_alltoallv` with datatypes as well, and places in bytes."""
        neighbors.alltoall(self.state, sendbuf, recvbuf, VECTOR_W).run()

    def Ineighbor_allgather(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin `Neighbor_allgather`; the request is done when it is."""
        return neighbors.allgather(self.state, sendbuf, recvbuf).start()

    def Ineighbor_allgatherv(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin `Neighbor_allgatherv`; the request is done when it is."""
        return neighbors.allgather(self.state, sendbuf, recvbuf, VECTOR).start()

    def Ineighbor_alltoall(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin `Neighbor_alltoall`; the request is done when it is."""
        return neighbors.alltoall(self.state, sendbuf, recvbuf).start()

    def Ineighbor_alltoallv(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin `Neighbor_alltoallv`; the request is done when it is."""
        return neighbors.alltoall(self.state, sendbuf, recvbuf, VECTOR).start()

    def Ineighbor_alltoallw(self, sendbuf: Any, recvbuf: Any) -> Request:
        """Begin `Neighbor_alltoallw`; the request is done when it is."""
        return neighbors.alltoall(self.state, sendbuf, recvbuf, VECTOR_W).start()

    def Neighbor_allgather_init(
        self, sendbuf: Any, recvbuf: Any, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Neighbor_allgather`."""
        del info
        return neighbors.allgather(self.state, sendbuf, recvbuf).prepare()

    def Neighbor_allgatherv_init(
        self, sendbuf: Any, recvbuf: Any, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Neighbor_allgatherv`."""
        del info
        return neighbors.allgather(self.state, sendbuf, recvbuf, VECTOR).prepare()

    def Neighbor_alltoall_init(
        self, sendbuf: Any, recvbuf: Any, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Neighbor_alltoall`."""
        del info
        return neighbors.alltoall(self.state, sendbuf, recvbuf).prepare()

    def Neighbor_alltoallv_init(
        self, sendbuf: Any, recvbuf: Any, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Neighbor_alltoallv`."""
        del info
        return neighbors.alltoall(self.state, sendbuf, recvbuf, VECTOR).prepare()

    def Neighbor_alltoallw_init(
        self, sendbuf: Any, recvbuf: Any, info: Info = INFO_NULL
    ) -> Prequest:
        """Return a request whose `Start` begins `Neighbor_alltoallw`."""
        del info
        return neighbors.alltoall(self.state, sendbuf, recvbuf, VECTOR_W).prepare()
