"""The conformance suite of `Queue`."""

from abc import ABC, abstractmethod
from typing import Any

from serverless_dist.cloud import Queue
from serverless_dist.errors import UsageError
from serverless_dist.testing.expect import raises, receive_rest, receive_until


def numbered(count: int) -> list[bytes]:
    """Return `count` bodies that differ."""
    return [f"body {number}".encode() for number in range(count)]


class QueueSuite(ABC):
    """What a `Queue` promises; derive and implement `make_queue`.

    `short` is the visibility time-out of the tests that wait for it to pass, in
    seconds: SQS knows whole ones only, others may be quicker.
    """

    short = 1.0

    @abstractmethod
    def make_queue(self, visibility: float = 30.0) -> Queue:
        """Return an empty queue that nobody else uses."""

    def test_sent_body_arrives(self) -> None:
        queue = self.make_queue()
        queue.send([b"hello"])
        assert {d.body for d in receive_until(queue, [b"hello"])} == {b"hello"}

    def test_empty_queue_gives_an_empty_list(self) -> None:
        queue = self.make_queue()
        assert queue.receive(10, 0.0) == []
        assert queue.receive(10, 1.0) == []

    def test_sending_and_deleting_nothing_is_no_error(self) -> None:
        queue = self.make_queue()
        queue.send([])
        queue.delete([])
        assert queue.receive(1, 0.0) == []

    def test_25_bodies_of_one_send_arrive(self) -> None:
        queue = self.make_queue()
        bodies = numbered(25)
        queue.send(bodies)
        assert {d.body for d in receive_until(queue, bodies)} == set(bodies)

    def test_receive_keeps_to_its_limit(self) -> None:
        queue = self.make_queue()
        queue.send(numbered(25))
        for limit in (1, 2, 3, 10):
            assert 1 <= len(queue.receive(limit, 5.0)) <= limit

    def test_all_byte_values_survive(self) -> None:
        queue = self.make_queue()
        body = bytes(range(256)) * 2
        queue.send([body])
        (delivery, *_) = receive_until(queue, [body])
        assert type(delivery.body) is bytes

    def test_bodies_of_every_length_modulo_three_survive(self) -> None:
        queue = self.make_queue()
        bodies = [b"\xff" * size for size in range(1, 10)]
        queue.send(bodies)
        assert {d.body for d in receive_until(queue, bodies)} == set(bodies)

    def test_bodies_up_to_the_limit_arrive(self) -> None:
        queue = self.make_queue()
        bodies = [b"a", b"b" * (queue.max_body - 1), b"c" * queue.max_body]
        queue.send(bodies)
        assert {d.body for d in receive_until(queue, bodies)} == set(bodies)

    def test_one_refused_body_stops_the_whole_send(self) -> None:
        queue = self.make_queue()
        for bad in (b"", bytes(queue.max_body + 1)):
            with raises(UsageError):
                queue.send([b"good", bad])
        assert receive_rest(queue) == []

    def test_bytes_are_copied(self) -> None:
        queue = self.make_queue()
        buffer = bytearray(b"before")
        queue.send([buffer, memoryview(buffer)[:3]])
        buffer[:] = b"after."
        expected = {b"before", b"bef"}
        assert {d.body for d in receive_until(queue, expected)} == expected

    def test_buffers_of_wide_items_are_sent_as_their_bytes(self) -> None:
        queue = self.make_queue()
        body = bytes(range(16))
        wide: memoryview[Any] = memoryview(body).cast("d")
        queue.send([wide])
        receive_until(queue, [body])

    def test_receive_refuses_limits_and_waits_out_of_range(self) -> None:
        queue = self.make_queue()
        for limit, wait in ((0, 0.0), (11, 0.0), (-1, 0.0), (1, -0.1), (1, 20.1)):
            with raises(UsageError):
                queue.receive(limit, wait)

    def test_received_bodies_are_hidden(self) -> None:
        queue = self.make_queue()
        bodies = numbered(20)
        queue.send(bodies)
        receive_until(queue, bodies, delete=False)
        # A queue that hides nothing would give ten bodies each time.
        again = [delivery for _ in range(5) for delivery in queue.receive(10, 0.0)]
        assert len(again) < len(bodies) / 2

    def test_bodies_in_flight_do_not_hold_up_others(self) -> None:
        queue = self.make_queue()
        first, second = numbered(10), [b"late"]
        queue.send(first)
        receive_until(queue, first, delete=False)
        queue.send(second)
        receive_until(queue, second, delete=False)

    def test_undeleted_bodies_come_back_with_new_receipts(self) -> None:
        queue = self.make_queue(visibility=self.short)
        bodies = numbered(5)
        queue.send(bodies)
        first = receive_until(queue, bodies, delete=False)
        second = receive_until(queue, bodies, delete=False)
        receipts = [delivery.receipt for delivery in first + second]
        assert len(set(receipts)) == len(receipts)

    def test_deleted_bodies_do_not_come_back(self) -> None:
        queue = self.make_queue(visibility=self.short)
        bodies = numbered(20)
        queue.send(bodies)
        receive_until(queue, bodies)
        assert len(receive_rest(queue, 2 * self.short)) < len(bodies) / 2

    def test_receipts_of_deleted_bodies_do_nothing(self) -> None:
        queue = self.make_queue()
        queue.send([b"gone"])
        gone = receive_until(queue, [b"gone"])
        queue.send([b"stays"])
        queue.delete([delivery.receipt for delivery in gone])
        receive_until(queue, [b"stays"])

    def test_stale_receipts_delete_nothing(self) -> None:
        queue = self.make_queue(visibility=self.short)
        bodies = numbered(10)
        queue.send(bodies)
        first = receive_until(queue, bodies, delete=False)
        receive_until(queue, bodies, delete=False)
        queue.delete([delivery.receipt for delivery in first])
        assert len(set(receive_rest(queue, 2 * self.short))) > len(bodies) / 2

    def test_25_receipts_of_one_delete_are_forgotten(self) -> None:
        queue = self.make_queue(visibility=2 * self.short)
        bodies = numbered(25)
        queue.send(bodies)
        deliveries = receive_until(queue, bodies, delete=False)
        queue.delete([delivery.receipt for delivery in deliveries])
        assert len(receive_rest(queue, 3 * self.short)) < len(bodies) / 2
