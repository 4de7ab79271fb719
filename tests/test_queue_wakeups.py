"""Threads at a `MemoryQueue`: who wakes whom, and that nothing is lost."""

from collections.abc import Sequence
from threading import Condition, Event, Semaphore, Thread

from serverless_dist.cloud import MemoryQueue, SystemClock


class WatchedClock(SystemClock):
    """Tells when somebody begins to wait."""

    def __init__(self) -> None:
        self.began = Semaphore(0)

    def wait(self, condition: Condition, seconds: float) -> None:
        self.began.release()  # the condition is held until the wait has begun
        super().wait(condition, seconds)


class CountingCondition(Condition):
    """Counts the calls to wake one waiter; to wake all counts as many."""

    calls = 0

    def notify(self, n: int = 1) -> None:
        self.calls += n
        super().notify(n)


class Receivers:
    """Threads that each receive one body; all of them wait when this returns."""

    def __init__(
        self, queue: MemoryQueue, clock: WatchedClock, waits: Sequence[float]
    ) -> None:
        self.bodies: list[bytes] = []
        self.came = Semaphore(0)
        self.queue = queue
        self.threads = [Thread(target=self.receive, args=(wait,)) for wait in waits]
        for thread in self.threads:
            thread.start()
            assert clock.began.acquire(timeout=30)

    def receive(self, wait: float) -> None:
        self.bodies += [d.body for d in self.queue.receive(1, wait)]
        self.came.release()

    def join(self) -> list[bytes]:
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive(), "nobody woke a receiver"
        return self.bodies


def test_one_send_wakes_as_many_receivers_as_it_has_bodies() -> None:
    clock = WatchedClock()
    queue = MemoryQueue(clock, seed=1)
    receivers = Receivers(queue, clock, [20.0] * 8)
    queue.send([f"{number}".encode() for number in range(8)])
    assert len(set(receivers.join())) == 8


def test_one_body_does_not_wake_everybody() -> None:
    clock = WatchedClock()
    queue = MemoryQueue(clock, seed=1)
    queue._changed = condition = CountingCondition()
    receivers = Receivers(queue, clock, [20.0] * 8)
    queue.send([b"one"])
    assert receivers.came.acquire(timeout=30)
    # One receiver got it; one other learned when it would come back.
    assert condition.calls == 2
    queue.send([f"{number}".encode() for number in range(7)])
    assert len(receivers.join()) == 8


def test_a_waiting_receiver_gets_what_another_left_undeleted() -> None:
    clock = WatchedClock()
    queue = MemoryQueue(clock, seed=1, visibility=0.01)
    receivers = Receivers(queue, clock, [20.0] * 4)
    queue.send([b"again and again"])
    assert receivers.join() == [b"again and again"] * 4


def test_who_stops_waiting_leaves_nobody_in_the_dark() -> None:
    clock = WatchedClock()
    queue = MemoryQueue(clock, seed=1, visibility=0.5)
    # The first gets the body, the second hears of it, and leaves empty-handed.
    receivers = Receivers(queue, clock, [20.0, 0.25, 20.0])
    queue.send([b"body"])
    assert set(receivers.join()) == {b"body"}


def test_a_waiting_receiver_hears_of_a_body_that_a_passer_by_hid() -> None:
    clock = WatchedClock()
    queue = MemoryQueue(clock, seed=1, visibility=0.01)
    receivers = Receivers(queue, clock, [20.0] * 2)
    queue.send([b"passed by"])
    queue.receive(1, 0.0)  # most often before the woken receiver gets there
    assert receivers.join() == [b"passed by"] * 2


def test_several_threads_lose_and_invent_nothing() -> None:
    queue = MemoryQueue(SystemClock(), seed=1)
    bodies = {f"{number}".encode() for number in range(2_000)}
    came: list[bytes] = []
    all_sent = Event()

    def receive() -> None:
        last = False
        while not last:
            sent = all_sent.is_set()
            deliveries = queue.receive(10, 0.01)
            came.extend(delivery.body for delivery in deliveries)
            queue.delete([delivery.receipt for delivery in deliveries])
            last = sent and not deliveries

    threads = [Thread(target=receive) for _ in range(4)]
    for thread in threads:
        thread.start()
    todo = sorted(bodies)
    for start in range(0, len(todo), 7):
        queue.send(todo[start : start + 7])
    all_sent.set()
    for thread in threads:
        thread.join()
    assert len(came) == len(bodies)
    assert set(came) == bodies
