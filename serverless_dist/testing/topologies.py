"""The conformance suite of communicators with neighbours."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from serverless_dist.comm import PROC_NULL, Communicator, mpi as MPI
from serverless_dist.comm.exceptions import ERR_DIMS, MPIError
from serverless_dist.testing.buffers import numbers
from serverless_dist.testing.expect import fails_with, raises
from serverless_dist.testing.groups import check_alive


def neighbors(topo: MPI.Topocomm) -> tuple[list[int], list[int]]:
    """Return the ranks that this one receives from and sends to."""
    sources, destinations = topo.inoutedges
    return list(sources), list(destinations)


def check_neighbors(topo: MPI.Topocomm, opposite: Callable[[int], int]) -> None:
    """Assert that every call exchanges with the neighbours.

    Parameters
    ----------
    topo
        The communicator.
    opposite
        Returns at which place of the source's destinations this rank is, by the place
        of the source among this rank's sources.
    """
    rank = topo.rank
    sources, dests = neighbors(topo)
    known = [source if source != PROC_NULL else None for source in sources]
    assert topo.neighbor_allgather(rank) == known
    sent = [(rank, place) for place in range(len(dests))]
    expected = [
        None if source is None else (source, opposite(place))
        for place, source in enumerate(known)
    ]
    assert topo.neighbor_alltoall(sent) == expected
    got = numbers(len(sources), -50)
    topo.Neighbor_allgather(numbers(1, rank), got)
    kept = numbers(len(sources), -50)
    wanted = [
        int(kept[place]) if source is None else source
        for place, source in enumerate(known)
    ]
    assert got.tolist() == wanted
    check_alltoall(topo, known, opposite)


def check_alltoall(
    topo: MPI.Topocomm, known: list[int | None], opposite: Callable[[int], int]
) -> None:
    """Assert that the exchange of buffers works in all its forms."""
    count = len(topo.inoutedges[1])
    ones = [1] * count, [*range(count)]
    kinds = [MPI.INT32_T] * count
    sent, got = numbers(count, 100 * topo.rank), numbers(len(known), -50)
    taken = [1] * len(known), [*range(len(known))]
    wanted = [
        place - 50 if source is None else 100 * source + opposite(place)
        for place, source in enumerate(known)
    ]
    forms: list[Callable[[], Any]] = [
        lambda: topo.Neighbor_alltoall(sent, got),
        lambda: topo.Neighbor_alltoallv([sent, ones], [got, taken]),
        lambda: topo.Ineighbor_alltoall(sent, got).Wait(),
        lambda: topo.Neighbor_alltoallw(
            [sent, ones[0], [4 * place for place in ones[1]], kinds],
            [got, taken[0], [4 * place for place in taken[1]], kinds_of(known)],
        ),
    ]
    for form in forms:
        got[:] = numbers(len(known), -50)
        form()
        assert got.tolist() == wanted
    request = topo.Neighbor_alltoall_init(sent, got)
    for _ in range(2):
        got[:] = numbers(len(known), -50)
        request.Start()
        request.Wait()
        assert got.tolist() == wanted


def kinds_of(known: list[int | None]) -> list[MPI.Datatype]:
    """Return the datatype of each place of a receiving buffer."""
    return [MPI.INT32_T] * len(known)


class TopologiesSuite(ABC):
    """What grids and graphs of ranks promise; derive and implement `run`."""

    @abstractmethod
    def run(self, size: int, function: Callable[[Communicator], Any]) -> list[Any]:
        """Call `function` on each of `size` new ranks; return results by rank."""

    def test_neighbours_in_a_grid_exchange(self) -> None:
        def function(comm: Communicator) -> None:
            grids: list[tuple[list[int], list[bool]]] = [
                ([comm.size], [True]),
                ([comm.size], [False]),
                ([comm.size, 1], [False, True]),
                ([1, comm.size], [True, True]),
            ]
            if comm.size % 2 == 0:
                grids.append(([2, comm.size // 2], [True, True]))
            for dims, periods in grids:
                cart = comm.Create_cart(dims, periods)
                assert isinstance(cart, MPI.Cartcomm)
                # What comes from below was sent upwards, and the other way round.
                check_neighbors(cart, lambda place: place ^ 1)
                cart.Free()

        for size in (1, 2, 3, 4):
            self.run(size, function)

    def test_a_grid_smaller_than_the_communicator_leaves_ranks_out(self) -> None:
        def function(comm: Communicator) -> None:
            cart = comm.Create_cart([comm.size - 1])
            assert bool(cart) is (comm.rank < comm.size - 1)
            if cart:
                check_alive(cart, comm.rank, [*range(comm.size - 1)])
            with fails_with(ERR_DIMS):
                comm.Create_cart([comm.size, 2])
            check_alive(comm, comm.rank, [*range(comm.size)])

        for size in (2, 3):
            self.run(size, function)

    def test_the_rows_of_a_grid_are_grids(self) -> None:
        def function(comm: Communicator) -> None:
            cart = comm.Create_cart([2, comm.size // 2], [False, True])
            row = cart.Sub([False, True])
            first = cart.rank - cart.rank % row.size
            check_alive(row, comm.rank, [*range(first, first + row.size)])
            assert row.Get_topo()[0] == [comm.size // 2]
            check_neighbors(row, lambda place: place ^ 1)
            below, above = row.Shift(0, 1)
            assert row.sendrecv(row.rank, above, source=below) == below

        for size in (2, 4):
            self.run(size, function)

    def test_neighbours_in_a_graph_exchange(self) -> None:
        def function(comm: Communicator) -> None:
            size = comm.size
            # A star: the middle, rank 0, has all others as neighbours.
            index = [0] + [size - 1 + rank for rank in range(size)]
            edges = [*range(1, size)] + [0] * (size - 1)
            graph = comm.Create_graph(index, edges)
            assert isinstance(graph, MPI.Graphcomm)
            places = {source: source - 1 for source in range(1, size)}
            mine = places.get(graph.rank, 0)
            check_neighbors(graph, lambda place: mine if graph.rank else 0)
            with raises(MPIError):
                comm.Create_graph([1, 2] * size, [0, 1] * size)

        for size in (1, 2, 4):
            self.run(size, function)

    def test_neighbours_in_a_graph_of_named_edges_exchange(self) -> None:
        def function(comm: Communicator) -> None:
            rank, size = comm.rank, comm.size
            # Each sends to itself and to the next; its sources are the same, backwards.
            dests, sources = [rank, (rank + 1) % size], [(rank - 1) % size, rank]
            graph = comm.Create_dist_graph_adjacent(sources, dests)
            assert isinstance(graph, MPI.Distgraphcomm)
            if size > 1:
                check_neighbors(graph, lambda place: 1 - place)
            # The same edges, all of them named by the last rank.
            named: tuple[list[int], list[int], list[int]] = ([], [], [])
            if rank == size - 1:
                ends = [end for r in range(size) for end in (r, (r + 1) % size)]
                named = [*range(size)], [2] * size, ends
            other = comm.Create_dist_graph(*named)
            assert sorted(neighbors(other)[0]) == sorted(sources)
            assert sorted(neighbors(other)[1]) == sorted(dests)
            got = sorted(other.neighbor_allgather(rank))
            assert got == sorted(sources)

        for size in (1, 2, 3):
            self.run(size, function)

    def test_a_rank_without_neighbours_exchanges_nothing(self) -> None:
        def function(comm: Communicator) -> None:
            graph = comm.Create_dist_graph_adjacent([], [])
            assert graph.neighbor_allgather("mine") == []
            assert graph.neighbor_alltoall([]) == []
            graph.Neighbor_allgather(numbers(1), numbers(0))
            check_alive(graph, comm.rank, [*range(comm.size)])

        self.run(2, function)

    def test_several_edges_between_two_ranks_keep_their_order(self) -> None:
        def function(comm: Communicator) -> None:
            peer = comm.size - 1 - comm.rank
            graph = comm.Create_dist_graph_adjacent([peer] * 3, [peer] * 3)
            sent = [(comm.rank, number) for number in range(3)]
            got = graph.neighbor_alltoall(sent)
            assert got == [(peer, number) for number in range(3)]
            box = numbers(3, -9)
            graph.Neighbor_alltoall(numbers(3, 10 * comm.rank), box)
            assert box.tolist() == numbers(3, 10 * peer).tolist()

        for size in (1, 2, 3):
            self.run(size, function)

    def test_a_topology_is_duplicated_with_its_communicator(self) -> None:
        def function(comm: Communicator) -> None:
            cart = comm.Create_cart([comm.size], periods=True)
            twin = cart.Dup()
            assert isinstance(twin, MPI.Cartcomm)
            assert twin.Get_topology() == MPI.CART
            first = cart.Ineighbor_allgather(
                numbers(1, comm.rank), got := np.zeros(2, np.int32)
            )
            assert twin.neighbor_allgather(-1) == [-1, -1]
            first.Wait()
            assert got.tolist() == neighbors(cart)[0]

        for size in (1, 2, 3):
            self.run(size, function)
