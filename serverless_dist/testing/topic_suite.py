"""The conformance suite of `Topic`."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from serverless_dist.cloud import Entry, Queue, Topic
from serverless_dist.errors import UsageError
from serverless_dist.testing.expect import raises, receive_rest, receive_until


def rests(queues: Sequence[Queue]) -> list[set[bytes]]:
    """Return what is left in each queue, having waited once for all of them."""
    return [
        set(receive_rest(queue, 0.0 if index else 0.5))
        for index, queue in enumerate(queues)
    ]


class TopicSuite(ABC):
    """What a `Topic` promises; derive and implement `make_topic`."""

    @abstractmethod
    def make_topic(self, mailboxes: int) -> tuple[Topic, Sequence[Queue]]:
        """Return a topic and its empty mailboxes, which nobody else uses."""

    def deliver(self, entries: Sequence[Entry], mailboxes: int) -> None:
        """Publish, and check that each mailbox gets its bodies and no others."""
        topic, queues = self.make_topic(mailboxes)
        topic.publish(entries)
        came: list[set[bytes]] = []
        expected: list[set[bytes]] = []
        for index, queue in enumerate(queues):
            expected.append({bytes(e.body) for e in entries if index in e.targets})
            came.append({d.body for d in receive_until(queue, expected[-1])})
        assert [a | b for a, b in zip(came, rests(queues), strict=True)] == expected

    def test_an_entry_reaches_its_target_only(self) -> None:
        self.deliver([Entry(b"hello", (1,))], 3)

    def test_an_entry_reaches_each_of_its_targets_and_only_them(self) -> None:
        self.deliver(
            [Entry(b"two", (0, 2)), Entry(b"one", (1,)), Entry(b"all", (0, 1, 2, 3))],
            4,
        )

    def test_targets_are_numbers_not_prefixes(self) -> None:
        self.deliver([Entry(b"one", (1,)), Entry(b"eleven", (11,))], 12)

    def test_25_entries_of_one_publish_arrive(self) -> None:
        self.deliver([Entry(f"e{n}".encode(), (n % 2,)) for n in range(25)], 2)

    def test_all_byte_values_survive(self) -> None:
        self.deliver([Entry(bytes(range(256)), (0,))], 1)

    def test_bodies_up_to_the_limit_arrive(self) -> None:
        topic, _ = self.make_topic(1)
        sizes = (1, topic.max_body - 1, topic.max_body)
        self.deliver([Entry(bytes([7]) * size, (0, 1)) for size in sizes], 2)

    def test_publishing_nothing_is_no_error(self) -> None:
        self.deliver([], 1)

    def test_bytes_are_copied(self) -> None:
        topic, queues = self.make_topic(2)
        buffer = bytearray(b"before")
        topic.publish([Entry(buffer, (0, 1)), Entry(memoryview(buffer)[:3], (0, 1))])
        buffer[:] = b"after."
        for queue in queues:
            receive_until(queue, {b"before", b"bef"})

    def test_one_refused_entry_stops_the_whole_publish(self) -> None:
        topic, queues = self.make_topic(2)
        for bad in (
            Entry(b"", (0,)),
            Entry(bytes(topic.max_body + 1), (0,)),
            Entry(b"for nobody", ()),
            Entry(b"for a stranger", (2,)),
            Entry(b"for a negative stranger", (-1,)),
        ):
            with raises(UsageError):
                topic.publish([Entry(b"good", (0, 1)), bad])
        assert rests(queues) == [set(), set()]
