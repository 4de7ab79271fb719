"""Lines over mailboxes: which several workers have, one after another, and requests."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from threading import Event

import pytest

from serverless_dist.cloud import (
    Buffer,
    Delivery,
    MemoryCloud,
    Meter,
    MeteredCloud,
    Queue,
)
from serverless_dist.cloud.wrapped import WrappedCloud
from serverless_dist.errors import CloudError
from serverless_dist.tasks.mailbox_lines import MailboxHub, MailboxLine
from serverless_dist.wire import JobKey
from tests.watched import until

KEY = JobKey(b"j" * 16, b"s" * 32)
SIZE = 3  # mailboxes, the driver's included
LARGE = 2_000_000  # bytes that no queue takes


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture
def cloud(meter: Meter) -> MeteredCloud:
    return MeteredCloud(MemoryCloud(SIZE, seed=1), meter)


@pytest.fixture
def hub(cloud: MeteredCloud, stack: ExitStack) -> MailboxHub:
    return stack.enter_context(closing(MailboxHub(cloud, SIZE, KEY)))


def connect(cloud: MeteredCloud, worker: int, mailbox: int) -> MailboxLine:
    return MailboxLine(cloud, mailbox, SIZE, worker=worker, key=KEY)


def hear(hub: MailboxHub, count: int) -> list[tuple[int, bytes]]:
    bodies: list[tuple[int, bytes]] = []
    while len(bodies) < count:
        bodies += [(worker, bytes(body)) for worker, body in hub.receive(1.0)]
    return bodies


def read(line: MailboxLine, count: int) -> list[bytes]:
    bodies: list[bytes] = []
    while len(bodies) < count:
        bodies += [bytes(body) for body in line.receive(1.0)]
    return bodies


def test_a_worker_is_not_told_what_an_earlier_one_of_its_mailbox_was(
    cloud: MeteredCloud, hub: MailboxHub
) -> None:
    hub.expect(1, mailbox=0)
    hub.send({1: [(b"for the first",)] * 3})
    hub.forget(1)
    hub.expect(2, mailbox=0)
    hub.send({2: [(b"for the second",), (b"and last",)]})
    with closing(connect(cloud, 2, 0)) as line:
        assert read(line, 2) == [b"for the second", b"and last"]


def test_what_a_forgotten_worker_has_said_is_dropped(
    cloud: MeteredCloud, hub: MailboxHub
) -> None:
    with closing(connect(cloud, 1, 0)) as line:
        line.send([(b"late",)])
    hub.expect(2, mailbox=0)
    with closing(connect(cloud, 2, 0)) as line:
        line.send([(b"one",), (b"two",)])
        assert hear(hub, 2) == [(2, b"one"), (2, b"two")]


def test_a_worker_speaks_from_its_own_mailbox_only(
    cloud: MeteredCloud, hub: MailboxHub
) -> None:
    hub.expect(1, mailbox=0)
    with closing(connect(cloud, 1, 1)) as stranger, closing(connect(cloud, 1, 0)) as me:
        stranger.send([(b"not me",)])
        me.send([(b"me",)])
        assert hear(hub, 1) == [(1, b"me")]
        assert hub.receive(0.0) == []


def test_large_bodies_of_workers_with_one_mailbox_are_kept_apart(
    cloud: MeteredCloud, hub: MailboxHub
) -> None:
    """They are objects; a pointer to another's would be an error at the driver."""
    for worker in (1, 2):
        with closing(connect(cloud, worker, 0)) as line:
            line.send([(bytes([worker]) * LARGE,)])
    hub.expect(2, mailbox=0)
    assert hear(hub, 1) == [(2, b"\2" * LARGE)]


def test_workers_are_sent_to_in_common_requests(hub: MailboxHub, meter: Meter) -> None:
    hub.expect(1, mailbox=0)
    hub.expect(2, mailbox=1)
    hub.send({1: [(b"one",), (b"two",)], 2: [(b"three",)]})
    assert meter.usage().requests["sns:PublishBatch"] == 1


def test_a_driver_without_workers_makes_no_request(
    cloud: MeteredCloud, meter: Meter
) -> None:
    with closing(MailboxHub(cloud, SIZE, KEY)) as hub:
        hub.wake()
        assert hub.receive(1.0) == []
        hub.send({1: [(b"to nobody",)]})
    assert meter.usage().requests == {}


def test_a_driver_polls_no_more_when_its_last_worker_is_forgotten(
    cloud: MeteredCloud, hub: MailboxHub, meter: Meter
) -> None:
    hub.expect(1, mailbox=0)
    until(lambda: hub._reader._is_polling)
    hub.forget(1)
    cloud.mailboxes[SIZE - 1].send([b"wake"])  # ends the poll under way
    until(lambda: not hub._reader._is_polling)
    hub.close()
    assert meter.usage().requests == {
        "sqs:SendMessageBatch": 1,
        "sqs:ReceiveMessage": 1,
        "sqs:DeleteMessageBatch": 1,
    }


def test_a_driver_polls_again_for_new_workers(
    cloud: MeteredCloud, hub: MailboxHub
) -> None:
    for worker in range(1, 20):
        hub.expect(worker, mailbox=0)
        with closing(connect(cloud, worker, 0)) as line:
            line.send([(b"hello",)])
            assert hear(hub, 1) == [(worker, b"hello")]
        hub.forget(worker)


class BrokenQueue:
    """A mailbox that nothing can be received from."""

    max_body = 1_000

    def send(self, bodies: Sequence[Buffer]) -> None:
        del bodies

    def receive(self, limit: int, wait: float) -> list[Delivery]:
        del limit, wait
        msg = "the queue is gone"
        raise CloudError(msg, retryable=False)

    def delete(self, receipts: Sequence[str]) -> None:
        del receipts


@pytest.fixture
def broken() -> WrappedCloud:
    mailboxes: list[Queue] = [BrokenQueue() for _ in range(SIZE)]
    return WrappedCloud(MemoryCloud(SIZE), mailboxes=mailboxes)


def test_a_worker_whose_mailbox_fails_has_no_driver(broken: WrappedCloud) -> None:
    line = MailboxLine(broken, 0, SIZE, worker=7, key=KEY)
    with (
        closing(line),
        pytest.raises(EOFError, match="worker 7 cannot reach its driver any more: the"),
    ):
        line.receive(10.0)


def test_a_driver_whose_mailbox_fails_says_so(broken: WrappedCloud) -> None:
    with closing(MailboxHub(broken, SIZE, KEY)) as hub:
        hub.expect(1, mailbox=0)
        with pytest.raises(CloudError, match="the queue is gone"):
            hub.receive(10.0)


class DyingQueue:
    """A mailbox that is gone as soon as somebody sends to it."""

    max_body = 1_000

    def __init__(self) -> None:
        self._is_gone = Event()

    def send(self, bodies: Sequence[Buffer]) -> None:
        del bodies
        self._is_gone.set()
        msg = "the queue is gone"
        raise CloudError(msg, retryable=False)

    def receive(self, limit: int, wait: float) -> list[Delivery]:
        del limit
        if self._is_gone.wait(wait):
            msg = "the queue is gone"
            raise CloudError(msg, retryable=False)
        return []

    def delete(self, receipts: Sequence[str]) -> None:
        del receipts


def test_an_end_that_cannot_wake_itself_closes_all_the_same(
    no_thread_is_left: None,
) -> None:
    mailboxes: list[Queue] = [DyingQueue() for _ in range(SIZE)]
    cloud = WrappedCloud(MemoryCloud(SIZE), mailboxes=mailboxes)
    line = MailboxLine(cloud, 0, SIZE, worker=1, key=KEY)
    until(lambda: line._reader._is_polling)
    line.close()


def test_a_close_ends_the_poll_under_way(
    no_thread_is_left: None, cloud: MeteredCloud, meter: Meter
) -> None:
    hub = MailboxHub(cloud, SIZE, KEY)
    hub.expect(1, mailbox=0)
    line = connect(cloud, 1, 0)
    for end in (line, hub):
        until(lambda end=end: end._reader._is_polling)  # type: ignore[misc]
        end.close()
        end.close()
    assert meter.usage().requests["sqs:SendMessageBatch"] == 2


def test_no_thread_is_left(no_thread_is_left: None, cloud: MeteredCloud) -> None:
    hub = MailboxHub(cloud, SIZE, KEY)
    hub.expect(1, mailbox=0)
    line = connect(cloud, 1, 0)
    line.send([(b"hello",)])
    hear(hub, 1)
    for close in (partial(line.close), partial(hub.close)):
        close()
