"""The conformance suite of collective calls that go on by themselves, or again."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import numpy as np

from serverless_dist.comm import Communicator, mpi as MPI
from serverless_dist.testing.buffers import numbers
from serverless_dist.testing.expect import raises
from serverless_dist.testing.messages import ring

PATIENCE = 30.0  # seconds after which something is taken not to go on by itself

Box = np.ndarray[Any, np.dtype[np.int32]]


def started(comm: Communicator) -> Iterator[tuple[MPI.Request, Box, list[int]]]:
    """Start one call after the other; give request, result and what it has to be."""
    yield comm.Ibarrier(), numbers(0), []
    yield from moves(comm)
    yield from reductions(comm)


def moves(comm: Communicator) -> Iterator[tuple[MPI.Request, Box, list[int]]]:
    """Start those that move data; see `started`."""
    rank, size = comm.rank, comm.size
    ranks, mine = list(range(size)), numbers(1, rank)
    got = numbers(1, rank)
    yield comm.Ibcast(got, size - 1), got, [size - 1]
    got = numbers(size, -99)
    yield comm.Iallgather(mine, got), got, ranks
    got = numbers(size, -99)
    sent = numbers(size, 100 * rank)
    yield comm.Ialltoall(sent, got), got, [100 * source + rank for source in ranks]
    got = numbers(1, -99)
    yield comm.Iscatter(numbers(size), got), got, [rank]
    got = numbers(size, -99)
    result = ranks if rank == 0 else got.tolist()
    yield comm.Igather(mine, got), got, result


def reductions(comm: Communicator) -> Iterator[tuple[MPI.Request, Box, list[int]]]:
    """Start those that combine data; see `started`."""
    rank, size = comm.rank, comm.size
    total, mine, sent = sum(range(size)), numbers(1, rank), numbers(size, 100 * rank)
    got = numbers(1, -99)
    yield comm.Iallreduce(mine, got), got, [total]
    got = numbers(1, -99)
    result = [total] if rank == size - 1 else got.tolist()
    yield comm.Ireduce(mine, got, root=size - 1), got, result
    got = numbers(1, -99)
    yield comm.Iscan(mine, got), got, [sum(range(rank + 1))]
    got = numbers(1, -99)
    yield comm.Iexscan(mine, got), got, [sum(range(rank))] if rank else [-99]
    got = numbers(1, -99)
    yield comm.Ireduce_scatter_block(sent, got), got, [100 * total + size * rank]
    got = numbers(1, -99)
    yield comm.Ireduce_scatter(sent, got, [1] * size), got, [100 * total + size * rank]


class NonblockingSuite(ABC):
    """What `Iallreduce`, `Bcast_init` and so on promise; derive and implement `run`."""

    @abstractmethod
    def run(self, size: int, function: Callable[[Communicator], Any]) -> list[Any]:
        """Call `function` on each of `size` new ranks; return results by rank."""

    def test_calls_under_way_at_once_end_in_any_order(self) -> None:
        def function(comm: Communicator) -> None:
            for turn in (1, -1):
                calls = list(started(comm))
                if comm.rank % 2:
                    calls = calls[::turn]
                for request, got, expected in calls:
                    request.Wait()
                    assert got.tolist() == expected
                    assert not request

        for size in (1, 2, 3):
            self.run(size, function)

    def test_calls_under_way_at_once_are_waited_for_together(self) -> None:
        def function(comm: Communicator) -> None:
            calls = list(started(comm))
            assert ring(comm, comm.rank) == (comm.rank - 1) % comm.size
            assert comm.allreduce(1) == comm.size  # a later one may overtake
            MPI.Request.Waitall([request for request, _, _ in calls])
            for _, got, expected in calls:
                assert got.tolist() == expected

        for size in (1, 2, 3):
            self.run(size, function)

    def test_three_calls_end_in_whatever_order_each_rank_waits(self) -> None:
        orders = list(permutations(range(3)))

        def function(comm: Communicator) -> None:
            for turn in range(len(orders)):
                boxes = [numbers(2, 10 * comm.rank + i) for i in range(3)]
                requests = [comm.Ibcast(boxes[i], i % comm.size) for i in range(3)]
                for place in orders[(turn + comm.rank) % len(orders)]:
                    requests[place].Wait()
                    root = place % comm.size
                    expected = numbers(2, 10 * root + place)
                    assert boxes[place].tolist() == expected.tolist()

        for size in (2, 3):
            self.run(size, function)

    def test_a_call_goes_on_while_its_rank_is_busy_with_something_else(self) -> None:
        """Rank 0's message comes to the last through ranks that do not call again."""
        is_there = threading.Event()

        def function(comm: Communicator) -> None:
            comm.Set_algorithm("bcast", "binomial")
            comm.Set_algorithm("allreduce", "recursive_doubling")
            comm.Set_algorithm("barrier", "dissemination")
            rank, size = comm.rank, comm.size
            total, buf = np.zeros(1, np.int32), numbers(4, rank)
            requests = [
                comm.Iallreduce(numbers(1, rank), total),
                comm.Ibarrier(),
                comm.Ibcast(buf),
            ]
            if rank == size - 1:
                MPI.Request.Waitall(requests)
                assert total.tolist() == [sum(range(size))]
                assert buf.tolist() == [0, 1, 2, 3]
                is_there.set()
            else:
                assert is_there.wait(PATIENCE), "the calls did not go on"
                MPI.Request.Waitall(requests)
                assert total.tolist() == [sum(range(size))]
                assert buf.tolist() == [0, 1, 2, 3]

        for size in (2, 4):
            is_there.clear()
            self.run(size, function)

    def test_a_call_of_one_communicator_goes_on_while_another_is_used(self) -> None:
        def function(comm: Communicator) -> None:
            other = comm.Dup()
            total = numbers(1, -99)
            request = other.Iallreduce(numbers(1, comm.rank), total)
            for turn in range(3):
                assert comm.bcast(turn, turn % comm.size) == turn
            while not request.Test():
                pass
            assert total.tolist() == [sum(range(comm.size))]
            other.Free()

        for size in (1, 2, 3):
            self.run(size, function)

    def test_persistent_calls_start_again_and_again(self) -> None:
        def function(comm: Communicator) -> None:
            rank, size = comm.rank, comm.size
            mine, total, everybody = numbers(1), numbers(1), numbers(size)
            prefix, roots = numbers(1), numbers(1)
            requests = [
                comm.Allreduce_init(mine, total),
                comm.Barrier_init(),
                comm.Allgather_init(mine, everybody),
                comm.Scan_init(mine, prefix),
                comm.Bcast_init(roots, size - 1),
            ]
            for turn in range(4):
                mine[:] = 10 * turn + rank
                roots[:] = 100 * turn + rank
                MPI.Prequest.Startall(requests)
                if turn % 2:
                    MPI.Request.Waitall(requests)
                else:
                    for request in requests[::-1]:
                        request.Wait()
                values = [10 * turn + source for source in range(size)]
                assert everybody.tolist() == values
                assert total.tolist() == [sum(values)]
                assert prefix.tolist() == [sum(values[: rank + 1])]
                assert roots.tolist() == [100 * turn + size - 1]
            assert all(requests)
            for request in requests:
                request.Free()

        for size in (1, 2, 3):
            self.run(size, function)

    def test_an_operator_that_fails_fails_the_call_that_used_it(self) -> None:
        def refuse(inbuf: Any, inoutbuf: Any, datatype: MPI.Datatype) -> None:
            msg = "not this one"
            raise ZeroDivisionError(msg)

        def function(comm: Communicator) -> None:
            op = MPI.Op.Create(refuse)
            comm.Set_algorithm("reduce", "direct")
            request = comm.Ireduce(numbers(1), numbers(1), op)
            if comm.rank == 0 and comm.size > 1:
                with raises(ZeroDivisionError):
                    request.Wait()
            else:
                request.Wait()
            assert comm.allreduce(1) == comm.size

        for size in (1, 2):
            self.run(size, function)
