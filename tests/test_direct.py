"""The direct channel: processes and shared memory."""

import multiprocessing
import os
import resource
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from serverless_dist.cloud import Meter
from serverless_dist.cloud.local import private_directory
from serverless_dist.errors import ProtocolError
from serverless_dist.testing.transport_suite import collect, text
from serverless_dist.transport import Message, segments as segments_module
from serverless_dist.transport.direct import DirectTransport
from serverless_dist.transport.segments import HEAD
from serverless_dist.transport.streams import (
    pack_greeting,
)
from serverless_dist.wire import JobKey

KEY = JobKey(b"j" * 16, b"s" * 32)
LARGE = 300_000  # bytes: goes by shared memory


@pytest.fixture
def directory() -> Iterator[Path]:
    path = private_directory()
    yield path
    for file in path.iterdir():
        file.unlink()
    path.rmdir()


@pytest.fixture
def opened(directory: Path) -> Iterator[Callable[[int], DirectTransport]]:
    """Return what opens a rank of a job of three."""
    transports: list[DirectTransport] = []

    def open_rank(rank: int) -> DirectTransport:
        transports.append(DirectTransport(rank, 3, directory, KEY, Meter()))
        return transports[-1]

    yield open_rank
    for transport in transports:
        transport.close()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    """Let nothing be opened, and poll three descriptors at most."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def message(body: bytes, dests: Sequence[int] = (1,)) -> Message:
    return Message(0, tuple(dests), 0, 0, (body,))


def numbered(number: int) -> bytes:
    return bytes([number % 256]) * LARGE


def echo(directory: Path, line: Connection) -> None:
    """Be rank 1, and send what rank 0 sends back to it, until it is empty."""
    transport = DirectTransport(1, 3, directory, KEY, Meter())
    line.send("ready")
    body = b"once"
    while body:
        (came,) = collect(transport, 1)
        body = text(came)
        transport.send([Message(1, (0,), 0, came.tag, came.body)])
    line.recv()
    os.kill(os.getpid(), signal.SIGKILL)


def test_bodies_of_a_process_arrive_and_outlive_it(
    directory: Path, opened: Callable[[int], DirectTransport]
) -> None:
    context = multiprocessing.get_context("spawn")
    line, its_line = context.Pipe()
    process = context.Process(target=echo, args=(directory, its_line))
    process.start()
    its_line.close()
    line.recv()
    one = opened(0)
    kept = []
    for number, size in enumerate([1, 60_000, 70_000, 10**6, 17 << 20, 10**6, 0]):
        body = np.random.default_rng(number).bytes(size)
        one.send([Message(0, (1,), 0, number, (body[:7], body[7:]))])
        (came,) = collect(one, 1)
        assert (came.tag, text(came)) == (number, body)
        kept.append((came, body))
    line.send("die")
    process.join()
    line.close()
    assert process.exitcode == -signal.SIGKILL
    process.close()
    assert list(one.receive(0.0)) == []
    one.send([message(numbered(1))])
    assert all(text(came) == body for came, body in kept)


def test_a_large_body_is_not_copied_by_its_reader(
    opened: Callable[[int], DirectTransport],
) -> None:
    one, two = opened(0), opened(1)
    one.send([message(numbered(7))])
    (came,) = collect(two, 1)
    (segment,) = one._pool._segments.values()
    segment._map[HEAD] = 8
    assert memoryview(came.body[0])[0] == 8


def test_what_all_keep_goes_by_the_socket_in_the_end_and_stays_as_it_was(
    opened: Callable[[int], DirectTransport],
) -> None:
    one, two = opened(0), opened(1)
    kept = []
    for number in range(80):
        one.send([message(numbered(number))])
        kept += collect(two, 1)
    assert len(one._pool._segments) == 64
    assert all(text(came) == numbered(n) for n, came in enumerate(kept))
    del kept[:60]
    one.send([message(numbered(99))])
    assert text(collect(two, 1)[0]) == numbered(99)
    assert all(text(came) == numbered(60 + n) for n, came in enumerate(kept))


def test_what_several_receive_belongs_to_each(
    opened: Callable[[int], DirectTransport],
) -> None:
    one, two, three = opened(0), opened(1), opened(2)
    for number in range(3):
        one.send([message(numbered(number), (1, 2))])
        (mine,), (other,) = collect(two, 1), collect(three, 1)
        memoryview(mine.body[0])[:] = bytes(memoryview(mine.body[0]).nbytes)
        assert text(other) == numbered(number)


def test_without_shared_memory_the_socket_carries_all(
    opened: Callable[[int], DirectTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError

    monkeypatch.setattr(os, "memfd_create", refuse)
    one, two = opened(0), opened(1)
    one.send([message(numbered(number)) for number in range(5)])
    received = [text(came) for came in collect(two, 5)]
    assert received == [numbered(number) for number in range(5)]


def test_when_too_many_descriptors_are_on_their_way_they_come_later(
    opened: Callable[[int], DirectTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = opened(0), opened(1)
    one.send([message(b"first")])
    collect(two, 1)
    stream = one._outgoing[1]
    write, refusals = stream._write_some, iter(range(3))

    def refuse_first(rest: object) -> int:
        if next(refusals, None) is not None:
            raise OSError(109, "ETOOMANYREFS")
        return write(rest)  # type: ignore[arg-type]

    monkeypatch.setattr(stream, "_write_some", refuse_first)
    one.send([message(numbered(1)), message(b"last")])
    assert [text(came) for came in collect(two, 2)] == [numbered(1), b"last"]


def test_large_and_small_bodies_reach_a_rank_that_starts_later_in_order(
    opened: Callable[[int], DirectTransport],
) -> None:
    one = opened(0)
    bodies = [numbered(n) if n % 3 else b"%d" % n for n in range(20)]
    for body in bodies:
        one.send([message(body)])
    assert [text(came) for came in collect(opened(1), 20)] == bodies


def test_a_reader_without_descriptors_says_so(
    opened: Callable[[int], DirectTransport],
) -> None:
    one, two = opened(0), opened(1)
    one.send([message(b"first")])
    collect(two, 1)
    one.send([message(numbered(1))])
    with (
        no_more_descriptors(),
        pytest.raises(ProtocolError, match="raise the limit of open files"),
    ):
        two.receive(0.0)


def test_a_writer_without_descriptors_uses_the_socket(
    opened: Callable[[int], DirectTransport],
) -> None:
    one, two = opened(0), opened(1)
    one.send([message(b"first")])
    collect(two, 1)
    with no_more_descriptors():
        one.send([message(numbered(1))])
        assert text(collect(two, 1)[0]) == numbered(1)


def test_a_body_stays_when_both_ends_have_closed(
    opened: Callable[[int], DirectTransport],
) -> None:
    one, two = opened(0), opened(1)
    one.send([message(numbered(1))])
    (came,) = collect(two, 1)
    one.close()
    two.close()
    assert text(came) == numbered(1)
    memoryview(came.body[0])[:] = numbered(2)


def test_nothing_is_left_open(directory: Path) -> None:
    before = descriptors()
    one, two, three = (
        DirectTransport(rank, 3, directory, KEY, Meter()) for rank in range(3)
    )
    kept = []
    for number in range(6):
        one.send([message(numbered(number) * (number + 1), (1, 2))])
        kept += collect(two, 1)
    two.send([Message(1, (0,), 0, 0, (numbered(1),))])  # never read
    for transport in (one, two, three):
        transport.close()
    del kept
    assert descriptors() == before


def test_idle_memory_is_given_back_at_both_ends(
    opened: Callable[[int], DirectTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments_module, "IDLE_BYTES", LARGE)
    one, two = opened(0), opened(1)
    one.send([message(numbered(number)) for number in range(9)])
    for came in collect(two, 9):
        assert len(text(came)) == LARGE
    del came
    before = descriptors()
    one.send([message(b"small")])
    collect(two, 1)
    assert len(one._pool._segments) == 1
    assert descriptors() == before - 8 * 3  # two of the sender, one of the reader


def test_bytes_are_counted_at_both_ends(directory: Path) -> None:
    meters = [Meter(), Meter()]
    one, two = (
        DirectTransport(rank, 2, directory, KEY, meters[rank]) for rank in range(2)
    )
    one.send([message(b"small"), message(numbered(1))])
    collect(two, 2)
    one.close()
    two.close()
    sent = meters[0].usage().bytes_sent
    assert LARGE < sent < LARGE + 200
    greeting = len(pack_greeting(KEY, 0, 1))
    assert meters[1].usage().bytes_received == sent + greeting


def test_a_message_to_a_rank_that_has_closed_holds_no_memory(
    opened: Callable[[int], DirectTransport],
) -> None:
    one, two = opened(0), opened(1)
    one.send([message(numbered(0))])
    collect(two, 1)
    two.close()
    for number in range(100):
        one.send([message(numbered(number))])
    assert len(one._pool._segments) == 1
