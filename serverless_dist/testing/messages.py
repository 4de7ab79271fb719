"""The conformance suite of a communicator's messages from one rank to another."""

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
)
from serverless_dist.errors import UnpicklableError, UsageError
from serverless_dist.testing.expect import raises

SIZES = (1, 2, 3, 4, 5, 7)
LARGE = 3_000_000  # bytes: several bodies of a queue

OBJECTS: tuple[Any, ...] = (
    None,
    b"",
    b"bytes",
    bytearray(b"bytes"),
    "text",
    3.5,
    {"key": [1, (2, 3)]},
    {4, 5},
)


def sample_arrays() -> list[np.ndarray[Any, Any]]:
    """Return arrays of many types, shapes and layouts."""
    grid = np.arange(24, dtype=np.float32).reshape(4, 6)
    return [
        grid,
        grid.T,
        grid[::2, ::3],
        np.asfortranarray(grid),
        np.zeros((0, 3), np.int64),
        np.array(7, np.uint8),
        np.array([1 + 2j]),
        np.array(["a", "bcd"]),
        np.array([True, False]),
        np.array([1, 2], ">i4"),
        np.array([(1, 2.5)], dtype=[("number", "i4"), ("value", "f8")]),
        np.array([None, {"any": "thing"}], dtype=object),
        np.array(["2026-11-01"], "datetime64[D]"),
    ]


def assert_same_array(left: Any, right: Any) -> None:
    """Assert that two arrays agree in type, shape, order and values."""
    assert type(left) is type(right)
    assert left.dtype == right.dtype
    assert left.shape == right.shape
    assert left.tolist() == right.tolist()
    if right.flags.f_contiguous:
        assert left.flags.f_contiguous


class Unpicklable:
    """An object that refuses to travel."""

    def __reduce__(self) -> str:
        msg = "this object stays at home"
        raise TypeError(msg)


def ring(comm: Communicator, data: Any, tag: int = 0) -> Any:
    """Send to the next rank, return what the one before has sent."""
    right, left = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
    return comm.sendrecv(data, right, tag, source=left, recvtag=tag)


class MessagesSuite(ABC):
    """What `send`, `recv` and `sendrecv` promise; derive and implement `run`."""

    @abstractmethod
    def run(self, size: int, function: Callable[[Communicator], Any]) -> list[Any]:
        """Call `function` on each of `size` new ranks; return results by rank."""

    def test_ranks_are_numbered_from_zero(self) -> None:
        def function(comm: Communicator) -> Any:
            assert comm.Get_rank() == comm.rank
            assert comm.Get_size() == comm.size
            assert f"rank {comm.rank} of {comm.size}" in repr(comm)
            return comm.rank, comm.size

        for size in SIZES:
            assert self.run(size, function) == [(rank, size) for rank in range(size)]

    def test_objects_travel_round_a_ring(self) -> None:
        def function(comm: Communicator) -> None:
            for obj in OBJECTS:
                received = ring(comm, obj)
                assert received == obj
                assert type(received) is type(obj)
            assert ring(comm, comm.rank) == (comm.rank - 1) % comm.size

        for size in SIZES:
            self.run(size, function)

    def test_arrays_keep_type_shape_and_order_and_may_be_written_to(self) -> None:
        def function(comm: Communicator) -> None:
            for array in sample_arrays():
                received = ring(comm, array)
                assert_same_array(received, array)
                assert received.flags.writeable
            several = ring(comm, sample_arrays())
            for one, other in zip(several, sample_arrays(), strict=True):
                assert_same_array(one, other)

        for size in (1, 2):
            self.run(size, function)

    def test_a_sent_object_may_be_changed_at_once(self) -> None:
        def function(comm: Communicator) -> None:
            array, items = np.zeros(1000), [0]
            dest = (comm.rank + 1) % comm.size
            comm.send(array, dest, tag=1)
            comm.send(items, dest, tag=2)
            array += 1
            items.append(1)
            assert not comm.recv(tag=1).any()
            assert comm.recv(tag=2) == [0]

        for size in (1, 2):
            self.run(size, function)

    def test_large_objects_travel(self) -> None:
        def function(comm: Communicator) -> None:
            array = np.arange(LARGE // 8, dtype=np.int64)
            assert_same_array(ring(comm, array), array)
            assert ring(comm, b"x" * LARGE) == b"x" * LARGE
            assert ring(comm, ["x" * LARGE, array[:9]])[0] == "x" * LARGE

        for size in (1, 2, 3):
            self.run(size, function)

    def test_many_messages_never_overtake_each_other(self) -> None:
        count = 200

        def function(comm: Communicator) -> None:
            dest, source = (comm.rank + 1) % comm.size, (comm.rank - 1) % comm.size
            for number in range(count):
                comm.send(number, dest, tag=number % 2)
            odd = [comm.recv(source=source, tag=1) for _ in range(count // 2)]
            even = [comm.recv(source=source, tag=0) for _ in range(count // 2)]
            assert odd == list(range(1, count, 2))
            assert even == list(range(0, count, 2))

        for size in (1, 2, 3):
            self.run(size, function)

    def test_any_tag_receives_in_the_order_of_sending(self) -> None:
        def function(comm: Communicator) -> None:
            status = Status()
            for tag in (5, 3, 9, 0):
                comm.send(f"tag {tag}", (comm.rank + 1) % comm.size, tag)
            for tag in (5, 3, 9, 0):
                source = (comm.rank - 1) % comm.size
                text = comm.recv(source=source, tag=ANY_TAG, status=status)
                assert text == f"tag {tag}"
                assert (status.Get_source(), status.Get_tag()) == (source, tag)
                assert status.Get_count() > len(text)

        for size in (1, 2, 3):
            self.run(size, function)

    def test_any_source_receives_from_everybody_and_status_says_whom(self) -> None:
        def function(comm: Communicator) -> list[int]:
            status = Status()
            for dest in range(comm.size):
                comm.send(comm.rank, dest, tag=comm.rank)
                comm.send(comm.rank, dest, tag=comm.rank)
            sources = []
            for _ in range(2 * comm.size):
                sent_by = comm.recv(source=ANY_SOURCE, status=status)
                assert (status.source, status.tag) == (sent_by, sent_by)
                sources.append(sent_by)
            return sorted(sources)

        for size in SIZES:
            twice = sorted([*range(size), *range(size)])
            assert self.run(size, function) == [twice] * size

    def test_a_receive_of_one_tag_leaves_the_others(self) -> None:
        def function(comm: Communicator) -> None:
            dest = (comm.rank + 1) % comm.size
            comm.send("first", dest, tag=1)
            comm.send("second", dest, tag=2)
            assert comm.recv(tag=2) == "second"
            assert comm.recv(tag=1) == "first"

        for size in (1, 2, 3):
            self.run(size, function)

    def test_nobody_receives_and_sends_nothing(self) -> None:
        def function(comm: Communicator) -> None:
            status = Status()
            status.source = status.tag = status.count = 3
            comm.send("lost", PROC_NULL)
            assert comm.recv(source=PROC_NULL, status=status) is None
            assert (status.source, status.tag) == (PROC_NULL, ANY_TAG)
            assert status.count == 0
            assert comm.sendrecv("lost", PROC_NULL, source=PROC_NULL) is None

        for size in (1, 2):
            self.run(size, function)

    def test_an_unpicklable_object_is_named_and_sends_nothing(self) -> None:
        def function(comm: Communicator) -> None:
            with raises(UnpicklableError) as errors:
                comm.send([Unpicklable()], (comm.rank + 1) % comm.size)
            assert "stays at home" in str(errors[0])
            assert ring(comm, "still there") == "still there"

        for size in (1, 2):
            self.run(size, function)

    def test_a_mistake_is_found_before_anything_is_sent(self) -> None:
        def function(comm: Communicator) -> list[str]:
            mistakes: list[Callable[[], Any]] = [
                lambda: comm.send(1, comm.size),
                lambda: comm.send(1, ANY_SOURCE),
                lambda: comm.send(1, 0, tag=ANY_TAG),
                lambda: comm.send(1, 0, tag=2**31),
                lambda: comm.send(1, "0"),  # type: ignore[arg-type]
                lambda: comm.recv(source=comm.size),
                lambda: comm.recv(tag=-2),
                lambda: comm.sendrecv(1, 0, source=comm.size),
                lambda: comm.sendrecv(1, 0, recvtag=-2),
            ]
            texts = []
            for mistake in mistakes:
                with raises(UsageError) as errors:
                    mistake()
                texts.append(str(errors[0]))
            assert ring(comm, "still there") == "still there"
            return texts

        expected = [
            "dest is 2, but it must be a rank from 0 to 1 or PROC_NULL",
            "dest is -1, but it must be a rank from 0 to 1 or PROC_NULL",
            "tag is -1, but it must be from 0 to 2147483647",
            "tag is 2147483648, but it must be from 0 to 2147483647",
            "dest is '0', but it must be an integer",
            "source is 2, but it must be a rank from 0 to 1 or ANY_SOURCE or PROC_NULL",
            "tag is -2, but it must be from 0 to 2147483647 or ANY_TAG",
            "source is 2, but it must be a rank from 0 to 1 or ANY_SOURCE or PROC_NULL",
            "tag is -2, but it must be from 0 to 2147483647 or ANY_TAG",
        ]
        assert self.run(2, function) == [expected, expected]
