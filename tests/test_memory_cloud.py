"""The in-memory cloud: the suites, a model of the queue, and its mistakes."""

import logging
import threading
from collections.abc import Callable, Sequence
from threading import Event

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
)

from serverless_dist.cloud import (
    Blobs,
    Clock,
    Cloud,
    Entry,
    Functions,
    MemoryBlobs,
    MemoryCloud,
    MemoryFunctions,
    MemoryQueue,
    Queue,
    SystemClock,
    Topic,
)
from serverless_dist.errors import CloudError, UsageError
from serverless_dist.testing.clock import HandClock
from serverless_dist.testing.clouds import (
    BlobsSuite,
    ClockSuite,
    FunctionsSuite,
    QueueSuite,
    TopicSuite,
)

VISIBILITY = 30.0
SEEDS = pytest.mark.parametrize("seed", [1, 2, 3], ids="seed{}".format)


class TestSystemClock(ClockSuite):
    def make_clock(self) -> Clock:
        return SystemClock()


class TestHandClock(ClockSuite):
    def make_clock(self) -> Clock:
        return HandClock()


class TestMemoryQueue(QueueSuite):
    def make_queue(self, visibility: float = 30.0) -> Queue:
        return MemoryQueue(HandClock(), seed=7, visibility=visibility)


class TestMemoryTopic(TopicSuite):
    def make_topic(self, mailboxes: int) -> tuple[Topic, Sequence[Queue]]:
        cloud: Cloud = MemoryCloud(mailboxes, clock=HandClock(), seed=7)
        return cloud.topic, cloud.mailboxes


class TestMemoryBlobs(BlobsSuite):
    many = 2_345

    def make_blobs(self) -> Blobs:
        return MemoryBlobs()


class TestMemoryFunctions(FunctionsSuite):
    def make_functions(self, handler: Callable[[bytes], bytes]) -> Functions:
        return MemoryFunctions(handler)


class QueueModel(RuleBasedStateMachine):
    """`MemoryQueue` against a list of [body, latest receipt, hidden until]."""

    receipts = Bundle("receipts")

    def __init__(self) -> None:
        super().__init__()
        self.clock = HandClock()
        self.queue = MemoryQueue(self.clock, seed=7, visibility=VISIBILITY)
        self.model: list[tuple[bytes, str, float]] = []
        self.sent = 0

    def visible(self) -> list[bytes]:
        return [body for body, _, until in self.model if until <= self.clock.now()]

    @rule(count=st.integers(0, 15))
    def send(self, count: int) -> None:
        bodies = [f"{self.sent + number}".encode() for number in range(count)]
        self.sent += count
        self.queue.send(bodies)
        self.model += [(body, "", 0.0) for body in bodies]

    @rule(
        target=receipts,
        limit=st.integers(1, 10),
        wait=st.sampled_from([0.0, 1.0, 20.0]),
    )
    def receive(self, limit: int, wait: float) -> object:
        start = self.clock.now()
        was_visible = bool(self.visible())
        deliveries = self.queue.receive(limit, wait)
        if was_visible:
            assert self.clock.now() == start
        elif not deliveries:
            assert self.clock.now() == start + wait
        visible = self.visible()
        assert len(deliveries) == min(limit, len(visible))
        for delivery in deliveries:
            assert delivery.body in visible
            self.model = [row for row in self.model if row[0] != delivery.body]
            until = self.clock.now() + VISIBILITY
            self.model.append((delivery.body, delivery.receipt, until))
        assert len({delivery.body for delivery in deliveries}) == len(deliveries)
        return multiple(*(delivery.receipt for delivery in deliveries))

    @rule(chosen=st.lists(receipts, max_size=12))
    def delete(self, chosen: list[str]) -> None:
        self.queue.delete(chosen)
        self.model = [row for row in self.model if row[1] not in chosen]

    @rule(seconds=st.sampled_from([0.0, 1.0, 15.0, 30.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @invariant()
    def counts_agree(self) -> None:
        visible = len(self.visible())
        hidden = len(self.model) - visible
        assert repr(self.queue) == f"<MemoryQueue {visible} visible, {hidden} hidden>"


TestQueueModel = QueueModel.TestCase
TestQueueModel.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_a_wait_jumps_to_the_moment_a_body_comes_back() -> None:
    clock = HandClock()
    queue = MemoryQueue(clock, seed=1, visibility=5.0)
    queue.send([b"body"])
    queue.receive(1, 0.0)
    assert queue.receive(1, 4.0) == []
    assert [d.body for d in queue.receive(1, 20.0)] == [b"body"]
    assert clock.now() == 5.0


def test_the_latest_receipt_deletes_even_after_the_time_out() -> None:
    clock = HandClock()
    queue = MemoryQueue(clock, seed=1)
    queue.send([b"body", b"other"])
    receipts = {d.body: d.receipt for d in queue.receive(10, 0.0)}
    clock.advance(VISIBILITY)
    queue.delete([receipts[b"body"]])
    assert [d.body for d in queue.receive(10, 0.0)] == [b"other"]


@SEEDS
def test_a_seed_decides_the_order(seed: int) -> None:
    def order() -> list[bytes]:
        queue = MemoryQueue(HandClock(), seed=seed)
        queue.send([bytes([number]) for number in range(100)])
        return [d.body for _ in range(10) for d in queue.receive(10, 0.0)]

    assert order() == order()
    assert order() != sorted(order())
    other = MemoryQueue(HandClock(), seed=seed + 100)
    other.send([bytes([number]) for number in range(100)])
    assert [d.body for d in other.receive(10, 0.0)] != order()[:10]


def test_receipts_of_another_queue_delete_nothing() -> None:
    cloud = MemoryCloud(2, clock=HandClock())
    for mailbox in cloud.mailboxes:
        mailbox.send([b"body"])
    first, second = (mailbox.receive(1, 0.0) for mailbox in cloud.mailboxes)
    cloud.mailboxes[0].delete([second[0].receipt])
    assert repr(cloud.mailboxes[0]) == "<MemoryQueue 0 visible, 1 hidden>"
    cloud.mailboxes[0].delete([first[0].receipt])
    assert repr(cloud.mailboxes[0]) == "<MemoryQueue 0 visible, 0 hidden>"


def test_a_queue_keeps_nothing_of_what_was_deleted() -> None:
    clock = HandClock()
    queue = MemoryQueue(clock, seed=1)
    for _ in range(100):
        queue.send([b"body"] * 10)
        queue.receive(5, 0.0)
        clock.advance(VISIBILITY)
        queue.delete([d.receipt for d in queue.receive(10, 0.0)])
        queue.delete([d.receipt for d in queue.receive(10, 0.0)])
    assert not queue._visible
    assert not queue._hidden
    assert not queue._returned


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda c: c.mailboxes[0].send([b"1", b""]), "body 1 is empty"),
        (lambda c: c.mailboxes[0].send([bytes(786_433)]), "786,433 bytes"),
        (lambda c: c.mailboxes[0].receive(11, 0.0), "ask for 1 to 10"),
        (lambda c: c.mailboxes[0].receive(1, float("nan")), "wait 0 to 20 s"),
        (lambda c: c.topic.publish([Entry(b"1", ())]), "names no target"),
        (lambda c: c.topic.publish([Entry(b"1", (2,))]), "use 0 to 1"),
        (lambda c: c.blobs.put("", b"1"), "key"),
        (lambda c: c.blobs.get("key", start=-1), "first byte"),
        (lambda _: MemoryCloud(0), "mailboxes"),
    ],
)
def test_a_mistake_is_named(call: Callable[[Cloud], None], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        call(MemoryCloud(2, clock=HandClock()))


def test_closing_twice_is_no_error() -> None:
    cloud = MemoryCloud()
    cloud.close()
    cloud.close()
    assert repr(cloud) == "<MemoryCloud 8 mailboxes, <MemoryBlobs 0 keys>>"


def test_closing_functions_waits_for_what_was_invoked() -> None:
    before = set(threading.enumerate())
    gate = Event()
    done: list[bytes] = []

    def handler(payload: bytes) -> bytes:
        gate.wait(30)
        done.append(payload)
        return b""

    functions = MemoryFunctions(handler)
    for number in range(8):
        functions.invoke(bytes([number]))
    assert repr(functions) == "<MemoryFunctions 8 running>"
    gate.set()
    functions.close()
    assert sorted(done) == [bytes([number]) for number in range(8)]
    assert set(threading.enumerate()) <= before
    assert repr(functions) == "<MemoryFunctions 0 running>"


def test_an_invoked_handler_that_fails_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    functions = MemoryFunctions(lambda _: fail())
    with caplog.at_level(logging.ERROR):
        functions.invoke(b"")
        functions.close()
    assert "an invoked handler failed" in caplog.text


def fail() -> bytes:
    msg = "no luck"
    raise ValueError(msg)


def test_a_failed_call_names_the_reason() -> None:
    with pytest.raises(CloudError, match="ValueError: no luck") as caught:
        MemoryFunctions(lambda _: fail()).call(b"")
    assert isinstance(caught.value.__cause__, ValueError)
