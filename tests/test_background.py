"""What goes on by itself while a rank computes, and how that ends."""

import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from serverless_dist.cloud.clock import SteadyClock
from serverless_dist.comm.engine.background import Background, Pending
from serverless_dist.comm.engine.matching import Receive
from serverless_dist.errors import DeadlineError, ProtocolError
from tests.watched import (
    CONTEXT,
    THERE,
    Flag,
    Linked,
    message,
    receive,
    start_waiting,
    until,
)

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


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
    endpoint, transport, _ = linked
    endpoint.keep_going(Flag(peers=(THERE,)))
    until(lambda: transport.is_read)
    follower = pool.submit(receive, endpoint, THERE, 1)
    until(lambda: len(endpoint._followers) == 1)
    endpoint.close()
    assert "collectives" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ProtocolError, match="rank 0 has ended"):
        follower.result()


def test_closing_ends_the_thread_while_another_one_reads(
    pool: ThreadPoolExecutor, linked: Linked
) -> None:
    endpoint, transport, _ = linked
    (reader,) = start_waiting(pool, endpoint, transport, [(THERE, 1)])
    endpoint.keep_going(Flag())
    until(lambda: len(endpoint._followers) == 1)
    endpoint.close()
    endpoint.close()
    with pytest.raises(ProtocolError, match="rank 0 has ended"):
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

    background = Background(wait, lambda: None, SteadyClock())
    background.add(Flag())
    flag = Flag()
    flag.describe = lambda: "for nothing"  # type: ignore[method-assign]
    background.add(flag)
    assert done.get(timeout=30.0) == "for nothing"
    background.close()


def test_threads_that_begin_something_at_once_share_one_thread(
    pool: ThreadPoolExecutor,
) -> None:
    together = threading.Barrier(8)

    def add(background: Background) -> None:
        together.wait()
        background.add(Flag())

    for _ in range(20):
        waiters: list[threading.Thread] = []

        def wait(pending: Pending, waiters: list[threading.Thread] = waiters) -> None:
            waiters.append(threading.current_thread())

        background = Background(wait, lambda: None, SteadyClock())
        for each in [pool.submit(add, background) for _ in range(8)]:
            each.result()
        until(lambda waiters=waiters: len(waiters) == 8)  # type: ignore[misc]
        background.close()
        assert len(set(waiters)) == 1
