"""The conformance suite of a communicator's collective calls."""

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from serverless_dist.comm import Communicator
from serverless_dist.comm.data.ops import MAX, MAXLOC, MIN, SUM
from serverless_dist.errors import UnpicklableError, UsageError
from serverless_dist.testing.expect import raises
from serverless_dist.testing.messages import (
    LARGE,
    OBJECTS,
    SIZES,
    Unpicklable,
    assert_same_array,
    ring,
    sample_arrays,
)


def letters(size: int) -> str:
    """Return what ranks that contribute a letter each fold to."""
    return "".join(map(letter, range(size)))


def letter(rank: int) -> str:
    """Return the letter of a rank."""
    return chr(ord("a") + rank)


def exchange(
    comm: Communicator, sends: Mapping[int, Any], sources: Sequence[int]
) -> dict[int, Any]:
    """Send an object to each rank in `sends`; return what each source sent.

    Parameters
    ----------
    comm
        All its ranks call this.
    sends
        The objects; the same object for several ranks is a multicast.
    sources
        The ranks that send to this one in their call.
    """
    graph = comm.Create_dist_graph_adjacent(sources, list(sends))
    received = graph.neighbor_alltoall(list(sends.values()))
    return dict(zip(sources, received, strict=True))


class CollectivesSuite(ABC):
    """What the collective calls promise; derive and implement `run`."""

    @abstractmethod
    def run(self, size: int, function: Callable[[Communicator], Any]) -> list[Any]:
        """Call `function` on each of `size` new ranks; return results by rank."""

    def test_bcast_gives_everybody_the_roots_object(self) -> None:
        def function(comm: Communicator) -> None:
            for root in range(comm.size):
                for obj in OBJECTS:
                    mine = obj if comm.rank == root else "ignored"
                    assert comm.bcast(mine, root) == obj

        for size in SIZES:
            self.run(size, function)

    def test_scatter_gives_each_rank_its_item(self) -> None:
        def function(comm: Communicator) -> None:
            for root in range(comm.size):
                items = [f"{root} to {dest}" for dest in range(comm.size)]
                mine = items if comm.rank == root else None
                assert comm.scatter(mine, root) == f"{root} to {comm.rank}"
            rows = comm.scatter(np.arange(2 * comm.size).reshape(-1, 2))
            assert rows.tolist() == [2 * comm.rank, 2 * comm.rank + 1]

        for size in SIZES:
            self.run(size, function)

    def test_gather_gives_the_root_a_list_by_rank(self) -> None:
        def function(comm: Communicator) -> None:
            for root in range(comm.size):
                gathered = comm.gather((comm.rank, root), root)
                if comm.rank == root:
                    assert gathered == [(rank, root) for rank in range(comm.size)]
                else:
                    assert gathered is None

        for size in SIZES:
            self.run(size, function)

    def test_allgather_and_alltoall_give_lists_by_rank(self) -> None:
        def function(comm: Communicator) -> None:
            ranks = range(comm.size)
            assert comm.allgather(letter(comm.rank)) == list(letters(comm.size))
            items = [(comm.rank, dest) for dest in ranks]
            assert comm.alltoall(items) == [(source, comm.rank) for source in ranks]

        for size in SIZES:
            self.run(size, function)

    def test_reductions_fold_in_rank_order_whatever_the_root(self) -> None:
        def function(comm: Communicator) -> None:
            mine, all_of_us = letter(comm.rank), letters(comm.size)
            for root in range(comm.size):
                expected = all_of_us if comm.rank == root else None
                assert comm.reduce(mine, operator.add, root) == expected
                assert comm.reduce([mine], root=root) == (expected and [*expected])
            assert comm.allreduce(mine) == all_of_us
            assert comm.allreduce([mine], SUM) == [*all_of_us]

        for size in SIZES:
            self.run(size, function)

    def test_operators_reduce_numbers_pairs_and_arrays(self) -> None:
        def function(comm: Communicator) -> None:
            rank, last = comm.rank, comm.size - 1
            array = np.array([rank, -rank, 1])
            assert comm.allreduce(rank, MAX) == last
            assert comm.allreduce((rank // 2, rank), MAXLOC) == (last // 2, last & ~1)
            assert comm.allreduce(array, MIN).tolist() == [0, -last, 1]
            total = last * (last + 1) // 2
            assert comm.allreduce(array).tolist() == [total, -total, comm.size]
            assert comm.allreduce(rank, lambda a, b: a + b) == total

        for size in SIZES:
            self.run(size, function)

    def test_barriers_follow_one_another(self) -> None:
        def function(comm: Communicator) -> None:
            for _ in range(5):
                comm.barrier()

        for size in SIZES:
            self.run(size, function)

    def test_exchange_is_sparse_and_multicasts(self) -> None:
        def function(comm: Communicator) -> dict[int, Any]:
            if comm.rank == 0:
                both = "both"
                sends = {1: both, 2: both, 3: "three", 0: "me"}
                return exchange(comm, sends, [0, 3])
            if comm.rank == 3:
                return exchange(comm, {0: "home"}, [0])
            return exchange(comm, {}, [0] if comm.rank < 3 else [])

        for _ in range(2):
            assert self.run(5, function) == [
                {0: "me", 3: "home"},
                {0: "both"},
                {0: "both"},
                {0: "three"},
                {},
            ]

    def test_arrays_go_through_every_call(self) -> None:
        def function(comm: Communicator) -> None:
            arrays, size, rank = sample_arrays(), comm.size, comm.rank
            for array in arrays:
                results = [
                    comm.bcast(array if rank == 0 else None),
                    comm.scatter([array] * size if rank == 0 else None),
                    *comm.allgather(array),
                    *comm.alltoall([array] * size),
                    *(comm.gather(array, size - 1) or []),
                    *exchange(comm, {rank: array}, [rank]).values(),
                ]
                for result in results:
                    assert_same_array(result, array)
                    assert result.flags.writeable

        for size in (1, 3, 5):
            self.run(size, function)

    def test_large_objects_go_through_every_call(self) -> None:
        def function(comm: Communicator) -> None:
            array = np.full(LARGE // 8, comm.rank, np.int64)
            total = comm.size * (comm.size - 1) // 2
            assert (comm.bcast(array, 1) == 1).all()
            assert (comm.scatter([array] * comm.size, 2) == 2).all()
            assert (comm.allreduce(array) == total).all()
            for rank, part in enumerate(comm.allgather(array)):
                assert (part == rank).all()
            for rank, part in enumerate(comm.alltoall([array] * comm.size)):
                assert (part == rank).all()

        self.run(3, function)

    def test_what_a_call_returns_is_shared_with_nobody(self) -> None:
        def function(comm: Communicator) -> None:
            mine = np.ones(3)
            items = [mine] * comm.size
            results = [
                comm.bcast(mine),
                comm.scatter(items),
                comm.reduce(mine),
                comm.allreduce(mine),
                comm.allreduce(mine, lambda a, _: a),
                *(comm.gather(mine) or []),
                *comm.allgather(mine),
                *comm.alltoall(items),
                *exchange(comm, {comm.rank: mine}, [comm.rank]).values(),
            ]
            for index, result in enumerate(results):
                if result is not None:
                    result[:] = index + 10
            assert mine.tolist() == [1, 1, 1]
            for index, result in enumerate(results):
                assert result is None or (result == index + 10).all()

        for size in (1, 2, 3):
            self.run(size, function)

    def test_calls_and_messages_do_not_mix(self) -> None:
        def function(comm: Communicator) -> None:
            right = (comm.rank + 1) % comm.size
            for turn in range(5):
                comm.send(f"turn {turn}", right)
                assert comm.bcast(turn, turn % comm.size) == turn
                assert comm.allreduce(1) == comm.size
                assert comm.recv() == f"turn {turn}"
                assert comm.allgather(turn) == [turn] * comm.size

        for size in SIZES:
            self.run(size, function)

    def test_a_mistake_in_a_call_is_found_before_anything_is_sent(self) -> None:
        def function(comm: Communicator) -> list[str]:
            mistakes: list[Callable[[], Any]] = [
                lambda: comm.bcast(1, root=2),
                lambda: comm.gather(1, root=-1),
                lambda: comm.reduce(1, root=2),
                lambda: comm.scatter([1, 2], root=3),
                lambda: comm.scatter([1, 2, 3], root=comm.rank),
                lambda: comm.scatter([], root=comm.rank),
                lambda: comm.alltoall([1]),
                lambda: exchange(comm, {}, [2]),
                lambda: exchange(comm, {2: 1}, []),
            ]
            texts = []
            for mistake in mistakes:
                with raises(UsageError) as errors:
                    mistake()
                texts.append(str(errors[0]))
            with raises(UnpicklableError):
                comm.alltoall([Unpicklable()] * 2)
            assert ring(comm, "still there") == "still there"
            return texts

        expected = [
            "root is 2, but it must be a rank from 0 to 1",
            "root is -1, but it must be a rank from 0 to 1",
            "root is 2, but it must be a rank from 0 to 1",
            "root is 3, but it must be a rank from 0 to 1",
            "scatter was given 3 items for 2 ranks",
            "scatter was given 0 items for 2 ranks",
            "alltoall was given 1 items for 2 ranks",
            "source is 2, but it must be a rank from 0 to 1",
            "destination is 2, but it must be a rank from 0 to 1",
        ]
        assert self.run(2, function) == [expected, expected]
