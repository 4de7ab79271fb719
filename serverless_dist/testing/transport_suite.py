"""The conformance suite of `Transport`."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from itertools import product
from threading import Semaphore

from serverless_dist.testing.expect import PATIENCE
from serverless_dist.testing.transports import run_threads
from serverless_dist.transport import Message, Transport

LARGE = 3_000_000  # bytes: several bodies of a queue


def text(message: Message) -> bytes:
    """Return the body as bytes."""
    return b"".join(message.body)


def collect(
    transport: Transport, count: int, expect: Collection[int] = ()
) -> list[Message]:
    """Receive until `count` messages are here."""
    messages: list[Message] = []
    while len(messages) < count:
        arrived = transport.receive(PATIENCE, expect)
        assert arrived, f"{transport} has {len(messages)} of {count} messages"
        messages += arrived
    return messages


class TransportSuite(ABC):
    """What a `Transport` promises; derive and implement `make_transports`."""

    @abstractmethod
    def make_transports(self, size: int) -> Sequence[Transport]:
        """Return the transports of all ranks of a new job; the suite closes them."""

    def post(
        self, transport: Transport, dests: Collection[int], *bodies: bytes, tag: int = 0
    ) -> None:
        """Send each of `bodies` to `dests` in one call."""
        transport.send(
            [Message(transport.rank, tuple(dests), 5, tag, (body,)) for body in bodies]
        )

    def test_a_message_arrives_as_it_was_sent(self) -> None:
        one, two = self.make_transports(2)
        one.send([Message(0, (1,), 3, 9, (b"he", bytearray(b"llo")))])
        (message,) = collect(two, 1)
        assert (message.source, message.context, message.tag) == (0, 3, 9)
        assert text(message) == b"hello"
        assert len(message.body) == 1
        one.close()
        two.close()

    def test_every_size_arrives_whole(self) -> None:
        one, two = self.make_transports(2)
        for size in (0, 1, 65_535, 65_536, LARGE):
            body = bytes(range(256)) * (size // 256) + bytes(size % 256)
            self.post(one, [1], body)
            (message,) = collect(two, 1, expect=[0])
            assert text(message) == body
        one.close()
        two.close()

    def test_a_received_body_may_be_written_to(self) -> None:
        one, two = self.make_transports(2)
        self.post(one, [1], b"hello")
        (message,) = collect(two, 1)
        memoryview(message.body[0])[0] = ord("j")
        assert text(message) == b"jello"
        one.close()
        two.close()

    def test_messages_keep_the_order_of_their_sender(self) -> None:
        one, two = self.make_transports(2)
        for number in range(30):
            self.post(one, [1], str(number).encode(), tag=number)
        messages = collect(two, 30)
        assert [text(m) for m in messages] == [str(n).encode() for n in range(30)]
        assert [m.tag for m in messages] == list(range(30))
        one.close()
        two.close()

    def test_large_and_small_messages_keep_their_order(self) -> None:
        one, two = self.make_transports(2)
        bodies = [b"a" * LARGE, b"b", b"c" * 300_000, b"d"]
        for body in bodies:
            self.post(one, [1], body)
        assert [text(m) for m in collect(two, 4)] == bodies
        one.close()
        two.close()

    def test_messages_of_one_call_reach_their_dests_in_order(self) -> None:
        transports = self.make_transports(5)
        bodies: dict[int, list[bytes]] = {dest: [] for dest in range(1, 5)}
        messages = []
        for number in range(40):
            dest = 1 + number % 4
            body = f"{number} to {dest}".encode()
            bodies[dest].append(body)
            messages.append(Message(0, (dest,), 0, 0, (body,)))
        transports[0].send(messages)
        for dest in range(1, 5):
            received = collect(transports[dest], 10, expect=[0])
            assert [text(m) for m in received] == bodies[dest]
        self.close(transports)

    def test_a_multicast_reaches_its_dests_and_keeps_every_order(self) -> None:
        transports = self.make_transports(4)
        self.post(transports[0], [1, 2], b"first")
        self.post(transports[0], [1, 3], b"second" * 100_000)
        self.post(transports[0], [3], b"third")
        self.post(transports[0], [1, 2, 3], b"fourth")
        expected = {
            1: [b"first", b"second" * 100_000, b"fourth"],
            2: [b"first", b"fourth"],
            3: [b"second" * 100_000, b"third", b"fourth"],
        }
        for dest, bodies in expected.items():
            received = collect(transports[dest], len(bodies))
            assert [text(m) for m in received] == bodies
        self.close(transports)

    def test_all_ranks_exchange_with_all(self) -> None:
        size = 5
        transports = self.make_transports(size)
        for transport in transports:
            others = [dest for dest in range(size) if dest != transport.rank]
            transport.send(
                [
                    Message(transport.rank, (dest,), 0, 0, (b"%d" % transport.rank,))
                    for dest in others
                ]
            )
        for transport in transports:
            others = [source for source in range(size) if source != transport.rank]
            received = collect(transport, size - 1, expect=others)
            assert sorted(m.source for m in received) == others
            assert all(text(m) == b"%d" % m.source for m in received)
        self.close(transports)

    def test_a_send_never_waits_for_a_receiver(self) -> None:
        one, two = self.make_transports(2)
        body = b"x" * 20_000_000
        self.post(one, [1], body)
        self.post(two, [0], body)
        assert text(collect(two, 1)[0]) == body
        assert text(collect(one, 1)[0]) == body
        one.close()
        two.close()

    def test_what_was_sent_may_change_after_the_send(self) -> None:
        one, two = self.make_transports(2)
        data = bytearray(b"a" * LARGE)
        one.send([Message(0, (1,), 0, 0, (data,))])
        data[:] = b"z" * LARGE
        assert text(collect(two, 1)[0]) == b"a" * LARGE
        one.close()
        two.close()

    def test_a_message_survives_the_close_of_its_sender(self) -> None:
        one, two = self.make_transports(2)
        self.post(one, [1], b"still here")
        one.close()
        assert text(collect(two, 1)[0]) == b"still here"
        two.close()

    def test_contexts_and_tags_of_63_bits_arrive(self) -> None:
        one, two = self.make_transports(2)
        edges = (0, 1, 2**31, 2**32 - 1, 2**63 - 1)
        for context, tag in product(edges, edges):
            one.send([Message(0, (1,), context, tag, (b"x",))])
            (message,) = collect(two, 1)
            assert (message.context, message.tag) == (context, tag)
        self.close((one, two))

    def test_a_wake_ends_a_wait(self) -> None:
        one, two = self.make_transports(2)
        returned = Semaphore(0)

        def act(number: int) -> None:
            for _ in range(5):
                if number == 0:
                    assert list(one.receive(600.0, expect=[1])) == []
                    returned.release()
                else:
                    one.wake()
                    returned.acquire()

        run_threads(2, act)
        self.close((one, two))

    def test_a_wake_loses_no_message(self) -> None:
        one, two = self.make_transports(2)
        bodies = [b"%d" % number for number in range(20)]
        for number, body in enumerate(bodies):
            self.post(one, [1], body)
            for _ in range(number % 3):
                two.wake()
        received: list[bytes] = []
        while len(received) < len(bodies):
            received += [text(message) for message in two.receive(PATIENCE)]
        assert received == bodies
        self.close((one, two))

    def test_one_thread_may_send_while_another_receives(self) -> None:
        transports = self.make_transports(2)
        sizes = [0, 1, 100, 70_000, 300_000] * 4

        def act(number: int) -> list[bytes]:
            transport, peer = transports[number % 2], 1 - number % 2
            if number < 2:
                for place, size in enumerate(sizes):
                    self.post(transport, [peer], b"%d" % place * size)
                return []
            return [text(m) for m in collect(transport, len(sizes), expect=[peer])]

        expected = [b"%d" % place * size for place, size in enumerate(sizes)]
        assert run_threads(4, act) == [[], [], expected, expected]
        self.close(transports)

    def test_nothing_comes_of_nothing(self) -> None:
        one, two = self.make_transports(2)
        one.send([])
        assert list(two.receive(0.0)) == []
        assert list(two.receive(0.0, expect=[0])) == []
        one.close()
        two.close()

    def test_closing_twice_is_no_error(self) -> None:
        for transport in self.make_transports(2):
            transport.close()
            transport.close()

    def close(self, transports: Sequence[Transport]) -> None:
        """Close all of them."""
        for transport in transports:
            transport.close()
