"""The conformance suite of a communicator's collective calls on buffers."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from serverless_dist.comm import Communicator, mpi as MPI
from serverless_dist.comm.exceptions import ERR_ROOT, ERR_TRUNCATE
from serverless_dist.testing.buffers import numbers
from serverless_dist.testing.expect import fails_with, raises
from serverless_dist.testing.messages import ring

FEW = (1, 2, 3)


def expected_counts(size: int) -> tuple[list[int], list[int]]:
    """Return a count for each rank, the first 0, and places with gaps between."""
    return list(range(size)), [3 * rank for rank in range(size)]


class BufferCollectivesSuite(ABC):
    """What `Bcast`, `Gatherv`, `Reduce` and so on promise; derive, implement `run`."""

    @abstractmethod
    def run(self, size: int, function: Callable[[Communicator], Any]) -> list[Any]:
        """Call `function` on each of `size` new ranks; return results by rank."""

    def test_bcast_fills_every_buffer_from_the_root(self) -> None:
        def function(comm: Communicator) -> None:
            for root in range(comm.size):
                for count in (0, 1, 50):
                    buf = numbers(count, 10 * comm.rank)
                    comm.Bcast(buf, root)
                    assert buf.tolist() == numbers(count, 10 * root).tolist()

        for size in FEW:
            self.run(size, function)

    def test_bcast_fills_the_start_of_a_larger_buffer(self) -> None:
        def function(comm: Communicator) -> None:
            buf = numbers(2 if comm.rank == 0 else 5, 10 * comm.rank)
            comm.Bcast(buf)
            assert buf[:2].tolist() == [0, 1]
            if comm.rank:
                assert buf[2:].tolist() == numbers(5, 10 * comm.rank)[2:].tolist()

        for size in FEW:
            self.run(size, function)

    def test_bcast_of_a_column_leaves_the_rest_alone(self) -> None:
        def function(comm: Communicator) -> None:
            column = MPI.INT32_T.Create_vector(3, 1, 2).Commit()
            root = comm.size - 1
            grid = numbers(6, 10 * comm.rank).reshape(3, 2)
            comm.Bcast([grid, 1, column], root)
            assert (grid[:, 0] == numbers(6, 10 * root)[::2]).all()
            assert (grid[:, 1] == numbers(6, 10 * comm.rank)[1::2]).all()
            column.Free()

        for size in FEW:
            self.run(size, function)

    def test_gather_and_scatter_are_by_rank_and_in_place(self) -> None:
        def function(comm: Communicator) -> None:
            size = comm.size
            for root in range(size):
                is_root = comm.rank == root
                mine, whole = numbers(2, 2 * comm.rank), numbers(2 * size, -99)
                comm.Gather(mine, whole if is_root else None, root)
                assert not is_root or whole.tolist() == [*range(2 * size)]
                part = numbers(2, -99)
                comm.Scatter(whole + 5 if is_root else None, part, root)
                assert part.tolist() == (mine + 5).tolist()
                # In place, the root's own part is where it belongs already.
                whole[2 * root : 2 * root + 2] = [7, 8]
                place = MPI.IN_PLACE if is_root else mine
                comm.Gather(place, whole if is_root else None, root)
                assert not is_root or whole[2 * root : 2 * root + 2].tolist() == [7, 8]
                place = MPI.IN_PLACE if is_root else part
                comm.Scatter(whole if is_root else None, place, root)
                assert is_root or part.tolist() == mine.tolist()

        for size in FEW:
            self.run(size, function)

    def test_allgather_and_alltoall_are_by_rank_and_in_place(self) -> None:
        def function(comm: Communicator) -> None:
            rank, size = comm.rank, comm.size
            for count in (0, 2):
                whole = numbers(count * size, -99)
                comm.Allgather(numbers(count, count * rank), whole)
                assert whole.tolist() == [*range(count * size)]
                whole[: count * rank] = whole[count * (rank + 1) :] = -1
                comm.Allgather(MPI.IN_PLACE, whole)
                assert whole.tolist() == [*range(count * size)]
            sent = numbers(size, 100 * rank)
            got = numbers(size, -99)
            comm.Alltoall(sent, got)
            assert got.tolist() == [100 * source + rank for source in range(size)]
            comm.Alltoall(MPI.IN_PLACE, sent)
            assert sent.tolist() == got.tolist()

        for size in FEW:
            self.run(size, function)

    def test_gatherv_and_scatterv_use_counts_and_places(self) -> None:
        def function(comm: Communicator) -> None:
            rank, size = comm.rank, comm.size
            counts, places = expected_counts(size)
            for root in range(size):
                is_root = rank == root
                whole = np.full(3 * size, -1, np.int32)
                spec = [whole, counts, places, MPI.INT32_T] if is_root else None
                comm.Gatherv(numbers(rank, 10 * rank), spec, root)
                for source in range(size if is_root else 0):
                    part = whole[3 * source : 3 * source + 3]
                    assert (
                        part[:source].tolist() == numbers(source, 10 * source).tolist()
                    )
                    assert (part[source:] == -1).all()
                got = numbers(rank, -99)
                comm.Scatterv(spec, got, root)
                assert got.tolist() == numbers(rank, 10 * rank).tolist()

        for size in FEW:
            self.run(size, function)

    def test_allgatherv_and_alltoallv_use_counts_and_places(self) -> None:
        def function(comm: Communicator) -> None:
            rank, size = comm.rank, comm.size
            counts, places = expected_counts(size)
            whole = np.full(3 * size, -1, np.int32)
            comm.Allgatherv(numbers(rank, 10 * rank), [whole, counts, places, MPI.INT])
            for source in range(size):
                part = whole[3 * source : 3 * source + 3]
                assert part[:source].tolist() == numbers(source, 10 * source).tolist()
                assert (part[source:] == -1).all()
            # Each rank gets as many elements from everybody as its number.
            sent = numbers(3 * size, 100 * rank)
            got = np.full(3 * size, -1, np.int32)
            comm.Alltoallv([sent, (counts, places)], [got, ([rank] * size, places)])
            for source in range(size):
                part = got[3 * source : 3 * source + 3]
                start = 100 * source + 3 * rank
                assert part[:rank].tolist() == numbers(rank, start).tolist()
                assert (part[rank:] == -1).all()

        for size in FEW:
            self.run(size, function)

    def test_alltoallw_has_a_datatype_for_each_rank(self) -> None:
        def function(comm: Communicator) -> None:
            rank, size = comm.rank, comm.size
            ones, places = [1] * size, [8 * peer for peer in range(size)]
            kinds = [MPI.INT32_T if peer % 2 else MPI.DOUBLE for peer in range(size)]
            sent = np.zeros(size, np.float64)
            for peer in range(size):
                value = 10 * rank + peer
                sent[peer : peer + 1].view(np.int32)[0] = value
                if peer % 2 == 0:
                    sent[peer] = value
            got = np.zeros(size, np.float64)
            mine = [kinds[rank]] * size
            comm.Alltoallw([sent, ones, places, kinds], [got, ones, places, mine])
            for source in range(size):
                cell = got[source : source + 1]
                number = cell.view(np.int32)[0] if rank % 2 else cell[0]
                assert number == 10 * source + rank

        for size in FEW:
            self.run(size, function)

    def test_reductions_fold_elements_and_in_place(self) -> None:
        def function(comm: Communicator) -> None:
            rank, size = comm.rank, comm.size
            total = [sum(range(size)) + size * place for place in range(3)]
            for root in range(size):
                mine, result = numbers(3, rank), numbers(3, -99)
                comm.Reduce(mine, result if rank == root else None, MPI.SUM, root)
                assert rank != root or result.tolist() == total
                place = MPI.IN_PLACE if rank == root else mine
                comm.Reduce(place, mine if rank == root else None, root=root)
                assert mine.tolist() == (total if rank == root else [*numbers(3, rank)])
            mine = numbers(3, rank)
            comm.Allreduce(mine, result, op=MPI.MAX)
            assert result.tolist() == [size - 1, size, size + 1]
            comm.Allreduce(MPI.IN_PLACE, mine)
            assert mine.tolist() == total
            comm.Allreduce(numbers(0), numbers(0))

        for size in FEW:
            self.run(size, function)

    def test_scans_fold_up_to_and_before_each_rank(self) -> None:
        def function(comm: Communicator) -> None:
            rank = comm.rank
            before = sum(range(rank))
            mine, result = numbers(2, rank), numbers(2, -99)
            comm.Scan(mine, result)
            assert result.tolist() == [before + rank, before + 2 * rank + 1]
            comm.Scan(MPI.IN_PLACE, mine)
            assert mine.tolist() == result.tolist()
            mine, result = numbers(2, rank), numbers(2, -99)
            comm.Exscan(mine, result)
            expected = [before, before + rank] if rank else [-99, -98]
            assert result.tolist() == expected
            assert comm.scan([rank]) == [*range(rank + 1)]
            assert comm.exscan([rank]) == ([*range(rank)] if rank else None)

        for size in FEW:
            self.run(size, function)

    def test_reduce_scatter_gives_each_rank_its_block(self) -> None:
        def function(comm: Communicator) -> None:
            rank, size = comm.rank, comm.size
            counts = [*range(size)]
            start = sum(counts[:rank])
            whole = numbers(sum(counts), rank)
            fold = size * numbers(sum(counts)) + sum(range(size))
            got = numbers(rank, -99)
            comm.Reduce_scatter(whole, got, counts)
            assert got.tolist() == fold[start : start + rank].tolist()
            got = numbers(rank, -99)
            comm.Reduce_scatter(whole, got)  # the counts are those of the buffers
            assert got.tolist() == fold[start : start + rank].tolist()
            comm.Reduce_scatter(MPI.IN_PLACE, whole, counts)
            assert whole[:rank].tolist() == fold[start : start + rank].tolist()
            whole, got = numbers(2 * size, rank), numbers(2, -99)
            fold = size * numbers(2 * size) + sum(range(size))
            comm.Reduce_scatter_block(whole, got)
            assert got.tolist() == fold[2 * rank : 2 * rank + 2].tolist()
            comm.Reduce_scatter_block(MPI.IN_PLACE, whole)
            assert whole[:2].tolist() == got.tolist()

        for size in FEW:
            self.run(size, function)

    def test_a_bad_root_is_found_by_every_rank_before_anything_is_sent(self) -> None:
        def function(comm: Communicator) -> None:
            buf, whole = numbers(1), numbers(comm.size)
            for root in (comm.size, -5):
                for call in ("Bcast", "Ibcast", "Bcast_init"):
                    with fails_with(ERR_ROOT):
                        getattr(comm, call)(buf, root)
                for call in ("Gather", "Igatherv", "Gather_init", "Gatherv"):
                    with fails_with(ERR_ROOT):
                        getattr(comm, call)(buf, whole, root)
                for call in ("Scatter", "Iscatter", "Scatterv_init"):
                    with fails_with(ERR_ROOT):
                        getattr(comm, call)(whole, buf, root)
                for call in ("Reduce", "Ireduce", "Reduce_init"):
                    with fails_with(ERR_ROOT):
                        getattr(comm, call)(buf, buf, MPI.SUM, root)
            comm.Allreduce(numbers(1), buf)
            assert ring(comm, "still there") == "still there"

        self.run(2, function)

    def test_a_buffer_that_does_not_fit_is_found_before_anything_is_sent(self) -> None:
        def function(comm: Communicator) -> None:
            with raises(ValueError):
                comm.Allreduce(numbers(2), numbers(3))
            with raises(ValueError):
                comm.Allreduce(numbers(2), np.zeros(2))
            with raises(ValueError):
                comm.Reduce_scatter(numbers(5), numbers(1), [1] * comm.size)
            buf = numbers(1)
            comm.Allreduce(numbers(1, 4), buf)
            assert buf.tolist() == [4 * comm.size]

        self.run(2, function)

    def test_a_part_too_long_fails_where_it_is_received(self) -> None:
        def function(comm: Communicator) -> None:
            counts, last = [2] * comm.size, comm.size - 1
            whole = [numbers(2 * comm.size), counts]
            if comm.rank == last:
                with fails_with(ERR_TRUNCATE):
                    comm.Scatterv(whole if last == 0 else None, numbers(1))
            else:
                comm.Scatterv(whole if comm.rank == 0 else None, numbers(2))
            buf = numbers(1)
            comm.Allreduce(numbers(1, 4), buf)
            assert buf.tolist() == [4 * comm.size]

        for size in FEW:
            self.run(size, function)
