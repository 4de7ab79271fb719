"""Multicasts over the queue channel to more ranks than a topic of SNS serves."""

import pytest

from serverless_dist.cloud import Entry, MemoryCloud
from serverless_dist.cloud.limits import MAX_FILTERS
from serverless_dist.testing.clock import HandClock
from serverless_dist.transport import Message
from serverless_dist.transport.hybrid import HybridTransport
from serverless_dist.transport.queues import QueueTransport
from serverless_dist.wire import JobKey

KEY = JobKey(bytes(16), bytes(32))
SIZE = 450
TRANSPORTS = pytest.mark.parametrize("kind", [QueueTransport, HybridTransport])


class WatchedTopic:
    """A topic that remembers what it was given."""

    def __init__(self, cloud: MemoryCloud) -> None:
        self._topic = cloud.topic
        self.max_body = cloud.topic.max_body
        self.entries: list[Entry] = []

    def publish(self, entries: list[Entry]) -> None:
        self.entries += entries
        self._topic.publish(entries)


@TRANSPORTS
def test_a_frame_names_only_those_whom_one_topic_serves(
    kind: type[QueueTransport | HybridTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = MemoryCloud(SIZE, clock=HandClock(), seed=7)
    topic = WatchedTopic(cloud)
    monkeypatch.setattr(MemoryCloud, "topic", topic)
    sender = kind(0, SIZE, cloud, KEY)
    others = tuple(range(1, SIZE))
    texts = [b"first", b"second"]
    for text in texts:
        sender.send([Message(0, others, 2, 3, (text,))])
    blocks = [{target // MAX_FILTERS for target in e.targets} for e in topic.entries]
    assert blocks == [{0}, {1}, {2}] * len(texts)
    assert max(len(entry.body) for entry in topic.entries) < 1_000
    for rank in (1, MAX_FILTERS - 1, MAX_FILTERS, SIZE - 1):
        receiver = kind(rank, SIZE, cloud, KEY)
        came: list[bytes] = []
        while len(came) < len(texts):
            came += [bytes(message.body[0]) for message in receiver.receive(1.0)]
        assert came == texts
        receiver.close()
    sender.close()
