"""The conformance suite of communicators made from others, of one group."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from serverless_dist.comm import Communicator, mpi as MPI
from serverless_dist.comm.exceptions import ERR_ARG, ERR_COMM, ERR_GROUP
from serverless_dist.testing.buffers import numbers
from serverless_dist.testing.expect import fails_with
from serverless_dist.testing.messages import ring


def check_alive(comm: MPI.Comm, value: int, members: list[int]) -> None:
    """Assert that messages and calls work, and that ranks are in order.

    Parameters
    ----------
    comm
        The communicator.
    value
        What this rank has.
    members
        The values of all ranks.
    """
    assert isinstance(comm, Communicator)
    assert comm.size == len(members)
    assert members[comm.rank] == value
    assert ring(comm, value) == members[comm.rank - 1]
    assert comm.allgather(value) == members
    total = numbers(1)
    comm.Allreduce(np.array([value], np.int32), total)
    assert total.tolist() == [sum(members)]
    comm.Barrier()


class GroupsSuite(ABC):
    """What `Split`, `Dup`, `Create` and so on promise; derive and implement `run`."""

    @abstractmethod
    def run(self, size: int, function: Callable[[Communicator], Any]) -> list[Any]:
        """Call `function` on each of `size` new ranks; return results by rank."""

    def test_split_orders_the_ranks_of_a_color_by_their_keys(self) -> None:
        def function(comm: Communicator) -> None:
            rank, size = comm.rank, comm.size
            for part in range(2):
                members = [r for r in range(size) if r % 2 == rank % 2]
                new = comm.Split(rank % 2, -rank if part else 7)
                check_alive(new, comm.rank, members[::-1] if part else members)
                new.Free()
            check_alive(comm, comm.rank, [*range(size)])

        for size in (1, 2, 3, 5):
            self.run(size, function)

    def test_a_rank_without_a_color_is_in_no_part(self) -> None:
        def function(comm: Communicator) -> None:
            with fails_with(ERR_ARG):
                comm.Split(-3)
            color = MPI.UNDEFINED if comm.rank == 0 else 4
            new = comm.Split(color)
            assert (new == MPI.COMM_NULL) is (comm.rank == 0)
            if new:
                check_alive(new, comm.rank, [*range(1, comm.size)])

        for size in (1, 2, 3):
            self.run(size, function)

    def test_ranks_that_share_memory_find_each_other(self) -> None:
        def function(comm: Communicator) -> None:
            check_alive(
                comm.Split_type(MPI.COMM_TYPE_SHARED), comm.rank, [*range(comm.size)]
            )
            assert not comm.Split_type(MPI.UNDEFINED)

        for size in (1, 2):
            self.run(size, function)

    def test_messages_of_a_duplicate_are_apart(self) -> None:
        def function(comm: Communicator) -> None:
            right = (comm.rank + 1) % comm.size
            twin, third = comm.Dup(), comm.Clone()
            fourth, request = comm.Idup()
            request.Wait()
            family = (comm, twin, third, fourth)
            for number, each in enumerate(family):
                each.send(number, right)
            for number, each in reversed(list(enumerate(family))):
                assert each.recv() == number
            assert comm.Compare(twin) == MPI.CONGRUENT
            assert comm.Compare(comm) == MPI.IDENT
            assert twin.Dup().allreduce(1) == comm.size
            for each in family[1:]:
                each.Free()
                assert each == MPI.COMM_NULL
            check_alive(comm, comm.rank, [*range(comm.size)])

        for size in (1, 2, 3):
            self.run(size, function)

    def test_a_duplicate_keeps_attributes_and_algorithms(self) -> None:
        def function(comm: Communicator) -> None:
            keys = [MPI.Comm.Create_keyval(copy_fn=copies) for copies in (True, None)]
            for key in keys:
                comm.Set_attr(key, "value")
            comm.Set_algorithm("bcast", "multicast")
            twin = comm.Dup()
            assert [twin.Get_attr(key) for key in keys] == ["value", None]
            assert twin.state.algorithms["bcast"] == "multicast"
            assert twin.bcast(comm.rank, comm.size - 1) == comm.size - 1

        self.run(2, function)

    def test_create_takes_the_ranks_of_a_group_in_its_order(self) -> None:
        def function(comm: Communicator) -> None:
            rank, size = comm.rank, comm.size
            group = comm.Get_group()
            reverse = group.Incl([*reversed(range(size))])
            check_alive(comm.Create(reverse), comm.rank, [*reversed(range(size))])
            without = comm.Create(group.Excl([0]))
            assert bool(without) is (rank != 0)
            if without:
                check_alive(without, comm.rank, [*range(1, size)])
                assert without.Get_group() != group
                places = without.Get_group().Translate_ranks([0], group)
                assert places == [1]
            assert comm.Create(MPI.GROUP_EMPTY) == MPI.COMM_NULL
            with fails_with(ERR_GROUP):
                comm.Create(MPI.GROUP_NULL)

        for size in (1, 2, 3, 4):
            self.run(size, function)

    def test_create_group_is_called_by_its_ranks_alone(self) -> None:
        def function(comm: Communicator) -> None:
            rank, size = comm.rank, comm.size
            everybody = comm.Get_group()
            if rank != size - 1:
                new = comm.Create_group(everybody.Excl([size - 1]), tag=3)
                again = comm.Create_group(everybody.Excl([size - 1]), tag=3)
                new.send("new", rank)
                again.send("again", rank)
                assert (again.recv(), new.recv()) == ("again", "new")
                check_alive(new, comm.rank, [*range(size - 1)])
                check_alive(again, comm.rank, [*range(size - 1)])
            check_alive(comm.Create_group(everybody), comm.rank, [*range(size)])
            with fails_with(ERR_GROUP):
                part = comm.Split(rank)
                part.Create(everybody) if size > 1 else part.Create(MPI.GROUP_NULL)

        for size in (1, 2, 3):
            self.run(size, function)

    def test_calls_of_parent_and_children_do_not_mix(self) -> None:
        def function(comm: Communicator) -> None:
            rank, size = comm.rank, comm.size
            child = comm.Split(0, -rank)
            assert isinstance(child, Communicator)
            boxes = [numbers(1, -9) for _ in range(4)]
            requests = []
            for number, box in enumerate(boxes):
                each = child if number % 2 else comm
                mine = numbers(1, 10 * number + rank)
                requests.append(each.Iscan(mine, box))
            MPI.Request.Waitall(requests[::-1])
            for number, box in enumerate(boxes):
                those = range(rank, size) if number % 2 else range(rank + 1)
                assert box.tolist() == [sum(10 * number + other for other in those)]

        for size in (1, 2, 3):
            self.run(size, function)

    def test_a_freed_communicator_is_null_and_says_so(self) -> None:
        def function(comm: Communicator) -> None:
            twin = comm.Dup()
            twin.Free()
            calls: list[Callable[[], Any]] = [
                lambda: twin.send(1, 0),
                lambda: twin.Recv(numbers(1)),
                lambda: twin.Iallreduce(numbers(1), numbers(1)),
                lambda: twin.Bcast_init(numbers(1)),
                lambda: twin.Dup(),
                lambda: twin.Split(),
                lambda: twin.size,
                lambda: twin.Free(),
                lambda: comm.Free(),
                lambda: comm.Compare(twin),
            ]
            for call in calls:
                with fails_with(ERR_COMM):
                    call()
            check_alive(comm, comm.rank, [*range(comm.size)])

        self.run(2, function)
