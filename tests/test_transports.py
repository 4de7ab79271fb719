"""Every transport over every cloud that this machine can make."""

import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgpack
import pytest

from serverless_dist.cloud import (
    Chaos,
    ChaoticCloud,
    Cloud,
    MemoryCloud,
    Meter,
    MeteredCloud,
)
from serverless_dist.cloud.local import LocalCloud
from serverless_dist.testing.clock import HandClock
from serverless_dist.testing.transport_suite import TransportSuite, collect, text
from serverless_dist.transport import Message, Transport
from serverless_dist.transport.blobs import BlobTransport
from serverless_dist.transport.direct import DirectTransport
from serverless_dist.transport.hybrid import HybridTransport
from serverless_dist.transport.queues import QueueTransport
from serverless_dist.wire import Flaw, JobKey

KEY = JobKey(b"j" * 16, b"s" * 32)
FORGER = JobKey(b"j" * 16, b"t" * 32)

MakeCloud = Callable[[ExitStack, int], Cloud]
MakeTransport = Callable[[int, int, Cloud, JobKey], Transport]


def memory(stack: ExitStack, size: int) -> Cloud:
    cloud = MemoryCloud(size, seed=1)
    stack.callback(cloud.close)
    return cloud


def chaotic(seed: int) -> MakeCloud:
    def make(stack: ExitStack, size: int) -> Cloud:
        return ChaoticCloud(memory(stack, size), seed=seed)

    return make


def local(stack: ExitStack, size: int) -> Cloud:
    owner = LocalCloud.start(size)
    stack.callback(owner.close)
    client = LocalCloud.connect(owner.address)
    stack.callback(client.close)
    return client


CLOUDS: dict[str, MakeCloud] = {
    "memory": memory,
    "chaotic seed 1": chaotic(1),
    "chaotic seed 2": chaotic(2),
    "chaotic seed 3": chaotic(3),
    "local": local,
}
CHANNELS: dict[str, MakeTransport] = {
    "queue": QueueTransport,
    "object": BlobTransport,
    "hybrid": HybridTransport,
}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("cloud_name", CLOUDS)
@pytest.mark.parametrize("channel", CHANNELS)
class TestCloudTransports(TransportSuite):
    @pytest.fixture(autouse=True)
    def _choose(self, stack: ExitStack, cloud_name: str, channel: str) -> None:
        self._stack, self._cloud_name, self._channel = stack, cloud_name, channel

    def make_transports(self, size: int) -> Sequence[Transport]:
        cloud = CLOUDS[self._cloud_name](self._stack, size)
        make = CHANNELS[self._channel]
        return [make(rank, size, cloud, KEY) for rank in range(size)]


class TestDirectTransport(TransportSuite):
    @pytest.fixture(autouse=True)
    def _directory(self) -> Iterator[None]:
        self._path = Path(tempfile.mkdtemp(prefix="sd-"))
        yield
        shutil.rmtree(self._path)

    def make_transports(self, size: int) -> Sequence[Transport]:
        return [
            DirectTransport(rank, size, self._path, KEY, Meter())
            for rank in range(size)
        ]

    def test_a_stream_that_does_not_prove_the_key_is_dropped(self) -> None:
        two = DirectTransport(1, 2, self._path, KEY, Meter())
        forger = DirectTransport(0, 2, self._path, FORGER, Meter())
        self.post(forger, [1], b"evil")
        assert list(two.receive(0.0)) == []
        assert list(two.receive(0.0)) == []
        assert two.dropped == {Flaw.FORGED: 1}
        forger.close()
        two.close()

    def test_a_message_to_a_rank_that_starts_later_arrives(self) -> None:
        one = DirectTransport(0, 2, self._path, KEY, Meter())
        self.post(one, [1], b"early")
        two = DirectTransport(1, 2, self._path, KEY, Meter())
        assert text(collect(two, 1)[0]) == b"early"
        one.close()
        two.close()

    def test_a_message_to_a_rank_that_has_closed_is_let_go(self) -> None:
        one, two = self.make_transports(2)
        two.close()
        self.post(one, [1], b"late" * 1_000_000)
        one.close()


@pytest.mark.parametrize("channel", ["queue", "hybrid"])
def test_what_the_key_did_not_sign_is_dropped_and_deleted(
    stack: ExitStack, channel: str
) -> None:
    cloud = memory(stack, 2)
    forger = QueueTransport(0, 2, cloud, FORGER)
    forger.send([Message(0, (1,), 0, 0, (b"evil",))])
    cloud.mailboxes[1].send([b"garbage", b"\x00" * 200])
    two = CHANNELS[channel](1, 2, cloud, KEY)
    honest = CHANNELS[channel](0, 2, cloud, KEY)
    honest.send([Message(0, (1,), 0, 0, (b"good",))])
    assert text(collect(two, 1)[0]) == b"good"
    while two.receive(0.0):
        pass
    assert isinstance(two, QueueTransport | HybridTransport)
    assert two.dropped == {Flaw.FORGED: 1, Flaw.MALFORMED: 2}
    honest.close()
    two.close()
    assert repr(cloud.mailboxes[1]) == "<MemoryQueue 0 visible, 0 hidden>"


@pytest.mark.parametrize("channel", ["queue", "hybrid"])
def test_a_wake_is_deleted_and_not_counted_as_dropped(
    stack: ExitStack, channel: str
) -> None:
    cloud = memory(stack, 2)
    two = CHANNELS[channel](1, 2, cloud, KEY)
    for _ in range(3):
        two.wake()
    assert list(two.receive(0.0)) == []
    assert isinstance(two, QueueTransport | HybridTransport)
    assert two.dropped == {}
    two.close()
    assert repr(cloud.mailboxes[1]) == "<MemoryQueue 0 visible, 0 hidden>"


def test_a_wake_costs_an_object_channel_nothing(stack: ExitStack) -> None:
    meter = Meter()
    two = BlobTransport(1, 2, MeteredCloud(memory(stack, 2), meter), KEY)
    two.wake()
    assert meter.usage().requests == {}
    two.close()


def test_an_object_changed_behind_a_pointer_is_noticed(stack: ExitStack) -> None:
    cloud = memory(stack, 2)
    one, two = (HybridTransport(rank, 2, cloud, KEY) for rank in range(2))
    one.send([Message(0, (1,), 0, 0, (b"x" * 500_000,))])
    (key,) = cloud.blobs.list("")
    cloud.blobs.put(key, b"y" * 500_000)
    with pytest.raises(Exception, match=f"rank 1 was sent object {key} by rank 0"):
        two.receive(0.0)
    one.close()
    two.close()


def test_several_targets_share_one_publish_and_one_target_needs_none(
    stack: ExitStack,
) -> None:
    meter = Meter()
    cloud = MeteredCloud(memory(stack, 5), meter)
    transport = QueueTransport(0, 5, cloud, KEY)
    transport.send([Message(0, (dest,), 0, 0, (b"x",)) for dest in range(1, 5)])
    transport.send([Message(0, (1, 2, 3), 0, 0, (b"x",))])
    assert meter.usage().requests == {"sns:PublishBatch": 2}
    transport.send([Message(0, (4,), 0, 0, (b"x",))])
    requests = {"sns:PublishBatch": 2, "sqs:SendMessageBatch": 1}
    assert meter.usage().requests == requests
    transport.close()


def test_one_object_carries_all_messages_of_a_call(stack: ExitStack) -> None:
    cloud = memory(stack, 5)
    one = BlobTransport(0, 5, cloud, KEY)
    one.send([Message(0, (dest,), 0, 0, (b"x" * 100_000,)) for dest in range(1, 5)])
    assert len(cloud.blobs.list("")) == 1
    one.close()


CHAOS = Chaos(duplicate=0.5, delay=0.5, redeliver=0.5, fail=0.5)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("channel", CHANNELS)
def test_exactly_once_holds_under_heavy_chaos(
    stack: ExitStack, channel: str, seed: int
) -> None:
    cloud = ChaoticCloud(memory(stack, 2), seed=seed, chaos=CHAOS)
    one, two = (CHANNELS[channel](rank, 2, cloud, KEY) for rank in range(2))
    bodies = [b"%d" % n * (n % 7) * 20_000 for n in range(60)]
    for body in bodies:
        one.send([Message(0, (1,), 0, 0, (body,))])
    assert [text(m) for m in collect(two, 60, expect=[0])] == bodies
    assert list(two.receive(0.0)) == []
    one.close()
    two.close()


def test_objects_with_nothing_for_a_rank_do_not_make_it_pause() -> None:
    clock = HandClock()
    cloud = MemoryCloud(4, clock=clock)
    one, four = (BlobTransport(rank, 4, cloud, KEY) for rank in (0, 3))
    for _ in range(100):
        one.send([Message(0, (1, 2), 0, 0, (b"not for 3",))])
    one.send([Message(0, (3,), 0, 0, (b"for 3",))])
    one.send([Message(0, (1, 3), 0, 0, (b"for 1 and 3",))])
    before = clock.now()
    received = collect(four, 2, expect=[0])
    assert [text(m) for m in received] == [b"for 3", b"for 1 and 3"]
    assert clock.now() == before
    one.close()
    four.close()


@pytest.mark.parametrize("size", [1.5, -500, 2**62, True], ids=str)
def test_a_crate_whose_index_lies_gives_nothing(stack: ExitStack, size: object) -> None:
    for cloud in (memory(stack, 2), local(stack, 2)):
        index = msgpack.packb([[[1], size]])
        crate = struct.pack("<I", len(index)) + index + b"nothing"
        cloud.blobs.put(f"{KEY.job.hex()}/all/0/0", crate)
        two = BlobTransport(1, 2, cloud, KEY)
        assert list(two.receive(0.0, expect=[0])) == []
        two.close()
