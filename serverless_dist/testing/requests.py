"""The conformance suite of a communicator's requests and the order of messages."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from serverless_dist.comm import ANY_SOURCE, ANY_TAG, Communicator, Status, mpi as MPI
from serverless_dist.comm.exceptions import ERR_REQUEST, ERR_TRUNCATE
from serverless_dist.testing.buffers import around, numbers
from serverless_dist.testing.expect import fails_with

Request = MPI.Request


class RequestsSuite(ABC):
    """What requests promise; derive and implement `run`."""

    @abstractmethod
    def run(self, size: int, function: Callable[[Communicator], Any]) -> list[Any]:
        """Call `function` on each of `size` new ranks; return results by rank."""

    def test_posted_receives_are_filled_in_the_order_of_posting(self) -> None:
        patterns = [
            (ANY_SOURCE, ANY_TAG),
            (0, 4),
            (ANY_SOURCE, 4),
            (0, ANY_TAG),
            (ANY_SOURCE, ANY_TAG),
        ]

        def function(comm: Communicator) -> None:
            last = comm.size - 1
            if comm.rank == last:
                boxes = [numbers(1, -9) for _ in patterns]
                requests = [
                    comm.Irecv(box, source, tag)
                    for box, (source, tag) in zip(boxes, patterns, strict=True)
                ]
            comm.Barrier()
            if comm.rank == 0:
                for number in range(len(patterns)):
                    comm.Send(numbers(1, number), last, tag=4)
            if comm.rank == last:
                Request.Waitall(requests[::-1])
                assert [int(box[0]) for box in boxes] == [0, 1, 2, 3, 4]

        for size in (1, 2, 3):
            self.run(size, function)

    def test_a_posted_receive_of_another_tag_is_passed_over(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            second = comm.irecv(source=left, tag=2)
            anything = comm.irecv(source=ANY_SOURCE, tag=ANY_TAG)
            first = comm.irecv(source=left, tag=1)
            comm.Barrier()
            for tag in (1, 2, 1):
                comm.send(f"tag {tag}", right, tag)
            assert anything.wait() == "tag 1"
            assert Request.waitall([first, second]) == ["tag 1", "tag 2"]

        for size in (1, 2, 3):
            self.run(size, function)

    def test_a_synchronous_send_is_done_only_when_it_is_received(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            request = comm.Issend(numbers(1), right, tag=3)
            comm.Barrier()
            comm.Probe(left, 3)
            comm.Barrier()
            assert not request.Test()
            assert not request.Get_status()
            comm.Barrier()
            comm.Recv(numbers(1), left, 3)
            request.Wait()

        for size in (1, 2, 3):
            self.run(size, function)

    def test_a_request_is_null_once_it_is_completed(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            request, status = comm.irecv(source=left, tag=5), Status()
            assert request
            assert request.test() == (False, None)
            comm.Barrier()
            comm.send("object", right, tag=5)
            while not request.Get_status(status):
                pass
            assert (status.source, status.tag) == (left, 5)
            assert request
            assert request.test(status) == (True, "object")
            assert not request
            assert request == MPI.REQUEST_NULL
            assert request.Test()
            assert request.wait() is None
            with fails_with(ERR_REQUEST):
                request.Cancel()

        for size in (1, 2):
            self.run(size, function)

    def test_wait_and_test_any_complete_one_at_a_time(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            requests = [comm.irecv(source=left, tag=tag) for tag in range(3)]
            assert Request.testany(requests)[1] is False
            comm.Barrier()
            comm.send("two", right, tag=2)
            status = Status()
            assert Request.waitany(requests, status) == (2, "two")
            assert (status.source, status.tag) == (left, 2)
            comm.Barrier()
            comm.send("zero", right, tag=0)
            while not (found := Request.testany(requests))[1]:
                pass
            assert found == (0, True, "zero")
            comm.send("one", right, tag=1)
            assert Request.Waitany(requests) == 1
            assert Request.Waitany(requests) == MPI.UNDEFINED
            assert Request.Testany(requests) == (MPI.UNDEFINED, True)

        for size in (1, 2):
            self.run(size, function)

    def test_wait_and_test_all_complete_all_or_none(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            requests = [comm.irecv(source=left, tag=tag) for tag in range(3)]
            requests.append(comm.isend("zero", right, tag=0))
            statuses = [Status() for _ in requests]
            assert not Request.Testall(requests)
            assert all(requests)
            comm.Barrier()
            comm.send("one", right, tag=1)
            comm.send("two", right, tag=2)
            objs = Request.waitall(requests, statuses)
            assert objs == ["zero", "one", "two", None]
            assert [status.tag for status in statuses[:3]] == [0, 1, 2]
            assert not any(requests)
            assert Request.testall(requests) == (True, [None] * 4)

        for size in (1, 2):
            self.run(size, function)

    def test_wait_and_test_some_complete_those_that_are_done(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            requests = [comm.irecv(source=left, tag=tag) for tag in range(3)]
            assert Request.testsome(requests) == ([], [])
            comm.Barrier()
            comm.send("one", right, tag=1)
            statuses = [Status()]
            assert Request.waitsome(requests, statuses) == ([1], ["one"])
            assert statuses[0].tag == 1
            comm.Barrier()
            comm.send("two", right, tag=2)
            comm.send("zero", right, tag=0)
            found: dict[int, Any] = {}
            while len(found) < 2:
                indices, objs = Request.waitsome(requests)
                assert indices
                found.update(zip(indices, objs or (), strict=True))
            assert found == {0: "zero", 2: "two"}
            assert Request.Waitsome(requests) is None
            assert Request.Testsome(requests) is None

        for size in (1, 2):
            self.run(size, function)

    def test_one_request_too_long_does_not_keep_the_others(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            boxes = [numbers(3, -9) for _ in range(3)]
            boxes[1] = numbers(1, -9)
            requests = [comm.Irecv(box, left, tag) for tag, box in enumerate(boxes)]
            statuses = [Status() for _ in requests]
            for tag in range(3):
                comm.Send(numbers(3), right, tag)
            with fails_with(MPI.ERR_IN_STATUS):
                Request.Waitall(requests, statuses)
            assert boxes[0].tolist() == boxes[2].tolist() == [0, 1, 2]
            errors = [status.Get_error() for status in statuses]
            assert errors == [MPI.SUCCESS, ERR_TRUNCATE, MPI.SUCCESS]
            assert not any(requests)

        for size in (1, 2):
            self.run(size, function)

    def test_a_receive_that_is_cancelled_gets_no_message(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            box, status = numbers(1, -9), Status()
            cancelled, kept = comm.Irecv(box, left), comm.Irecv(numbers(1), left)
            cancelled.Cancel()
            cancelled.Wait(status)
            assert status.Is_cancelled()
            assert not cancelled
            comm.Barrier()
            comm.Send(numbers(1, 7), right)
            kept.Wait(status)
            assert not status.Is_cancelled()
            assert box.tolist() == [-9]

        for size in (1, 2):
            self.run(size, function)

    def test_a_receive_with_its_message_is_not_cancelled_any_more(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            box, status = numbers(1, -9), Status()
            comm.Send(numbers(1, 7), right)
            comm.Probe(left)
            request = comm.Irecv(box, left)
            request.Cancel()
            request.Wait(status)
            assert not status.Is_cancelled()
            assert box.tolist() == [7]

        for size in (1, 2):
            self.run(size, function)

    def test_receives_from_anybody_get_every_message_once(self) -> None:
        def function(comm: Communicator) -> None:
            boxes = [np.zeros(2, np.int32) for _ in range(2 * comm.size)]
            requests = [comm.Irecv(box, ANY_SOURCE, ANY_TAG) for box in boxes]
            for turn in range(2):
                for dest in range(comm.size):
                    comm.Isend(np.array([comm.rank, turn], np.int32), dest, turn)
            Request.Waitall(requests)
            for source in range(comm.size):
                turns = [int(box[1]) for box in boxes if box[0] == source]
                assert turns == [0, 1]

        for size in (1, 2, 4):
            self.run(size, function)
