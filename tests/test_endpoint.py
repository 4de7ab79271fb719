"""The laws of an endpoint: several threads, one reader, and what goes on by itself."""

import os
import queue
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import pytest

from serverless_dist.comm import ANY_SOURCE, ANY_TAG, Endpoint
from serverless_dist.comm.engine.background import Background, Pending
from serverless_dist.comm.engine.endpoint import ACKNOWLEDGEMENTS
from serverless_dist.comm.engine.matching import TAG_BITS, TAG_MASK, Receive
from serverless_dist.errors import DeadlineError, ProtocolError, UsageError
from serverless_dist.testing.clock import HandClock
from serverless_dist.testing.transports import LinkedTransport, connect
from serverless_dist.transport import Message

CONTEXT = 8
HERE, THERE = 0, 1


class WatchedTransport(LinkedTransport):
    """Tells who reads it, for whom they look and how often it is woken."""

    def __init__(self, linked: LinkedTransport) -> None:
        super().__init__(linked.rank, linked._inboxes)
        self.readers: list[threading.Thread] = []
        self.expected: list[set[int]] = []
        self.wakes = 0
        self.is_read = False

    def receive(self, wait: float, expect: Collection[int] = ()) -> Sequence[Message]:
        assert not self.is_read, "two threads read at once"
        self.readers.append(threading.current_thread())
        self.expected.append(set(expect))
        self.is_read = True
        try:
            return super().receive(wait, expect)
        finally:
            self.is_read = False

    def wake(self) -> None:
        self.wakes += 1
        super().wake()


class ChoosyTransport(WatchedTransport):
    """Brings only what is expected, as an object store does."""

    def __init__(self, linked: LinkedTransport) -> None:
        super().__init__(linked)
        self._held: list[Message] = []

    def receive(self, wait: float, expect: Collection[int] = ()) -> Sequence[Message]:
        fit = [m for m in self._held if not expect or m.source in expect]
        if fit:
            self._held = [m for m in self._held if m not in fit]
            return fit
        arrived = super().receive(wait, expect)
        kept = [m for m in arrived if expect and m.source not in expect]
        self._held += kept
        return [m for m in arrived if m not in kept]


@dataclass
class Flag:
    """Something to wait for that the test brings about."""

    is_done: bool = False
    peers: tuple[int, ...] = field(default=())

    def sources(self) -> Collection[int]:
        return self.peers

    def describe(self) -> str:
        return "for a flag"


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


@pytest.fixture
def linked() -> tuple[Endpoint, WatchedTransport, LinkedTransport]:
    """Return an endpoint, its transport, and that of its peer."""
    here, there = connect(2)
    transport = WatchedTransport(here)
    return Endpoint(transport), transport, there


Linked = tuple[Endpoint, WatchedTransport, LinkedTransport]


def message(tag: int, source: int = THERE, dest: int = HERE, text: str = "") -> Message:
    return Message(source, (dest,), CONTEXT, tag, (text.encode(),))


def receive(endpoint: Endpoint, source: int, tag: int) -> str:
    wanted = Receive(CONTEXT, source, tag)
    if not endpoint.expect((wanted,)):
        endpoint.wait(wanted)
    assert wanted.message is not None
    return bytes(wanted.message.body[0]).decode()


def until(condition: Callable[[], bool]) -> None:
    """Let other threads run until the condition holds; the test's limit ends it."""
    while not condition():
        os.sched_yield()


def start_waiting(
    pool: ThreadPoolExecutor,
    endpoint: Endpoint,
    transport: WatchedTransport,
    patterns: Sequence[tuple[int, int]],
) -> list[Future[str]]:
    """Have a thread wait for each source and tag, the first one reading for all."""
    futures = []
    for number, (source, tag) in enumerate(patterns):
        futures.append(pool.submit(receive, endpoint, source, tag))
        until(lambda n=number: transport.is_read and endpoint._followers == n)  # type: ignore[misc]
    return futures


def test_one_thread_reads_for_all_that_wait(
    pool: ThreadPoolExecutor, linked: Linked
) -> None:
    endpoint, transport, there = linked
    tags = range(4)
    waiting = start_waiting(pool, endpoint, transport, [(THERE, t) for t in tags])
    assert len(set(transport.readers)) == 1
    for tag in reversed(tags):
        there.send([message(tag, text=f"tag {tag}")])
        assert waiting[tag].result() == f"tag {tag}"


def test_when_the_reader_has_what_it_waits_for_another_goes_on(
    pool: ThreadPoolExecutor, linked: Linked
) -> None:
    endpoint, transport, there = linked
    first, second, third = start_waiting(
        pool, endpoint, transport, [(THERE, 1), (THERE, 2), (ANY_SOURCE, 3)]
    )
    (leader,) = set(transport.readers)
    there.send([message(1, text="one")])
    assert first.result() == "one"
    until(lambda: transport.is_read)
    assert transport.readers[-1] is not leader
    there.send([message(3, text="three")])
    there.send([message(2, text="two")])
    assert (second.result(), third.result()) == ("two", "three")


def test_a_reader_looks_for_its_own_source_until_others_wait_too(
    pool: ThreadPoolExecutor,
) -> None:
    links = connect(3)
    transport = ChoosyTransport(links[0])
    endpoint = Endpoint(transport)
    first, second = start_waiting(pool, endpoint, transport, [(1, 5), (2, 5)])
    assert transport.expected[0] == {1}
    links[2].send([message(5, source=2, text="from 2")])
    assert second.result() == "from 2"
    until(lambda: transport.is_read)
    links[1].send([message(5, source=1, text="from 1")])
    assert first.result() == "from 1"


def test_who_polls_is_served_while_another_reads_for_its_own_source(
    pool: ThreadPoolExecutor,
) -> None:
    links = connect(3)
    transport = ChoosyTransport(links[0])
    endpoint = Endpoint(transport)
    (first,) = start_waiting(pool, endpoint, transport, [(1, 5)])
    links[2].send([message(5, source=2, text="from 2")])
    found = None
    for _ in range(100_000):
        endpoint.poll()
        if found := endpoint.find(CONTEXT, 2, 5):
            break
    links[1].send([message(5, source=1, text="from 1")])
    assert first.result() == "from 1"
    assert found is not None, "100 000 polls did not bring what was there"


def test_a_message_to_oneself_wakes_the_thread_that_waits_for_it(
    pool: ThreadPoolExecutor, linked: Linked
) -> None:
    endpoint, transport, _ = linked
    (waiting,) = start_waiting(pool, endpoint, transport, [(HERE, 7)])
    assert transport.wakes == 0
    endpoint.post([message(7, source=HERE, text="mine")])
    assert waiting.result() == "mine"
    assert transport.wakes == 1


def test_a_message_to_oneself_reaches_a_thread_that_does_not_read(
    pool: ThreadPoolExecutor, linked: Linked
) -> None:
    endpoint, transport, there = linked
    reader, other = start_waiting(pool, endpoint, transport, [(THERE, 1), (HERE, 7)])
    endpoint.post([message(7, source=HERE, text="mine")])
    assert other.result() == "mine"
    assert not reader.done()
    there.send([message(1, text="yours")])
    assert reader.result() == "yours"


def test_a_message_to_oneself_wakes_nobody_where_nobody_waits(linked: Linked) -> None:
    endpoint, transport, _ = linked
    endpoint.post([message(7, source=HERE, text="mine")])
    assert receive(endpoint, HERE, 7) == "mine"
    assert (transport.wakes, transport.readers) == (0, [])


def test_a_message_to_all_comes_back_as_a_copy(linked: Linked) -> None:
    endpoint, _, there = linked
    body = bytearray(b"all")
    endpoint.post([Message(HERE, (HERE, THERE), CONTEXT, 1, (body,))])
    body[:] = b"new"
    (sent,) = there.receive(0.0)
    assert (sent.dests, bytes(sent.body[0])) == ((THERE,), b"all")
    assert receive(endpoint, HERE, 1) == "all"


def test_the_deadline_ends_the_waits_of_all_threads(pool: ThreadPoolExecutor) -> None:
    clock = HandClock()
    transport = WatchedTransport(connect(2)[0])
    endpoint = Endpoint(transport, deadline=20.0, clock=clock.now)
    waiting = start_waiting(pool, endpoint, transport, [(THERE, 1), (HERE, 2)])
    clock.advance(20.0)
    transport.wake()
    texts = [str(each.exception()) for each in waiting]
    assert texts == [
        "rank 0 waited 20.0 s for tag 1 from rank 1",
        "rank 0 waited 20.0 s for tag 2 from rank 0",
    ]
    assert all(isinstance(each.exception(), DeadlineError) for each in waiting)


def test_a_transport_that_fails_ends_the_waits_of_all_threads(
    pool: ThreadPoolExecutor, linked: Linked
) -> None:
    endpoint, transport, _ = linked
    patterns = [(THERE, 1), (HERE, 2), (ANY_SOURCE, ANY_TAG)]
    waiting = start_waiting(pool, endpoint, transport, patterns)
    transport.close()
    assert all(isinstance(each.exception(), ProtocolError) for each in waiting)


def test_a_rank_alone_is_told_that_its_wait_is_a_mistake_unless_others_run(
    pool: ThreadPoolExecutor,
) -> None:
    transport = WatchedTransport(connect(1)[0])
    endpoint = Endpoint(transport)
    with pytest.raises(UsageError, match="which only it could send itself"):
        receive(endpoint, ANY_SOURCE, 1)
    (waiting,) = start_waiting(pool, endpoint, transport, [(HERE, 2)])
    endpoint.post([message(2, source=HERE, text="mine")])
    assert waiting.result() == "mine"


def test_a_synchronous_send_is_done_when_its_message_is_asked_for() -> None:
    here, there = map(Endpoint, connect(2))
    send = here.post_synchronous(message(7, HERE, THERE, "sync"))
    assert send.describe() == "for a receive of tag 7 by rank 1"
    there.poll()
    found = there.find(CONTEXT, HERE, 7)
    assert found is not None
    assert found.tag & TAG_MASK == 7
    here.poll()
    assert not send.is_done
    assert there.take(CONTEXT, HERE, 7) is found
    here.poll()
    assert send.is_done
    assert not here._unacknowledged


def test_a_receive_of_what_is_here_already_tells_the_sender_at_once() -> None:
    here, there = map(Endpoint, connect(2))
    send = here.post_synchronous(message(7, HERE, THERE))
    there.poll()
    assert there.expect((Receive(CONTEXT, HERE, 7),))
    here.wait(send)


def test_a_posted_receive_tells_the_sender_when_the_message_comes() -> None:
    here, there = map(Endpoint, connect(2))
    assert not there.expect((Receive(CONTEXT, ANY_SOURCE, ANY_TAG),))
    send = here.post_synchronous(message(7, HERE, THERE))
    there.poll()
    here.wait(send)


def test_synchronous_sends_are_told_apart_and_may_go_to_oneself() -> None:
    endpoint = Endpoint(connect(1)[0])
    sends = [endpoint.post_synchronous(message(t, HERE, HERE)) for t in (1, 1, 2)]
    assert receive(endpoint, HERE, 2) == ""
    assert [send.is_done for send in sends] == [False, False, True]
    receive(endpoint, HERE, 1)
    assert [send.is_done for send in sends] == [True, False, True]
    receive(endpoint, HERE, 1)
    assert sends[1].is_done


def test_an_acknowledgement_of_nothing_is_dropped(linked: Linked) -> None:
    endpoint, _, there = linked
    stray = Message(THERE, (HERE,), ACKNOWLEDGEMENTS, 12, (b"",))
    there.send([stray, message(1 | 3 << TAG_BITS, text="sync")])
    endpoint.poll()
    endpoint.poll()
    assert endpoint.waiting == 1
    assert receive(endpoint, THERE, 1) == "sync"


def test_then_is_called_once_when_the_last_message_has_come(linked: Linked) -> None:
    endpoint, _, there = linked
    called: list[bool] = []
    receives = [Receive(CONTEXT, THERE, tag) for tag in range(3)]

    def then() -> None:
        # Another thread gets in: the lock is not held.
        with ThreadPoolExecutor(1) as other:
            called.append(other.submit(endpoint.find, CONTEXT, THERE, 9).done())
            other.submit(endpoint.find, CONTEXT, THERE, 9).result()

    there.send([message(1)])
    endpoint.poll()
    assert not endpoint.expect(receives, then)
    for tag in (2, 0):
        assert not called
        there.send([message(tag)])
        endpoint.poll()
    endpoint.poll()
    assert len(called) == 1


def test_what_is_to_be_done_later_is_done_by_the_thread_that_waits(
    pool: ThreadPoolExecutor, linked: Linked
) -> None:
    endpoint, transport, _ = linked
    flag, threads = Flag(), []

    def action() -> None:
        threads.append(threading.current_thread())
        flag.is_done = True

    waiting = pool.submit(endpoint.wait, flag)
    until(lambda: transport.is_read)
    endpoint.later(action)
    endpoint.tell()
    waiting.result()
    assert threads == [transport.readers[0]]


def test_telling_reaches_threads_that_do_not_read(
    pool: ThreadPoolExecutor, linked: Linked
) -> None:
    endpoint, transport, there = linked
    (reader,) = start_waiting(pool, endpoint, transport, [(THERE, 1)])
    flag = Flag()
    waiting = pool.submit(endpoint.wait, flag)
    until(lambda: endpoint._followers == 1)
    flag.is_done = True
    endpoint.tell()
    waiting.result()
    there.send([message(1)])
    reader.result()


def test_a_message_withdrawn_from_goes_to_the_next_receive(linked: Linked) -> None:
    endpoint, _, there = linked
    first, second = (Receive(CONTEXT, ANY_SOURCE, 1) for _ in range(2))
    endpoint.expect((first, second))
    assert endpoint.withdraw(first)
    there.send([message(1)])
    endpoint.poll()
    assert (first.is_done, second.is_done) == (False, True)
    assert not endpoint.withdraw(second)


@pytest.mark.parametrize("threads", [2, 4])
def test_threads_of_two_ranks_talk_at_the_same_time(
    pool: ThreadPoolExecutor, threads: int
) -> None:
    endpoints = [Endpoint(WatchedTransport(link)) for link in connect(2)]
    count = 100

    def talk(rank: int, tag: int) -> list[str]:
        endpoint, peer, got = endpoints[rank], 1 - rank, []
        for number in range(count):
            endpoint.post([message(tag, rank, peer, str(number))])
            endpoint.post([message(tag, rank, rank, "own")])
            got.append(receive(endpoint, peer, tag))
            assert receive(endpoint, rank, tag) == "own"
        return got

    pairs = [(rank, tag) for rank in range(2) for tag in range(threads)]
    for each in [pool.submit(talk, *pair) for pair in pairs]:
        assert each.result() == [str(number) for number in range(count)]


def test_what_is_under_way_goes_on_while_nobody_waits(linked: Linked) -> None:
    endpoint, _, there = linked
    gone_on = threading.Event()
    with closing(endpoint):
        wanted = Receive(CONTEXT, THERE, 1)
        assert not endpoint.expect((wanted,), gone_on.set)
        endpoint.keep_going(wanted)
        there.send([message(1)])
        assert gone_on.wait(30.0)


def test_closing_ends_the_thread_whatever_is_under_way(
    pool: ThreadPoolExecutor, linked: Linked
) -> None:
    endpoint, transport, there = linked
    endpoint.keep_going(Flag(peers=(THERE,)))
    until(lambda: transport.is_read)
    follower = pool.submit(receive, endpoint, THERE, 1)
    until(lambda: endpoint._followers == 1)
    endpoint.close()
    assert "collectives" not in {thread.name for thread in threading.enumerate()}
    there.send([message(1, text="still read")])
    assert follower.result() == "still read"


def test_closing_ends_the_thread_while_another_one_reads(
    pool: ThreadPoolExecutor, linked: Linked
) -> None:
    endpoint, transport, there = linked
    (reader,) = start_waiting(pool, endpoint, transport, [(THERE, 1)])
    endpoint.keep_going(Flag())
    until(lambda: endpoint._followers == 1)
    endpoint.close()
    endpoint.close()
    there.send([message(1)])
    reader.result()


def test_an_endpoint_without_a_thread_is_closed_in_silence(linked: Linked) -> None:
    endpoint, transport, _ = linked
    endpoint.close()
    assert transport.wakes == 0


def test_what_fails_in_the_background_does_not_keep_the_rest() -> None:
    done: queue.SimpleQueue[str] = queue.SimpleQueue()

    def wait(pending: Pending) -> None:
        if pending.describe() != "for nothing":
            raise DeadlineError(pending.describe())
        done.put(pending.describe())

    background = Background(wait, lambda: None)
    background.add(Flag())
    flag = Flag()
    flag.describe = lambda: "for nothing"  # type: ignore[method-assign]
    background.add(flag)
    assert done.get(timeout=30.0) == "for nothing"
    background.close()


def test_threads_that_begin_something_at_once_share_one_thread(
    pool: ThreadPoolExecutor,
) -> None:
    for _ in range(50):
        seen: set[threading.Thread] = set()
        together = threading.Barrier(8)
        background = Background(
            lambda _, s=seen: s.add(threading.current_thread()),  # type: ignore[misc]
            lambda: None,
        )

        def add(background: Background, together: threading.Barrier) -> None:
            together.wait()
            background.add(Flag())

        begun = [pool.submit(partial(add, background, together)) for _ in range(8)]
        for each in begun:
            each.result()
        background.close()
        assert len(seen) == 1


def test_repr_is_a_status_line(linked: Linked) -> None:
    endpoint, _, there = linked
    there.send([message(1)])
    endpoint.poll()
    assert repr(endpoint) == "<Endpoint rank 0 of 2: 1 waiting>"
