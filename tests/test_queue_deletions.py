"""Receipts are deleted beside a rank's work: nobody waits for that, all is deleted."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from threading import Event

import pytest

from serverless_dist.cloud import Cloud, Delivery, MemoryCloud, Queue
from serverless_dist.cloud.wrapped import WrappedCloud
from serverless_dist.errors import CloudError
from serverless_dist.testing.transport_suite import collect, text
from serverless_dist.transport import Message
from serverless_dist.transport.queues import QueueTransport
from serverless_dist.wire import JobKey

KEY = JobKey(b"j" * 16, b"s" * 32)


class SlowToDelete:
    """A queue whose deletes wait until they may go on, or fail."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self.max_body = queue.max_body
        self.is_asked = Event()
        self.may_go_on = Event()
        self.fails = False

    def send(self, bodies: Sequence[bytes | bytearray | memoryview]) -> None:
        self._queue.send(bodies)

    def receive(self, limit: int, wait: float) -> list[Delivery]:
        return self._queue.receive(limit, wait)

    def delete(self, receipts: Sequence[str]) -> None:
        self.is_asked.set()
        assert self.may_go_on.wait(30.0)
        if self.fails:
            msg = "the queue is gone"
            raise CloudError(msg, retryable=False)
        self._queue.delete(receipts)


Linked = tuple[QueueTransport, QueueTransport, SlowToDelete, Cloud]


@pytest.fixture
def linked() -> Iterator[Linked]:
    """Two ranks; the mailbox of the second is slow to delete."""
    with ExitStack() as stack:
        cloud = MemoryCloud(2, seed=1)
        stack.callback(cloud.close)
        slow = SlowToDelete(cloud.mailboxes[1])
        stack.callback(slow.may_go_on.set)
        behind = WrappedCloud(cloud, mailboxes=[cloud.mailboxes[0], slow])
        yield (
            QueueTransport(0, 2, cloud, KEY),
            QueueTransport(1, 2, behind, KEY),
            slow,
            cloud,
        )


def post(sender: QueueTransport, count: int) -> None:
    messages = [Message(0, (1,), 0, 0, (b"%d" % n,)) for n in range(count)]
    sender.send(messages)


def test_messages_are_handed_over_before_their_receipts_are_deleted(
    linked: Linked,
) -> None:
    one, two, slow, cloud = linked
    post(one, 35)
    assert [text(message) for message in collect(two, 35)] == [
        b"%d" % n for n in range(35)
    ]
    assert slow.is_asked.wait(30.0)
    assert repr(cloud.mailboxes[1]) == "<MemoryQueue 0 visible, 35 hidden>"
    slow.may_go_on.set()
    two.close()
    assert repr(cloud.mailboxes[1]) == "<MemoryQueue 0 visible, 0 hidden>"
    one.close()


def test_a_deletion_that_fails_is_told_when_the_rank_goes_on(linked: Linked) -> None:
    one, two, slow, _ = linked
    slow.fails = True
    post(one, 10)
    collect(two, 10)
    slow.may_go_on.set()
    with pytest.raises(CloudError, match="the queue is gone"):
        two.close()
    two.close()
    one.close()
