"""The simulated cloud: the suites, its times, and that chance is the seed's."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest

from serverless_dist.cloud import Blobs, Clock, Cloud, Entry, Queue
from serverless_dist.cloud.latency import US_EAST_1, Latency
from serverless_dist.cloud.simulated import Machine, SimulatedCloud
from serverless_dist.cloud.simulated.mailbox import Mailbox
from serverless_dist.cloud.simulated.services import SimulatedQueue
from serverless_dist.cloud.virtual import VirtualTime
from serverless_dist.testing.clouds import (
    BlobsSuite,
    ClockSuite,
    QueueSuite,
    TopicSuite,
)

SEEDS = pytest.mark.parametrize("seed", [1, 2, 3], ids="seed{}".format)
VCPU = 1_769
NO_TIME = Latency(0.0, 0.0, 0.0)
# All that takes time takes a whole number of seconds.
PLAIN = replace(
    US_EAST_1,
    s3_get=Latency(2.0, 0.0, 0.0),
    s3_put=Latency(3.0, 0.0, 0.0),
    sqs_send=Latency(1.0, 0.0, 0.0),
    sqs_receive=NO_TIME,
    sns_publish=Latency(1.0, 0.0, 0.0),
    sns_hop=Latency(4.0, 0.0, 0.0),
    request_cpu=0.0,
    sns_byte_cpu=0.0,
    burst_bytes=0.0,
    network_rate=1e12,
    stream_rate=1e6,
    duplicate_share=0.0,
)


class TestVirtualTime(ClockSuite):
    def make_clock(self) -> Clock:
        return VirtualTime()


class TestSimulatedQueue(QueueSuite):
    def make_queue(self, visibility: float = 30.0) -> Queue:
        machine = SimulatedCloud(VirtualTime(), mailboxes=0).machine()
        return SimulatedQueue(machine, Mailbox(visibility))


class TestSimulatedTopic(TopicSuite):
    def make_cloud(self, mailboxes: int) -> Cloud:
        return SimulatedCloud(VirtualTime(), mailboxes=mailboxes).machine()


class TestSimulatedBlobs(BlobsSuite):
    def make_blobs(self) -> Blobs:
        self.clock = VirtualTime()
        return SimulatedCloud(self.clock, mailboxes=1).machine().blobs

    def make_clock(self) -> Clock:
        return self.clock


def plain(mailboxes: int = 2) -> tuple[VirtualTime, Machine]:
    time = VirtualTime()
    return time, SimulatedCloud(time, mailboxes=mailboxes, profile=PLAIN).machine()


def test_a_put_is_there_when_it_is_acknowledged_and_a_get_sees_its_middle() -> None:
    time, machine = plain()
    seen: list[tuple[float, bytes | None]] = []

    def look(at: float) -> None:
        time.sleep(at)
        seen.append((at, machine.blobs.get("key")))

    time.start(lambda: machine.blobs.put("key", b"data"), "writer")
    for at in (1.5, 2.5):  # they see the middles, 2.5 and 3.5; the put is there at 3
        time.start(partial(look, at), f"reader {at}")
    time.run()
    assert seen == [(1.5, None), (2.5, b"data")]


def test_what_is_sent_arrives_with_its_acknowledgement_and_wakes_who_waits() -> None:
    time, machine = plain()
    came: list[tuple[float, list[bytes]]] = []

    def wait() -> None:
        deliveries = machine.mailboxes[0].receive(10, 20.0)
        came.append((time.now(), [delivery.body for delivery in deliveries]))

    time.start(wait, "receiver")
    time.start(lambda: machine.mailboxes[0].send([b"a", b"b"]), "sender")
    time.run()
    assert came[0][0] == pytest.approx(1.0)
    assert came[0][1][0] == b"a"


def test_what_is_published_arrives_a_hop_after_its_acknowledgement() -> None:
    time, machine = plain()
    machine.topic.publish([Entry(b"to all", (0, 1))])
    assert time.now() == pytest.approx(1.0)
    for mailbox in (0, 1):
        (delivery,) = machine.mailboxes[mailbox].receive(1, 20.0)
        assert delivery.body == b"to all"
        assert time.now() == pytest.approx(5.0)


def test_a_poll_that_finds_nothing_lasts_whole_seconds() -> None:
    time, machine = plain()
    assert machine.mailboxes[0].receive(1, 1.2) == []
    assert time.now() == pytest.approx(2.0)


def test_large_blobs_take_as_long_as_their_connection_needs() -> None:
    time, machine = plain()
    machine.blobs.put("large", bytes(4_000_000))
    assert time.now() == pytest.approx(3.0 + 4.0)


def test_bodies_of_one_function_share_its_network_and_those_of_two_do_not() -> None:
    time = VirtualTime()
    cloud = SimulatedCloud(
        time, mailboxes=1, profile=replace(PLAIN, network_rate=1e6, stream_rate=1e9)
    )
    ends: dict[str, float] = {}

    def put(machine: Machine, name: str) -> None:
        machine.blobs.put(name, bytes(2_000_000))
        ends[name] = time.now()

    one, two = cloud.machine(), cloud.machine()
    for machine, name in ((one, "a"), (one, "b"), (two, "c")):
        machine.start(partial(put, machine, name), name)
    time.run()
    assert ends == pytest.approx({"a": 5.0, "b": 7.0, "c": 5.0})


def test_computing_takes_longer_with_less_than_a_vcpu() -> None:
    time = VirtualTime()
    cloud = SimulatedCloud(time, mailboxes=1)
    cloud.machine(VCPU).compute(1.0)
    assert time.now() == pytest.approx(1.0)
    cloud.machine(VCPU // 2).compute(1.0)
    assert time.now() == pytest.approx(3.0, rel=1e-3)
    cloud.machine(4 * VCPU).compute(1.0)
    assert time.now() == pytest.approx(4.0, rel=1e-3)


def test_strands_of_one_function_share_its_processor() -> None:
    time = VirtualTime()
    machine = SimulatedCloud(time, mailboxes=1).machine(VCPU)
    ends: list[float] = []

    def work() -> None:
        machine.compute(1.0)
        ends.append(time.now())

    for number in range(3):
        machine.start(work, f"strand {number}")
    time.run()
    assert ends == pytest.approx([1.0, 2.0, 3.0])


def test_requests_beyond_the_quota_wait_and_are_counted() -> None:
    time = VirtualTime()
    profile = replace(PLAIN, s3_get=NO_TIME, s3_get_rate=10.0)
    cloud = SimulatedCloud(time, mailboxes=1, profile=profile)
    machine = cloud.machine()
    for number in range(30):
        machine.start(lambda: machine.blobs.get("key"), f"reader {number}")
    time.run()
    assert time.now() == pytest.approx(2.0)  # ten at once, then ten a second
    assert cloud.throttled == {"s3:GetObject": 20}


@SEEDS
def test_messages_come_twice_as_often_as_the_profile_says(seed: int) -> None:
    time = VirtualTime()
    profile = replace(PLAIN, duplicate_share=0.2)
    cloud = SimulatedCloud(time, mailboxes=1, profile=profile, seed=seed)
    queue = cloud.machine().mailboxes[0]
    queue.send([str(number).encode() for number in range(500)])
    time.sleep(60.0)
    bodies: list[bytes] = []
    while deliveries := queue.receive(10, 0.0):
        bodies += [delivery.body for delivery in deliveries]
        queue.delete([delivery.receipt for delivery in deliveries])
    assert len(set(bodies)) == 500
    assert 550 <= len(bodies) <= 660


def history(seed: int) -> Sequence[tuple[str, float]]:
    """Let four functions send each other messages; return who had one when."""
    time = VirtualTime()
    cloud = SimulatedCloud(time, mailboxes=4, seed=seed)
    events: list[tuple[str, float]] = []

    def play(rank: int) -> None:
        machine = cloud.machine()
        for turn in range(5):
            machine.topic.publish([Entry(b"%d" % turn, (0, 1, 2, 3))])
            came = machine.mailboxes[rank].receive(10, 20.0)
            events.extend((f"{rank} {each.body!r}", time.now()) for each in came)

    for rank in range(4):
        time.start(partial(play, rank), f"rank {rank}")
    time.run()
    return events


@SEEDS
def test_the_same_seed_gives_the_same_history_bit_for_bit(seed: int) -> None:
    assert history(seed) == history(seed)


def test_another_seed_gives_another_history() -> None:
    assert history(1) != history(2)
