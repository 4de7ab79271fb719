"""Chaotic wrappers: as good as the contract, and as bad as they may be."""

from collections import Counter
from collections.abc import Sequence

import pytest

from serverless_dist.cloud import (
    Blobs,
    Buffer,
    Chaos,
    ChaoticBlobs,
    ChaoticCloud,
    ChaoticQueue,
    Cloud,
    Delivery,
    Entry,
    MemoryBlobs,
    MemoryCloud,
    MemoryQueue,
    Queue,
    Topic,
)
from serverless_dist.errors import UsageError
from serverless_dist.testing.clock import HandClock
from serverless_dist.testing.clouds import BlobsSuite, QueueSuite, TopicSuite
from serverless_dist.testing.expect import receive_rest, receive_until

SEEDS = [1, 2, 3, 4]
CALM = Chaos(duplicate=0.0, delay=0.0, redeliver=0.0, fail=0.0)
WORST = Chaos(duplicate=1.0, delay=1.0, redeliver=1.0, fail=1.0)
BODIES = [f"body {number}".encode() for number in range(100)]
each_seed = pytest.mark.parametrize("seed", SEEDS, ids="seed{}".format)


class Seeded:
    """Runs every test of a suite with several seeds."""

    seed: int

    @pytest.fixture(autouse=True, params=SEEDS, ids="seed{}".format)
    def _choose_seed(self, request: pytest.FixtureRequest) -> None:
        self.seed = request.param


class TestChaoticQueue(Seeded, QueueSuite):
    def make_queue(self, visibility: float = 30.0) -> Queue:
        queue = MemoryQueue(HandClock(), seed=7, visibility=visibility)
        return ChaoticQueue(queue, seed=self.seed)


class TestChaoticTopic(Seeded, TopicSuite):
    def make_topic(self, mailboxes: int) -> tuple[Topic, Sequence[Queue]]:
        memory = MemoryCloud(mailboxes, clock=HandClock(), seed=7)
        cloud: Cloud = ChaoticCloud(memory, seed=self.seed)
        return cloud.topic, cloud.mailboxes


class TestChaoticBlobs(Seeded, BlobsSuite):
    def make_blobs(self) -> Blobs:
        return ChaoticBlobs(MemoryBlobs(), seed=self.seed, chaos=Chaos(fail=0.5))


class OrderlyQueue:
    """A first-in first-out queue that logs what it is asked."""

    max_body = 1_000

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.deletes: list[list[str]] = []
        self.waits: list[float] = []
        self.given = 0

    def send(self, bodies: Sequence[Buffer]) -> None:
        self.bodies += map(bytes, bodies)

    def receive(self, limit: int, wait: float) -> list[Delivery]:
        self.waits.append(wait)
        came, self.bodies = self.bodies[:limit], self.bodies[limit:]
        first, self.given = self.given, self.given + len(came)
        return [Delivery(body, f"{first + n}") for n, body in enumerate(came)]

    def delete(self, receipts: Sequence[str]) -> None:
        self.deletes.append([*receipts])


def test_calm_chaos_is_none() -> None:
    inner = OrderlyQueue()
    queue = ChaoticQueue(inner, seed=1, chaos=CALM)
    queue.send(BODIES)
    deliveries = [d for _ in range(10) for d in queue.receive(10, 0.0)]
    assert sorted(d.body for d in deliveries) == sorted(BODIES)
    queue.delete([d.receipt for d in deliveries])
    assert [len(receipts) for receipts in inner.deletes] == [100]


@each_seed
def test_even_calm_chaos_changes_the_order(seed: int) -> None:
    queue = ChaoticQueue(OrderlyQueue(), seed=seed, chaos=CALM)
    queue.send(BODIES)
    assert [d.body for d in queue.receive(10, 0.0)] != BODIES[:10]


@each_seed
def test_some_bodies_are_stored_twice(seed: int) -> None:
    inner = OrderlyQueue()
    ChaoticQueue(inner, seed=seed, chaos=Chaos(duplicate=0.3, fail=0.0)).send(BODIES)
    counts = Counter(inner.bodies)
    assert set(counts) == set(BODIES)
    assert set(counts.values()) == {1, 2}


def test_a_failed_request_happens_twice() -> None:
    inner = OrderlyQueue()
    queue = ChaoticQueue(inner, seed=1, chaos=Chaos(duplicate=0.0, fail=1.0))
    queue.send(BODIES)
    queue.delete(["1"])
    assert Counter(inner.bodies) == dict.fromkeys(BODIES, 2)
    assert inner.deletes == [["1"], ["1"]]


@each_seed
def test_held_back_bodies_come_before_an_empty_answer(seed: int) -> None:
    chaos = Chaos(duplicate=0.0, delay=0.9, redeliver=0.0, fail=0.0)
    queue = ChaoticQueue(OrderlyQueue(), seed=seed, chaos=chaos)
    queue.send(BODIES)
    came: list[bytes] = []
    receives = 0
    while deliveries := queue.receive(10, 0.0):
        came += [d.body for d in deliveries]
        receives += 1
    assert sorted(came) == sorted(BODIES)
    assert receives > len(BODIES) / 10


def test_nobody_waits_while_bodies_are_held_back() -> None:
    inner = OrderlyQueue()
    chaos = Chaos(duplicate=0.0, delay=0.9, redeliver=0.0, fail=0.0)
    queue = ChaoticQueue(inner, seed=1, chaos=chaos)
    queue.send(BODIES[:10])
    for _ in range(10):
        holding = not repr(queue).startswith("<ChaoticQueue 0 held")
        queue.receive(10, 20.0)
        assert inner.waits.pop() == (0.0 if holding else 20.0)


def test_a_deleted_body_comes_again_and_its_receipt_deletes_nothing() -> None:
    inner = OrderlyQueue()
    chaos = Chaos(duplicate=0.0, delay=0.0, redeliver=1.0, fail=0.0)
    queue = ChaoticQueue(inner, seed=1, chaos=chaos)
    queue.send([b"body"])
    (first,) = queue.receive(10, 0.0)
    queue.delete([first.receipt])
    (second,) = queue.receive(10, 0.0)
    assert second.body == b"body"
    assert second.receipt != first.receipt
    queue.delete([second.receipt])
    assert inner.deletes == [[first.receipt], []]
    assert queue.receive(10, 0.0) == []


def test_the_worst_chaos_loses_nothing_and_ends() -> None:
    queue = ChaoticQueue(MemoryQueue(HandClock(), seed=7), seed=1, chaos=WORST)
    queue.send(BODIES)
    came = [d.body for d in receive_until(queue, BODIES)] + receive_rest(queue)
    # Each sent three times (itself, its duplicate, the repetition), given twice.
    assert Counter(came) == dict.fromkeys(BODIES, 6)


def test_a_published_body_is_stored_twice_in_some_mailboxes() -> None:
    memory = MemoryCloud(8, clock=HandClock())
    cloud = ChaoticCloud(memory, seed=1, chaos=Chaos(duplicate=0.5, fail=0.0))
    cloud.topic.publish([Entry(b"body", tuple(range(8)))])
    counts = {len(mailbox.receive(10, 0.0)) for mailbox in memory.mailboxes}
    assert counts == {1, 2}


def test_a_failed_publish_happens_twice() -> None:
    memory = MemoryCloud(2, clock=HandClock())
    cloud = ChaoticCloud(memory, seed=1, chaos=Chaos(duplicate=0.0, fail=1.0))
    cloud.topic.publish([Entry(b"body", (0,))])
    assert [len(box.receive(10, 0.0)) for box in memory.mailboxes] == [2, 0]


class LoggingBlobs(MemoryBlobs):
    """Logs the writes and their answers."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[object] = []

    def put(self, key: str, data: Buffer, *, if_absent: bool = False) -> bool:
        self.log.append(super().put(key, data, if_absent=if_absent))
        return bool(self.log[-1])

    def swap(self, key: str, old: Buffer | None, new: Buffer) -> bool:
        self.log.append(super().swap(key, old, new))
        return bool(self.log[-1])

    def delete(self, keys: Sequence[str]) -> None:
        self.log.append(keys)
        super().delete(keys)


def test_a_repeated_conditional_put_tells_who_stored_the_key() -> None:
    inner = LoggingBlobs()
    blobs = ChaoticBlobs(inner, seed=1, chaos=Chaos(fail=1.0))
    assert blobs.put("key", b"ours", if_absent=True) is True
    assert inner.log == [True, False]
    assert blobs.put("key", b"theirs", if_absent=True) is False
    blobs.delete(["key"])
    assert inner.log == [True, False, False, False, ["key"], ["key"]]


def test_a_repeated_swap_tells_who_replaced_the_blob() -> None:
    inner = LoggingBlobs()
    blobs = ChaoticBlobs(inner, seed=1, chaos=Chaos(fail=1.0))
    blobs.put("key", b"old")
    inner.log.clear()
    assert blobs.swap("key", b"old", b"ours") is True
    assert blobs.swap("key", b"old", b"theirs") is False
    assert inner.log == [True, False, False, False]
    assert blobs.get("key") == b"ours"


@each_seed
def test_a_seed_decides_what_goes_wrong(seed: int) -> None:
    def story(chosen: int) -> list[list[bytes]]:
        memory = MemoryCloud(1, clock=HandClock(), seed=7)
        (queue,) = ChaoticCloud(memory, seed=chosen).mailboxes
        queue.send(BODIES)
        return [[d.body for d in queue.receive(10, 0.0)] for _ in range(20)]

    assert story(seed) == story(seed)
    assert story(seed) != story(seed + 100)


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_probabilities_are_checked(bad: float) -> None:
    with pytest.raises(UsageError, match="delay"):
        Chaos(delay=bad)


def test_a_chaotic_cloud_shares_the_clock_underneath() -> None:
    clock = HandClock()
    cloud = ChaoticCloud(MemoryCloud(3, clock=clock), seed=1)
    assert cloud.clock is clock
    assert len(cloud.mailboxes) == 3
    cloud.close()
