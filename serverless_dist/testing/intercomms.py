"""The conformance suite of communicators of two groups."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from serverless_dist.comm import ANY_SOURCE, Communicator, Status, mpi as MPI
from serverless_dist.comm.exceptions import ERR_COMM, ERR_RANK, ERR_ROOT
from serverless_dist.testing.buffers import numbers
from serverless_dist.testing.expect import fails_with
from serverless_dist.testing.groups import check_alive

Inter = MPI.Intercomm


def halves(comm: Communicator) -> tuple[Inter, int, list[int], list[int]]:
    """Return an intercommunicator of the lower and upper ranks of an odd division.

    With it come which side this rank is on, and the ranks of both, its own first.
    """
    border = (comm.size + 1) // 3 or 1
    side = int(comm.rank >= border)
    groups = [*range(border)], [*range(border, comm.size)]
    local = comm.Split(side, comm.rank)
    assert isinstance(local, Communicator)
    inter = local.Create_intercomm(0, comm, (border, 0)[side], tag=5)
    return inter, side, groups[side], groups[1 - side]


def check_both(inter: Inter, value: int, ours: list[int], theirs: list[int]) -> None:
    """Assert that all kinds of traffic work, each rank having a value."""
    assert (inter.size, inter.remote_size) == (len(ours), len(theirs))
    assert inter.allgather(value) == theirs
    inter.Barrier()
    for dest in range(inter.remote_size):
        inter.send(value, dest, tag=value)
    status = Status()
    got = {}
    for _ in theirs:
        obj = inter.recv(source=ANY_SOURCE, status=status)
        assert status.tag == obj
        got[status.source] = obj
    assert [got[source] for source in range(len(theirs))] == theirs


class IntercommsSuite(ABC):
    """What intercommunicators promise; derive and implement `run`."""

    @abstractmethod
    def run(self, size: int, function: Callable[[Communicator], Any]) -> list[Any]:
        """Call `function` on each of `size` new ranks; return results by rank."""

    def test_messages_go_to_the_other_group(self) -> None:
        def function(comm: Communicator) -> None:
            inter, _, ours, theirs = halves(comm)
            assert inter.Is_inter()
            assert not inter.Is_intra()
            check_both(inter, comm.rank, ours, theirs)
            group = inter.Get_remote_group()
            world = comm.Get_group()
            assert group.Translate_ranks(None, world) == theirs
            assert inter.Get_group().Translate_ranks(None, world) == ours
            got = numbers(1)
            inter.Barrier()
            if inter.rank == 0:
                inter.Sendrecv(numbers(1, comm.rank), 0, 1, got, 0, 1)
                assert got.tolist() == [theirs[0]]
            with fails_with(ERR_RANK):
                inter.send(1, inter.remote_size)

        for size in (2, 3, 5):
            self.run(size, function)

    def test_calls_give_each_group_what_the_other_has(self) -> None:
        def function(comm: Communicator) -> None:
            inter, _, _, theirs = halves(comm)
            mine = numbers(1, comm.rank)
            everybody = numbers(len(theirs), -9)
            inter.Allgather(mine, everybody)
            assert everybody.tolist() == theirs
            total = numbers(1)
            inter.Allreduce(mine, total)
            assert total.tolist() == [sum(theirs)]
            letters = inter.allreduce([comm.rank])
            assert letters == theirs  # in rank order
            sent = np.array([10 * comm.rank + other for other in theirs], np.int32)
            got = numbers(len(theirs), -9)
            inter.Alltoall(sent, got)
            assert got.tolist() == [10 * other + comm.rank for other in theirs]
            assert inter.alltoall([comm.rank] * len(theirs)) == theirs
            request = inter.Iallreduce(mine, total, op=MPI.MAX)
            request.Wait()
            assert total.tolist() == [max(theirs)]

        for size in (2, 3, 5):
            self.run(size, function)

    def test_one_rank_of_either_group_may_be_the_root(self) -> None:
        def function(comm: Communicator) -> None:
            inter, side, ours, theirs = halves(comm)
            for root_side in (0, 1):
                group = ours if root_side == side else theirs
                for place in range(len(group)):
                    root = place
                    if root_side == side:
                        root = MPI.ROOT if inter.rank == place else MPI.PROC_NULL
                    check_rooted(inter, comm.rank, root, ours, theirs)
            with fails_with(ERR_ROOT):
                inter.bcast(1, inter.remote_size)

        for size in (2, 3, 4):
            self.run(size, function)

    def test_merging_puts_the_high_group_last(self) -> None:
        def function(comm: Communicator) -> None:
            inter, side, ours, theirs = halves(comm)
            for high in (0, 1):
                both = inter.Merge(high=side == high)
                expected = theirs + ours if side == high else ours + theirs
                check_alive(both, comm.rank, expected)
            check_alive(inter.Merge(), comm.rank, [*range(comm.size)])

        for size in (2, 3, 5):
            self.run(size, function)

    def test_a_duplicate_is_apart(self) -> None:
        def function(comm: Communicator) -> None:
            inter, _, ours, theirs = halves(comm)
            twin = inter.Dup()
            assert inter.Compare(twin) == MPI.CONGRUENT
            if inter.rank == 0:
                inter.send("old", 0)
                twin.send("new", 0)
                assert (twin.recv(), inter.recv()) == ("new", "old")
            check_both(twin, comm.rank, ours, theirs)
            twin.Free()
            check_both(inter, comm.rank, ours, theirs)

        for size in (2, 3):
            self.run(size, function)

    def test_parts_of_both_groups_are_intercommunicators_again(self) -> None:
        def function(comm: Communicator) -> None:
            inter, _, ours, theirs = halves(comm)
            color = comm.rank % 2
            part = inter.Split(color, -comm.rank)
            here = [rank for rank in ours[::-1] if rank % 2 == color]
            there = [rank for rank in theirs[::-1] if rank % 2 == color]
            assert bool(part) is bool(there)
            if there:
                assert isinstance(part, Inter)
                check_both(part, comm.rank, here, there)
                check_alive(
                    part.Merge(high=here > there), comm.rank, sorted_by(here, there)
                )
                both = part.Merge()
                assert both.allgather(both.rank) == [*range(both.size)]
            assert not inter.Split(MPI.UNDEFINED)

        for size in (2, 4, 5):
            self.run(size, function)

    def test_create_takes_a_group_of_each_side(self) -> None:
        def function(comm: Communicator) -> None:
            inter, _, ours, theirs = halves(comm)
            last = [*reversed(range(inter.size))][:2]
            part = inter.Create(inter.Get_group().Incl(last))
            here, there = ours[::-1][:2], theirs[::-1][:2]
            assert bool(part) is (comm.rank in here)
            if part:
                assert isinstance(part, Inter)
                check_both(part, comm.rank, here, there)
                both = part.Merge()
                assert both.allgather(both.rank) == [*range(both.size)]

        for size in (2, 4, 5):
            self.run(size, function)

    def test_groups_with_a_rank_in_common_make_none(self) -> None:
        def function(comm: Communicator) -> None:
            with fails_with(ERR_COMM):
                comm.Create_intercomm(0, comm, 0)
            with fails_with(ERR_RANK):
                comm.Create_intercomm(comm.size, comm, 0)
            check_alive(comm, comm.rank, [*range(comm.size)])

        for size in (1, 2):
            self.run(size, function)


def sorted_by(here: list[int], there: list[int]) -> list[int]:
    """Return the lower of two lists, then the other."""
    return there + here if here > there else here + there


def check_rooted(
    inter: Inter, value: int, root: int, ours: list[int], theirs: list[int]
) -> None:
    """Assert that each call with a root works; `root` is what this rank passes.

    Parameters
    ----------
    inter
        The intercommunicator.
    value
        What this rank has.
    root
        `ROOT`, `PROC_NULL`, or the rank in the other group.
    ours, theirs
        The values of both groups.
    """
    is_root, is_receiver = root == MPI.ROOT, root >= 0
    buf = numbers(2, value)
    inter.Bcast(buf, root)
    assert buf[0] == (theirs[root] if is_receiver else value)
    got = numbers(len(theirs), -9)
    inter.Gather(numbers(1, value), got, root)
    assert got.tolist() == (theirs if is_root else numbers(len(theirs), -9).tolist())
    part = numbers(1, -9)
    inter.Scatter(numbers(len(theirs), value), part, root)
    expected = theirs[root] + inter.rank if is_receiver else -9
    assert part.tolist() == [expected]
    total = numbers(1, -9)
    inter.Reduce(numbers(1, value), total, MPI.SUM, root)
    assert total.tolist() == [sum(theirs) if is_root else -9]
    assert inter.reduce([value], root=root) == (theirs if is_root else None)
    assert inter.gather(value, root) == (theirs if is_root else None)
    obj = inter.bcast(value, root)
    assert obj == (theirs[root] if is_receiver else None) or root < 0
    items = theirs if is_root else None
    assert inter.scatter(items, root) == (value if is_receiver else None)
