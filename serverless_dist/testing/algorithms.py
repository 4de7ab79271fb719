"""The conformance suite of every algorithm that a communicator can be told to use.

It makes many calls, so it is for quick channels; what an algorithm sends is the same on
all of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from serverless_dist.comm import Communicator, mpi as MPI
from serverless_dist.comm.algorithms import CANDIDATES
from serverless_dist.testing.buffers import numbers
from serverless_dist.testing.messages import ring

SIZES = (1, 2, 3, 4, 5, 7, 8)
COUNTS = (0, 1, 2, 11)  # elements: fewer than there are ranks, and more

Affine = np.ndarray[Any, np.dtype[np.int64]]
"""Pairs (a, b) for the functions a * x + b, modulo a prime."""

PRIME = 10_007


def compose(inbuf: Any, inoutbuf: Any, datatype: MPI.Datatype) -> None:
    """Put into `inoutbuf` what applies `inbuf`'s functions first: the order counts."""
    first = np.frombuffer(inbuf, np.int64).reshape(-1, 2)
    then = np.frombuffer(inoutbuf, np.int64).reshape(-1, 2)
    then[:, 1] = (then[:, 0] * first[:, 1] + then[:, 1]) % PRIME
    then[:, 0] = then[:, 0] * first[:, 0] % PRIME


def functions(rank: int, count: int) -> Affine:
    """Return the functions that a rank contributes."""
    places = np.arange(count, dtype=np.int64)
    return np.stack([3 + 5 * rank + places, 7 + 11 * rank * places], axis=1)


def folded(ranks: range, count: int) -> Affine:
    """Return the composition of the functions of several ranks, in their order."""
    result = np.tile(np.array([1, 0], np.int64), (count, 1))
    for rank in ranks:
        then = functions(rank, count).copy()
        compose(result, then, MPI.INT64_T)
        result = then
    return result


def each_algorithm(comm: Communicator, collective: str) -> Iterator[str]:
    """Set one algorithm of a collective after the other; give its name."""
    for algorithm in CANDIDATES[collective]:
        comm.Set_algorithm(collective, algorithm.name)
        yield algorithm.name


class AlgorithmsSuite(ABC):
    """What each algorithm's result is; derive and implement `run`."""

    @abstractmethod
    def run(self, size: int, function: Callable[[Communicator], Any]) -> list[Any]:
        """Call `function` on each of `size` new ranks; return results by rank."""

    def test_every_bcast_gives_the_same(self) -> None:
        def function(comm: Communicator) -> None:
            for name in each_algorithm(comm, "bcast"):
                for root in range(comm.size):
                    for count in COUNTS:
                        buf = numbers(count, 100 * comm.rank)
                        comm.Bcast(buf, root)
                        assert buf.tolist() == numbers(count, 100 * root).tolist(), name
                    assert comm.bcast(comm.rank, root) == root, name

        for size in SIZES:
            self.run(size, function)

    def test_every_gather_gives_the_same(self) -> None:
        def function(comm: Communicator) -> None:
            rank, size = comm.rank, comm.size
            for name in each_algorithm(comm, "gather"):
                for root in range(size):
                    for count in COUNTS:
                        whole = numbers(count * size, -999)
                        comm.Gather(numbers(count, count * rank), whole, root)
                        start = 0 if rank == root else -999
                        wanted = numbers(count * size, start)
                        assert whole.tolist() == wanted.tolist(), name

        for size in SIZES:
            self.run(size, function)

    def test_every_scatter_gives_the_same(self) -> None:
        def function(comm: Communicator) -> None:
            for name in each_algorithm(comm, "scatter"):
                for root in range(comm.size):
                    for count in COUNTS:
                        part = numbers(count, -999)
                        comm.Scatter(numbers(count * comm.size), part, root)
                        wanted = numbers(count, count * comm.rank)
                        assert part.tolist() == wanted.tolist(), name

        for size in SIZES:
            self.run(size, function)

    def test_every_allgather_and_alltoall_gives_the_same(self) -> None:
        def function(comm: Communicator) -> None:
            rank, size = comm.rank, comm.size
            for name in each_algorithm(comm, "allgather"):
                for count in COUNTS:
                    whole = numbers(count * size, -999)
                    comm.Allgather(numbers(count, count * rank), whole)
                    assert whole.tolist() == [*range(count * size)], name
                counts = [*range(size)]
                whole = numbers(sum(counts), -999)
                start = sum(counts[:rank])
                comm.Allgatherv(numbers(rank, start), [whole, counts])
                assert whole.tolist() == [*range(sum(counts))], name
            for name in each_algorithm(comm, "alltoall"):
                for count in COUNTS:
                    got = numbers(count * size, -999)
                    comm.Alltoall(numbers(count * size, 1000 * rank), got)
                    for source in range(size):
                        part = got[count * source : count * (source + 1)]
                        wanted = numbers(count, 1000 * source + count * rank)
                        assert part.tolist() == wanted.tolist(), name

        for size in SIZES:
            self.run(size, function)

    def test_every_barrier_holds_everybody(self) -> None:
        def function(comm: Communicator) -> None:
            right = (comm.rank + 1) % comm.size
            for _ in each_algorithm(comm, "barrier"):
                for turn in range(3):
                    comm.send(turn, right)
                    comm.Barrier()
                    assert comm.recv() == turn
                    comm.Ibarrier().Wait()

        for size in SIZES:
            self.run(size, function)

    def test_every_reduction_folds_in_rank_order_where_order_counts(self) -> None:
        """One that needs a commutative operator is passed over for this one."""

        def function(comm: Communicator) -> None:
            size = comm.size
            op = MPI.Op.Create(compose, commute=False)
            pairs = MPI.INT64_T.Create_contiguous(2).Commit()
            for count in COUNTS:
                mine = functions(comm.rank, count)
                expected = folded(range(size), count).tolist()
                for name in each_algorithm(comm, "allreduce"):
                    got = np.zeros_like(mine)
                    comm.Allreduce([mine, count, pairs], [got, count, pairs], op)
                    assert got.tolist() == expected, name
                for name in each_algorithm(comm, "reduce"):
                    for root in range(size):
                        got = np.zeros_like(mine)
                        comm.Reduce([mine, count, pairs], [got, count, pairs], op, root)
                        wanted = expected if comm.rank == root else [[0, 0]] * count
                        assert got.tolist() == wanted, name
            op.Free()

        for size in SIZES:
            self.run(size, function)

    def test_every_scan_folds_in_rank_order(self) -> None:
        def function(comm: Communicator) -> None:
            rank = comm.rank
            op = MPI.Op.Create(compose, commute=False)
            pairs = MPI.INT64_T.Create_contiguous(2).Commit()
            for count in COUNTS:
                mine = functions(rank, count)
                got = np.zeros_like(mine)
                spec, into = [mine, count, pairs], [got, count, pairs]
                for name in each_algorithm(comm, "scan"):
                    comm.Scan(spec, into, op)
                    assert got.tolist() == folded(range(rank + 1), count).tolist(), name
                for name in each_algorithm(comm, "exscan"):
                    got[:] = 0
                    comm.Exscan(spec, into, op)
                    before = folded(range(rank), count).tolist()
                    assert got.tolist() == (before if rank else [[0, 0]] * count), name

        for size in SIZES:
            self.run(size, function)

    def test_every_reduce_scatter_folds_in_rank_order(self) -> None:
        def function(comm: Communicator) -> None:
            rank, size = comm.rank, comm.size
            op = MPI.Op.Create(compose, commute=False)
            pairs = MPI.INT64_T.Create_contiguous(2).Commit()
            for counts in ([*range(size)], [3] * size, [0] * size):
                total, start = sum(counts), sum(counts[:rank])
                mine = functions(rank, total)
                fold = folded(range(size), total)[start : start + counts[rank]]
                for name in each_algorithm(comm, "reduce_scatter"):
                    got = np.zeros((counts[rank], 2), np.int64)
                    spec = [got, counts[rank], pairs]
                    comm.Reduce_scatter([mine, total, pairs], spec, counts, op)
                    assert got.tolist() == fold.tolist(), name

        for size in SIZES:
            self.run(size, function)

    def test_every_reduction_of_numbers_gives_the_same(self) -> None:
        def function(comm: Communicator) -> None:
            rank, size = comm.rank, comm.size
            for count in COUNTS:
                mine = numbers(count, rank)
                total = (size * numbers(count) + sum(range(size))).tolist()
                for name in each_algorithm(comm, "allreduce"):
                    got = numbers(count, -999)
                    comm.Allreduce(mine, got)
                    assert got.tolist() == total, name
                    comm.Iallreduce(mine, got, op=MPI.MIN).Wait()
                    assert got.tolist() == numbers(count).tolist(), name
                for name in each_algorithm(comm, "reduce"):
                    got = numbers(count, -999)
                    comm.Reduce(mine, got, root=size - 1)
                    assert rank < size - 1 or got.tolist() == total, name
                assert mine.tolist() == numbers(count, rank).tolist()
            for name in each_algorithm(comm, "reduce_scatter"):
                got = numbers(2, -999)
                comm.Reduce_scatter_block(numbers(2 * size, rank), got)
                fold = size * numbers(2, 2 * rank) + sum(range(size))
                assert got.tolist() == fold.tolist(), name

        for size in SIZES:
            self.run(size, function)

    def test_every_reduction_of_objects_folds_in_rank_order(self) -> None:
        def function(comm: Communicator) -> None:
            everybody = [*range(comm.size)]
            for name in each_algorithm(comm, "allreduce"):
                assert comm.allreduce([comm.rank]) == everybody, name
            for name in each_algorithm(comm, "reduce"):
                for root in range(comm.size):
                    wanted = everybody if comm.rank == root else None
                    assert comm.reduce([comm.rank], root=root) == wanted, name
            assert ring(comm, "still there") == "still there"

        for size in SIZES:
            self.run(size, function)
