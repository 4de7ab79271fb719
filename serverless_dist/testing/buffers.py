"""The conformance suite of a communicator's messages of buffers between two ranks."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from serverless_dist.comm import (
    ANY_SOURCE,
    ANY_TAG,
    PROC_NULL,
    Communicator,
    Status,
    mpi as MPI,
)
from serverless_dist.comm.exceptions import (
    ERR_RANK,
    ERR_REQUEST,
    ERR_TAG,
    ERR_TRUNCATE,
)
from serverless_dist.testing.expect import fails_with
from serverless_dist.testing.messages import ring

SENDS = ("Send", "Bsend", "Rsend", "Isend", "Ibsend", "Irsend", "Issend")
STARTS = ("Send_init", "Bsend_init", "Rsend_init", "Ssend_init")


def around(comm: Communicator) -> tuple[int, int]:
    """Return the next rank and the one before, in a ring."""
    return (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size


def numbers(count: int, start: int = 0) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Return `count` integers that follow each other."""
    return np.arange(start, start + count, dtype=np.int32)


class BuffersSuite(ABC):
    """What `Send`, `Recv`, their kin and probes promise; derive, implement `run`."""

    @abstractmethod
    def run(self, size: int, function: Callable[[Communicator], Any]) -> list[Any]:
        """Call `function` on each of `size` new ranks; return results by rank."""

    def test_every_mode_of_sending_fills_the_receivers_buffer(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            for tag, mode in enumerate(SENDS):
                sent, got = numbers(5, 10 * comm.rank), numbers(5, -9)
                request = getattr(comm, mode)(sent, right, tag)
                sent[:] = -1  # what was sent is not what it is now
                comm.Recv(got, left, tag)
                assert got.tolist() == numbers(5, 10 * left).tolist()
                if request is not None:
                    assert request.Wait()
                    assert not request

        for size in (1, 2, 3):
            self.run(size, function)

    def test_buffers_may_be_empty_and_of_any_kind(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            status = Status()
            buffers: list[Any] = [b"", b"bytes", bytearray(b"abc"), np.arange(3.0)]
            for buf in buffers:
                into = bytearray(100)
                comm.Send(buf, right)
                comm.Recv(into, left, status=status)
                size = memoryview(buf).nbytes
                assert bytes(into[:size]) == bytes(memoryview(buf).cast("B"))
                assert not any(into[size:])
                assert status.Get_count(MPI.BYTE) == size

        for size in (1, 2):
            self.run(size, function)

    def test_a_status_counts_in_the_datatype_asked_for(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            status, into = Status(), np.zeros(10, np.int32)
            comm.Send(numbers(3), right, tag=6)
            comm.Recv(into, ANY_SOURCE, ANY_TAG, status)
            assert (status.Get_source(), status.Get_tag()) == (left, 6)
            assert status.Get_count() == 12
            assert status.Get_count(MPI.INT32_T) == 3
            assert status.Get_count(MPI.INT64_T) == MPI.UNDEFINED
            assert status.Get_elements(MPI.INT16_T) == 6
            assert into.tolist() == [0, 1, 2] + [0] * 7

        for size in (1, 2):
            self.run(size, function)

    def test_a_column_travels_by_a_vector_type_into_a_row(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            column = MPI.INT32_T.Create_vector(4, 1, 3).Commit()
            grid, row = numbers(12).reshape(4, 3) + 100 * comm.rank, numbers(4)
            comm.Send([grid, 1, column], right)
            comm.Recv(row, left)
            assert row.tolist() == [100 * left + 3 * place for place in range(4)]
            comm.Send(numbers(4, 70), right)
            comm.Recv([grid, 1, column], left)
            assert grid[:, 0].tolist() == [70, 71, 72, 73]
            assert grid[:, 1].tolist() == [
                100 * comm.rank + 1 + 3 * i for i in range(4)
            ]
            column.Free()

        for size in (1, 2):
            self.run(size, function)

    def test_sendrecv_and_its_kin_exchange(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            mine, got, status = numbers(2, comm.rank), numbers(2, -9), Status()
            comm.Sendrecv(mine, right, 1, got, left, 1, status)
            assert got.tolist() == [left, left + 1]
            assert (status.source, status.tag, status.count) == (left, 1, 8)
            comm.Sendrecv_replace(mine, right, 2, left, 2)
            assert mine.tolist() == [left, left + 1]
            comm.Isendrecv(numbers(2, comm.rank), right, 3, got, left, 3).Wait()
            assert got.tolist() == [left, left + 1]
            comm.Isendrecv_replace(got, right, 4, left, 4).Wait()
            assert got.tolist() == [(left - 1) % comm.size, (left - 1) % comm.size + 1]

        for size in (1, 2, 3):
            self.run(size, function)

    def test_nobody_gets_and_gives_nothing(self) -> None:
        def function(comm: Communicator) -> None:
            got, status = numbers(2, 5), Status()
            for mode in (*SENDS, "Ssend"):
                request = getattr(comm, mode)(got, PROC_NULL)
                assert request is None or request.Wait()
            comm.Recv(got, PROC_NULL, 3, status)
            assert (status.source, status.tag) == (PROC_NULL, ANY_TAG)
            assert status.Get_count(MPI.INT32_T) == 0
            assert comm.Irecv(got, PROC_NULL).Test()
            assert comm.Iprobe(PROC_NULL)
            assert comm.Mprobe(PROC_NULL) == MPI.MESSAGE_NO_PROC
            assert got.tolist() == [5, 6]

        self.run(2, function)

    def test_persistent_messages_start_again_and_again(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            for tag, mode in enumerate(STARTS):
                sent, got = numbers(3), numbers(3)
                send = getattr(comm, mode)(sent, right, tag)
                receive = comm.Recv_init(got, left, tag)
                for turn in range(3):
                    sent[:] = 10 * turn + comm.rank
                    MPI.Prequest.Startall([receive, send])
                    with fails_with(ERR_REQUEST):
                        receive.Start()
                    MPI.Request.Waitall([send, receive])
                    assert got.tolist() == [10 * turn + left] * 3
                    assert send
                assert receive.Test()  # done, and not started since
                send.Free()
                receive.Free()

        for size in (1, 2):
            self.run(size, function)

    def test_what_is_too_long_fails_at_the_receiver_and_is_gone(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            short = numbers(2, 5)
            for _ in range(2):
                comm.Send(numbers(3), right)
            with fails_with(ERR_TRUNCATE):
                comm.Recv(short, left)
            with fails_with(ERR_TRUNCATE):
                comm.Irecv(short, left).Wait()
            comm.Send(numbers(2), right)
            comm.Recv(short, left)
            assert short.tolist() == [0, 1]
            assert ring(comm, "still there") == "still there"

        for size in (1, 2, 3):
            self.run(size, function)

    def test_a_buffers_mistake_is_found_before_anything_is_sent(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            buf = numbers(1)
            for mode in (*SENDS, *STARTS, "Ssend"):
                with fails_with(ERR_RANK):
                    getattr(comm, mode)(buf, comm.size)
                with fails_with(ERR_TAG):
                    getattr(comm, mode)(buf, right, -5)
            for mode in ("Recv", "Irecv", "Recv_init"):
                with fails_with(ERR_RANK):
                    getattr(comm, mode)(buf, comm.size)
                with fails_with(ERR_TAG):
                    getattr(comm, mode)(buf, left, -5)
            with fails_with(ERR_RANK):
                comm.Sendrecv(buf, right, 0, buf, comm.size)
            with fails_with(ERR_RANK):
                comm.Probe(comm.size)
            assert not comm.Iprobe()
            comm.Barrier()
            assert not comm.Iprobe()

        self.run(2, function)

    def test_a_probe_tells_of_a_message_and_leaves_it(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            status = Status()
            comm.Send(numbers(4), right, tag=8)
            assert comm.Probe(ANY_SOURCE, ANY_TAG, status)
            assert (status.source, status.tag, status.count) == (left, 8, 16)
            assert comm.Iprobe(left, 8)
            assert not comm.Iprobe(left, 9)
            got = np.zeros(status.Get_count(MPI.INT32_T), np.int32)
            comm.Recv(got, status.source, status.tag)
            assert got.tolist() == [0, 1, 2, 3]
            comm.send("an object", right)
            assert comm.probe(left)
            assert comm.iprobe(left)
            assert comm.recv(source=left) == "an object"

        for size in (1, 2):
            self.run(size, function)

    def test_a_matched_message_is_received_by_its_holder_alone(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            for number in range(4):
                comm.Send(numbers(1, number), right, tag=1)
            comm.send("an object", right, tag=2)
            status, got = Status(), numbers(1)
            held = comm.Mprobe(left, 1, status)
            assert status.Get_count(MPI.INT32_T) == 1
            comm.Recv(got, left, 1)
            assert got.tolist() == [1]
            while (third := comm.Improbe(left, 1)) is None:
                pass
            comm.Probe(left, 1)
            held.Recv(got, status)
            assert (got.tolist(), status.tag) == ([0], 1)
            assert not held
            third.Irecv(got).Wait()
            assert got.tolist() == [2]
            comm.Recv(got, left, 1)
            assert got.tolist() == [3]
            assert comm.mprobe(left, 2).recv() == "an object"
            assert comm.Improbe(left) is None
            with fails_with(ERR_REQUEST):
                held.Recv(got)

        for size in (1, 2):
            self.run(size, function)

    def test_a_matched_message_too_long_for_its_buffer_is_gone(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            comm.Send(numbers(3), right)
            with fails_with(ERR_TRUNCATE):
                comm.Mprobe(left).Recv(numbers(2))
            assert comm.Improbe() is None

        self.run(2, function)

    def test_a_synchronous_send_of_a_matched_message_is_done(self) -> None:
        def function(comm: Communicator) -> None:
            right, left = around(comm)
            request = comm.Issend(numbers(1), right)
            comm.Probe(left)
            comm.Mprobe(left).Recv(numbers(1))
            request.Wait()
            other = comm.issend("object", right)
            assert comm.recv(source=left) == "object"
            other.wait()

        for size in (1, 2, 3):
            self.run(size, function)
