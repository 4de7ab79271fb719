"""Lines on one machine: who is let in, who is waited for, and how it ends."""

import os
import resource
import socket
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from serverless_dist.errors import CloudError
from serverless_dist.tasks.framing import framed
from serverless_dist.tasks.socket_lines import NAME, SocketHub, SocketLine
from serverless_dist.wire import JobKey

KEY = JobKey(b"j" * 16, b"s" * 32)
LIES = {
    "garbage": framed((b"x" * 200,)),
    "nothing": framed((b"",)),
    "an endless greeting": (1 << 62).to_bytes(8, "little") + b"x",
    "a long greeting": framed((bytes(100_000),)),
}


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sd-") as path:
        yield Path(path)


@pytest.fixture
def hub(directory: Path) -> Iterator[SocketHub]:
    with closing(SocketHub(directory, KEY)) as hub:
        yield hub


@contextmanager
def stranger(directory: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(os.fspath(directory / NAME))
        yield end


@contextmanager
def no_descriptor_is_free() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def hear(hub: SocketHub) -> list[tuple[int, bytes]]:
    while not (bodies := hub.receive(1.0)):
        pass
    return [(worker, bytes(body)) for worker, body in bodies]


@pytest.mark.parametrize("lie", LIES)
def test_who_does_not_prove_the_key_is_not_let_in(
    directory: Path, hub: SocketHub, lie: str
) -> None:
    hub.send({1: [(b"secret",)]})
    with stranger(directory) as end:
        end.settimeout(10.0)
        end.sendall(LIES[lie])
        with closing(SocketLine(directory, 1, KEY)) as line:
            line.send([(b"honest",)])
            assert hear(hub) == [(1, b"honest")]
            assert line.receive(1.0) == [b"secret"]
        with suppress(ConnectionResetError):
            assert end.recv(1) == b""


@pytest.mark.parametrize("word", [b"", b"\0\0\0"], ids=["nothing", "half a length"])
def test_who_says_nothing_keeps_nobody_waiting(
    directory: Path, hub: SocketHub, word: bytes
) -> None:
    with stranger(directory) as end:
        end.sendall(word)
        with closing(SocketLine(directory, 1, KEY)) as line:
            line.send([(b"honest",)])
            assert hear(hub) == [(1, b"honest")]


def test_the_key_of_another_session_is_not_enough(
    directory: Path, hub: SocketHub
) -> None:
    forger = SocketLine(directory, 1, JobKey(b"j" * 16, b"t" * 32))
    with closing(forger), closing(SocketLine(directory, 1, KEY)) as line:
        forger.send([(b"evil",)])
        line.send([(b"honest",)])
        assert hear(hub) == [(1, b"honest")]
        with pytest.raises(EOFError, match="the driver is gone"):
            forger.receive(10.0)


def test_a_second_worker_of_the_same_number_is_not_let_in(
    directory: Path, hub: SocketHub
) -> None:
    with (
        closing(SocketLine(directory, 1, KEY)) as first,
        closing(SocketLine(directory, 1, KEY)) as second,
    ):
        first.send([(b"first",)])
        assert hear(hub) == [(1, b"first")]
        second.send([(b"second",)])
        assert hub.receive(0.0) == []
        with pytest.raises(EOFError, match="the driver is gone"):
            second.receive(10.0)
        hub.send({1: [(b"for you",)]})
        assert first.receive(10.0) == [b"for you"]


def test_the_driver_does_not_wait_for_a_worker_that_does_not_read(
    directory: Path, hub: SocketHub
) -> None:
    bodies = [bytes([number]) * 500_000 for number in range(20)]
    with (
        closing(SocketLine(directory, 1, KEY)) as slow,
        closing(SocketLine(directory, 2, KEY)) as quick,
    ):
        for line in (slow, quick):
            line.send([(b"hello",)])
        assert len(hear(hub) + hub.receive(0.0)) == 2
        hub.send({1: [(body,) for body in bodies]})
        hub.send({2: [(b"at once",)]})
        assert quick.receive(10.0) == [b"at once"]
        quick.send([(b"thanks",)])
        assert hear(hub) == [(2, b"thanks")]
        read: list[bytes] = []
        while len(read) < len(bodies):  # what was left is written as it is read
            assert hub.receive(0.0) == []
            read += [bytes(body) for body in slow.receive(0.0)]
        assert read == bodies


def test_nothing_after_no_wait_means_that_nothing_is_left(
    directory: Path, hub: SocketHub
) -> None:
    """Else the last words of a worker that has died would be lost."""
    body = bytes(3_000_000)
    line = SocketLine(directory, 1, KEY)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(line.send, [(b"hello",), (body,)])
        assert hear(hub) == [(1, b"hello")]
        bodies = hear(hub)
        sending.result()
    assert bodies == [(1, body)]
    quick = SocketLine(directory, 2, KEY)
    quick.send([(b"a",), (bytes(150_000),)])
    quick.close()
    assert [len(body) for _, body in hub.receive(0.0)] == [1, 150_000]
    line.close()


@pytest.mark.parametrize("size", [0, 8, 513, 150_000])
def test_a_worker_may_go_on_at_once_after_its_greeting(
    directory: Path, hub: SocketHub, size: int
) -> None:
    stream = framed((bytes(size),)) + framed((b"end",))
    with closing(SocketLine(directory, 1, KEY)) as line:
        line._end.sendall(stream[:9])
        assert hub.receive(0.0) == ([(1, b"")] if size == 0 else [])
        line._end.sendall(stream[9:])
        bodies = [] if size else [(1, b"")]
        while len(bodies) < 2:
            bodies += hear(hub)
        assert bodies == [(1, bytes(size)), (1, b"end")]


def test_what_was_kept_for_a_worker_goes_with_it(
    directory: Path, hub: SocketHub
) -> None:
    hub.send({1: [(b"kept",)]})
    hub.forget(1)
    with closing(SocketLine(directory, 1, KEY)) as line:
        line.send([(b"hello",)])
        assert hear(hub) == [(1, b"hello")]
        hub.send({1: [(b"next",)]})
        assert line.receive(10.0) == [b"next"]


def test_half_a_body_of_a_worker_that_has_died_is_dropped(
    directory: Path, hub: SocketHub
) -> None:
    dying = SocketLine(directory, 1, KEY)
    dying.send([(b"whole",)])
    dying._end.sendall(framed((bytes(1_000),))[:500])
    dying.close()
    assert hub.receive(0.0) == [(1, b"whole")]
    with closing(SocketLine(directory, 2, KEY)) as line:
        line.send([(b"next",)])
        assert hear(hub) == [(2, b"next")]
    hub.send({1: [(b"to nobody",)]})
    hub.forget(1)


def test_who_comes_while_no_descriptor_is_free_is_let_in_later(
    directory: Path, hub: SocketHub
) -> None:
    with closing(SocketLine(directory, 1, KEY)) as line:
        line.send([(b"hello",)])
        with no_descriptor_is_free():
            assert hub.receive(10.0) == []
        assert hear(hub) == [(1, b"hello")]


def test_one_read_brings_many_bodies(directory: Path, hub: SocketHub) -> None:
    with closing(SocketLine(directory, 1, KEY)) as line:
        line.send([(b"%d" % number,) for number in range(1_000)])
        assert hub.receive(10.0) == [(1, b"%d" % number) for number in range(1_000)]
        hub.send({1: [(b"%d" % number,) for number in range(1_000)]})
        assert line.receive(10.0) == [b"%d" % number for number in range(1_000)]


def test_a_worker_hears_that_its_driver_is_gone(
    directory: Path, hub: SocketHub
) -> None:
    with closing(SocketLine(directory, 1, KEY)) as line:
        hub.send({1: [(b"last",)]})
        line.send([(b"hello",)])
        hear(hub)
        hub.close()
        line.send([(bytes(1_000_000),)])  # to nobody
        assert line.receive(10.0) == [b"last"]
        with pytest.raises(EOFError, match="the driver is gone"):
            line.receive(10.0)


def test_a_worker_without_a_driver_says_so(directory: Path) -> None:
    with pytest.raises(CloudError, match="worker 7 cannot reach its driver: No such"):
        SocketLine(directory, 7, KEY)
    SocketHub(directory, KEY).close()
    with pytest.raises(CloudError, match="cannot reach its driver: Connection refused"):
        SocketLine(directory, 7, KEY)


def test_no_descriptor_is_left(directory: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    hub = SocketHub(directory, KEY)
    lines = [SocketLine(directory, worker, KEY) for worker in range(1, 9)]
    for line in lines:
        line.send([(b"hello",)])
    heard = 0
    while heard < len(lines):
        heard += len(hear(hub))
    hub.forget(1)
    hub.close()
    for line in lines:
        line.close()
    assert set(os.listdir("/proc/self/fd")) == before
