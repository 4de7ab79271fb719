"""The direct channel and whoever abuses it, with the job's key or without."""

import os
import socket
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serverless_dist.cloud import Meter
from serverless_dist.cloud.local import private_directory
from serverless_dist.errors import ProtocolError
from serverless_dist.testing.transport_suite import collect, text
from serverless_dist.transport import Message
from serverless_dist.transport.direct import DirectTransport
from serverless_dist.transport.segments import Segment
from serverless_dist.transport.streams import (
    Loan,
    pack_greeting,
    pack_loan,
    pack_retired,
)
from serverless_dist.wire import Flaw, JobKey

KEY = JobKey(b"j" * 16, b"s" * 32)


@pytest.fixture
def directory() -> Iterator[Path]:
    path = private_directory()
    yield path
    for file in path.iterdir():
        file.unlink()
    path.rmdir()


class Liar:
    """A peer that has the key and does with it what it should not."""

    def __init__(self, directory: Path, greeting: bytes) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(os.fspath(directory / "1.socket"))
        self.socket.sendall(greeting)

    def send(self, data: bytes, *descriptors: int) -> None:
        rights = array("i", descriptors)
        self.socket.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])

    def send_twice(self, data: bytes, descriptor: int) -> None:
        self.send(data, descriptor)
        self.send(data, descriptor)


@pytest.fixture
def segment() -> Iterator[Segment]:
    segment = Segment(3, 1000)
    segment.fill((bytes(1000),), 1000)
    segment.lend(1)
    yield segment
    segment.close()


def fresh(number: int = 3, place: int = 0, size: int = 1000) -> bytes:
    return pack_loan(Loan(0, 0, number, place, size, 1, is_fresh=True))


LIES: dict[str, Callable[[Liar, Segment], None]] = {
    "no descriptor": lambda liar, _: liar.socket.sendall(fresh()),
    "too long": lambda liar, s: liar.send(fresh(size=1025), s.descriptor),
    "not lent": lambda liar, s: liar.send(fresh(place=1), s.descriptor),
    "a socket": lambda liar, _: liar.send(fresh(), liar.socket.fileno()),
    "unknown": lambda liar, _: liar.socket.sendall(
        pack_loan(Loan(0, 0, 9, 0, 10, 1, is_fresh=False))
    ),
    "twice": lambda liar, s: liar.send_twice(fresh(), s.descriptor),
    "descriptors of nothing": lambda liar, s: liar.send_twice(
        pack_retired(1), s.descriptor
    ),
    "no kind": lambda liar, _: liar.socket.sendall(bytes(100)),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_liar_with_the_key_is_told_and_leaves_nothing_open(
    directory: Path, segment: Segment, lie: str
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    two = DirectTransport(1, 2, directory, KEY, Meter())
    liar = Liar(directory, pack_greeting(KEY, 0, 1))
    LIES[lie](liar, segment)
    with pytest.raises(ProtocolError, match=r"rank 1 .* rank 0"):
        collect(two, 9)
    liar.socket.close()
    two.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_descriptors_of_a_stream_without_the_key_are_closed(
    directory: Path, segment: Segment
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    two = DirectTransport(1, 2, directory, KEY, Meter())
    liar = Liar(directory, pack_greeting(JobKey(b"j" * 16, b"t" * 32), 0, 1))
    liar.send(fresh(), segment.descriptor)
    assert list(two.receive(0.0)) == []
    assert list(two.receive(0.0)) == []
    assert two.dropped == {Flaw.FORGED: 1}
    liar.socket.close()
    two.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_descriptors_before_the_greeting_are_refused(
    directory: Path, segment: Segment
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    two = DirectTransport(1, 2, directory, KEY, Meter())
    greeting = pack_greeting(KEY, 0, 1)
    liar = Liar(directory, greeting[:9])
    for byte in greeting[9:20]:
        liar.send(bytes([byte]), segment.descriptor)
    for _ in range(20):
        assert list(two.receive(0.0)) == []
    assert two.dropped == {Flaw.MALFORMED: 1}
    liar.socket.close()
    two.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_greeting_that_was_overheard_opens_no_second_stream(
    directory: Path,
) -> None:
    one, two = (DirectTransport(rank, 2, directory, KEY, Meter()) for rank in range(2))
    one.send([Message(0, (1,), 0, 0, (b"real",))])
    assert text(collect(two, 1)[0]) == b"real"
    liar = Liar(directory, pack_greeting(KEY, 0, 1))
    for _ in range(3):
        assert list(two.receive(0.0)) == []
    assert two.dropped == {Flaw.DUPLICATE: 1}
    liar.socket.close()
    one.send([Message(0, (1,), 0, 0, (b"still real",))])
    assert text(collect(two, 1)[0]) == b"still real"
    one.close()
    two.close()
