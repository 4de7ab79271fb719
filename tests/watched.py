"""A transport that tells who reads it, and threads that wait at an endpoint."""

import os
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from serverless_dist.comm import Endpoint
from serverless_dist.comm.engine.matching import Receive
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
        arrived = super().receive(min(wait, 0.01) if expect else wait, expect)
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


Linked = tuple[Endpoint, WatchedTransport, LinkedTransport]


@pytest.fixture
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


@pytest.fixture
def linked() -> Linked:
    """Return an endpoint, its transport, and that of its peer."""
    here, there = connect(2)
    transport = WatchedTransport(here)
    return Endpoint(transport), transport, there


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
        until(lambda n=number: transport.is_read and len(endpoint._followers) == n)  # type: ignore[misc]
    return futures
