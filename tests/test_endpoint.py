"""The laws of an endpoint: any thread may call anything, and one reads for all."""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from serverless_dist.comm import ANY_SOURCE, ANY_TAG, Endpoint
from serverless_dist.comm.engine.matching import Receive
from serverless_dist.errors import DeadlineError, ProtocolError, UsageError
from serverless_dist.testing.clock import HandClock
from serverless_dist.testing.transports import connect
from serverless_dist.transport import Message
from tests.watched import (
    CONTEXT,
    HERE,
    THERE,
    ChoosyTransport,
    Flag,
    Linked,
    WatchedTransport,
    message,
    receive,
    start_waiting,
    until,
)

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


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
    endpoint = Endpoint(transport, deadline=20.0, clock=clock)
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


def test_then_is_called_once_when_the_last_message_has_come(linked: Linked) -> None:
    endpoint, _, there = linked
    called: list[Message | None] = []
    receives = [Receive(CONTEXT, THERE, tag) for tag in range(3)]

    def then() -> None:
        # Another thread gets in, so the lock is not held.
        with ThreadPoolExecutor(1) as other:
            called.append(other.submit(endpoint.find, CONTEXT, THERE, 9).result())

    there.send([message(1)])
    endpoint.poll()
    assert not endpoint.expect(receives, then)
    for tag in (2, 0):
        assert not called
        there.send([message(tag)])
        endpoint.poll()
    endpoint.poll()
    assert len(called) == 1


def test_telling_reaches_threads_that_do_not_read(
    pool: ThreadPoolExecutor, linked: Linked
) -> None:
    endpoint, transport, there = linked
    (reader,) = start_waiting(pool, endpoint, transport, [(THERE, 1)])
    flag = Flag()
    waiting = pool.submit(endpoint.wait, flag)
    until(lambda: len(endpoint._followers) == 1)
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


def test_repr_is_a_status_line(linked: Linked) -> None:
    endpoint, _, there = linked
    there.send([message(1)])
    endpoint.poll()
    assert repr(endpoint) == "<Endpoint rank 0 of 2: 1 waiting>"


class BrokenTransport(WatchedTransport):
    """Its first read fails, and it must not be read again."""

    def receive(self, wait: float, expect: Collection[int] = ()) -> Sequence[Message]:
        assert not self.is_read, "read again after it had failed"
        self.is_read = True
        msg = "the network is gone"
        raise OSError(msg)


def test_a_transport_that_fails_is_told_to_all_who_wait_then_or_later() -> None:
    endpoint = Endpoint(BrokenTransport(connect(2)[0]))
    endpoint.keep_going(Flag(peers=(THERE,)))
    for call in (endpoint.wait, endpoint.wait, endpoint.poll):
        with pytest.raises(OSError, match="the network is gone"):
            call(Flag(peers=(THERE,)))
    endpoint.close()
