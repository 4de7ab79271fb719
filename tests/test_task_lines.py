"""Every line between a driver and its workers, over every cloud that carries it."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from serverless_dist.cloud import ChaoticCloud, Cloud, MemoryCloud
from serverless_dist.cloud.local import LocalCloud
from serverless_dist.tasks.lines import Hub, Line
from serverless_dist.tasks.mailbox_lines import MailboxHub, MailboxLine
from serverless_dist.tasks.socket_lines import SocketHub, SocketLine
from serverless_dist.wire import JobKey

KEY = JobKey(b"j" * 16, b"s" * 32)
SIZE = 5  # mailboxes, the driver's included
SIZES = [0, 1, 7, 8, 9, 65_536, 262_144, 262_145, 0, 1_000_000, 5_000_000, 0]


class Ends:
    """A hub, and lines to it that are closed with it."""

    def __init__(self, hub: Hub, connect: Callable[[int], Line]) -> None:
        self.hub = hub
        self._connect = connect
        self._stack = ExitStack()
        self._stack.callback(hub.close)

    def __enter__(self) -> "Ends":
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def connect(self, worker: int) -> Line:
        line = self._connect(worker)
        self._stack.callback(line.close)
        return line

    def hear(self, count: int) -> list[tuple[int, bytes]]:
        """Return so many bodies that the hub receives."""
        bodies: list[tuple[int, bytes]] = []
        while len(bodies) < count:
            bodies += [(worker, bytes(each)) for worker, each in self.hub.receive(1.0)]
        return bodies

    def read(self, line: Line, count: int) -> list[bytes]:
        """Return so many bodies that a line receives, while the driver goes on."""
        bodies: list[bytes] = []
        while len(bodies) < count:
            assert self.hub.receive(0.0) == []
            bodies += [bytes(body) for body in line.receive(0.01)]
        return bodies


def sockets(stack: ExitStack) -> Ends:
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sd-")))
    return Ends(
        SocketHub(directory, KEY), lambda worker: SocketLine(directory, worker, KEY)
    )


def mailboxes(cloud: Cloud) -> Ends:
    """Return the ends on a cloud, where worker n has mailbox n - 1."""
    hub = MailboxHub(cloud, SIZE, KEY)
    for worker in range(1, SIZE):
        hub.expect(worker, worker - 1)
    return Ends(
        hub, lambda worker: MailboxLine(cloud, worker - 1, SIZE, worker=worker, key=KEY)
    )


def memory(stack: ExitStack) -> Ends:
    del stack
    return mailboxes(MemoryCloud(SIZE, seed=1))


def chaotic(stack: ExitStack) -> Ends:
    del stack
    return mailboxes(ChaoticCloud(MemoryCloud(SIZE, seed=1), seed=2))


def local(stack: ExitStack) -> Ends:
    cloud = LocalCloud.start(SIZE)
    stack.callback(cloud.close)
    return mailboxes(cloud)


@pytest.fixture(
    params=[sockets, memory, chaotic, local], ids=lambda make: make.__name__
)
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    with ExitStack() as stack:
        yield stack.enter_context(request.param(stack))


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


@pytest.fixture
def restless() -> Iterator[None]:
    """Have threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_bodies_to_the_driver_come_once_and_in_order(
    ends: Ends, pool: ThreadPoolExecutor
) -> None:
    bodies = [Random(size).randbytes(size) for size in SIZES]
    line = ends.connect(1)
    sending = pool.submit(line.send, [(body,) for body in bodies])
    assert ends.hear(len(bodies)) == [(1, body) for body in bodies]
    sending.result()
    assert ends.hub.receive(0.0) == []


def test_bodies_to_a_worker_come_once_and_in_order(ends: Ends) -> None:
    bodies = [Random(size).randbytes(size) for size in SIZES]
    line = ends.connect(1)
    ends.hub.send({1: [(body,) for body in bodies]})
    assert ends.read(line, len(bodies)) == bodies
    assert line.receive(0.0) == []


def test_a_body_of_several_pieces_is_one_body(ends: Ends) -> None:
    line = ends.connect(1)
    line.send([(b"one", b"", bytearray(b"two"), memoryview(b"three"))])
    assert ends.hear(1) == [(1, b"onetwothree")]
    ends.hub.send({1: [(b"four", b"five")]})
    assert ends.read(line, 1) == [b"fourfive"]


def test_what_is_sent_to_a_worker_before_it_connects_arrives(ends: Ends) -> None:
    ends.hub.send({1: [(b"one",), (b"two",)], 2: [(b"other",)]})
    ends.hub.send({1: [(b"three",)]})
    line = ends.connect(1)
    assert ends.read(line, 3) == [b"one", b"two", b"three"]
    ends.hub.send({1: [(b"four",)]})
    assert ends.read(line, 1) == [b"four"]


def test_workers_are_told_apart(ends: Ends) -> None:
    lines = {worker: ends.connect(worker) for worker in range(1, SIZE)}
    for worker, line in lines.items():
        line.send([(b"from %d" % worker,)])
    assert sorted(ends.hear(4)) == [(w, b"from %d" % w) for w in lines]
    ends.hub.send({worker: [(b"to %d" % worker,)] for worker in lines})
    for worker, line in lines.items():
        assert ends.read(line, 1) == [b"to %d" % worker]


@pytest.mark.parametrize(("count", "size"), [(200, 100), (8, 500_000)])
def test_threads_send_bodies_that_come_whole(
    ends: Ends, pool: ThreadPoolExecutor, restless: None, count: int, size: int
) -> None:
    line = ends.connect(1)
    bodies = [bytes([number]) * size for number in range(count)]
    sending = [pool.submit(line.send, [(body,)]) for body in bodies]
    assert sorted(ends.hear(len(bodies))) == [(1, body) for body in bodies]
    sending += [pool.submit(ends.hub.send, {1: [(body,)]}) for body in bodies]
    assert sorted(ends.read(line, len(bodies))) == bodies
    for each in sending:
        each.result()


def test_a_wake_ends_a_wait_at_either_end(ends: Ends, pool: ThreadPoolExecutor) -> None:
    line = ends.connect(1)
    line.send([(b"connected",)])
    ends.hear(1)
    for end in (ends.hub, line):
        for _ in range(3):
            waiting = pool.submit(end.receive, 1_000.0)
            end.wake()
            assert waiting.result() == []


def test_wakes_that_nobody_waits_for_do_no_harm(ends: Ends) -> None:
    line = ends.connect(1)
    for _ in range(5_000):
        ends.hub.wake()
        line.wake()
    line.send([(b"to the driver",)])
    assert ends.hear(1) == [(1, b"to the driver")]
    ends.hub.send({1: [(b"to the worker",)]})
    assert ends.read(line, 1) == [b"to the worker"]


def test_the_last_words_of_a_worker_arrive(ends: Ends) -> None:
    line = ends.connect(1)
    line.send([(b"last",), (b"words",)])
    line.close()
    assert ends.hear(2) == [(1, b"last"), (1, b"words")]


def test_a_worker_that_is_gone_is_nobodys_business(ends: Ends) -> None:
    gone, line = ends.connect(1), ends.connect(2)
    for each in (gone, line):
        each.send([(b"hello",)])
    ends.hear(2)
    gone.close()
    ends.hub.send({1: [(bytes(1_000_000),)], 2: [(b"one",)]})
    ends.hub.forget(1)
    ends.hub.forget(1)
    ends.hub.send({1: [(b"late",)], 2: [(b"two",)]})
    assert ends.read(line, 2) == [b"one", b"two"]


def test_ends_may_be_closed_twice(ends: Ends) -> None:
    line = ends.connect(1)
    for end in (line, ends.hub):
        end.close()
        end.close()
