"""Communicators over linked threads, and what needs a clock or a transport to see."""

from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from serverless_dist.comm import (
    Communicator,
    Endpoint,
    PhaseTimes,
    get_self,
)
from serverless_dist.comm.engine.matching import Receive
from serverless_dist.comm.state import derive
from serverless_dist.errors import DeadlineError, UsageError
from serverless_dist.testing.algorithms import AlgorithmsSuite
from serverless_dist.testing.clock import HandClock
from serverless_dist.testing.collectives import exchange
from serverless_dist.testing.communicators import CommunicatorSuite
from serverless_dist.testing.transport_suite import TransportSuite
from serverless_dist.testing.transports import LinkedTransport, connect, run_threads
from serverless_dist.transport import Message
from serverless_dist.wire import encode


def run_linked(size: int, function: Callable[[Communicator], Any]) -> list[Any]:
    """Run `function` on `size` ranks that are threads."""
    transports = connect(size)

    def rank(number: int) -> Any:
        with closing(Endpoint(transports[number])) as endpoint:
            return function(Communicator.world(endpoint))

    def close() -> None:
        for transport in transports:
            transport.close()

    return run_threads(size, rank, on_failure=close)


class TestLinkedCommunicator(CommunicatorSuite, AlgorithmsSuite):
    def run(self, size: int, function: Callable[[Communicator], Any]) -> list[Any]:
        return run_linked(size, function)


class TestLinkedTransport(TransportSuite):
    def make_transports(self, size: int) -> Sequence[LinkedTransport]:
        return connect(size)


class SilentTransport:
    """A transport on which only `arriving` comes: each wait takes its time."""

    def __init__(self, rank: int, size: int, clock: HandClock) -> None:
        self.send_seconds = 0.0
        self.rank = rank
        self.size = size
        self.sent: list[Message] = []
        self.expected: list[set[int]] = []
        self.arriving: list[Message] = []
        self._clock = clock

    def send(self, messages: Sequence[Message]) -> None:
        self._clock.advance(self.send_seconds)
        self.sent += messages

    def receive(self, wait: float, expect: Collection[int] = ()) -> Sequence[Message]:
        self.expected.append(set(expect))
        if self.arriving:
            self._clock.advance(1.5)
            return [self.arriving.pop(0)]
        self._clock.advance(wait)
        return ()

    def wake(self) -> None:
        pass

    def close(self) -> None:
        pass


def alone_of(
    size: int, rank: int = 3, deadline: float = 20.0
) -> tuple[Communicator, SilentTransport]:
    """Return a rank whose peers never say a word."""
    clock = HandClock()
    transport = SilentTransport(rank, size, clock)
    endpoint = Endpoint(transport, deadline=deadline, clock=clock)
    return Communicator.world(endpoint), transport


def posted_alltoall(comm: Communicator, items: str) -> list[str]:
    comm.Set_algorithm("alltoall", "posted")
    return comm.alltoall(items)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda c: c.recv(source=0, tag=7), "for tag 7 from rank 0"),
        (lambda c: c.recv(tag=7), "for tag 7 from any rank"),
        (lambda c: c.recv(source=2), "for any tag from rank 2"),
        (lambda c: c.recv(), "for any tag from any rank"),
        (lambda c: c.allreduce(1), "in allreduce for a message from rank 2"),
        (lambda c: c.bcast(1), "in bcast for a message from rank 0"),
        (lambda c: c.barrier(), "in barrier for a message from rank 2"),
        (
            lambda c: posted_alltoall(c, "abcd"),
            "in alltoall for a message from ranks 0, 1 and 2",
        ),
        (
            lambda c: exchange(c, {}, [1]),
            "in neighbor_alltoall for a message from rank 1",
        ),
    ],
)
def test_a_wait_ends_at_the_deadline_and_says_for_what(
    call: Callable[[Communicator], Any], text: str
) -> None:
    comm, _ = alone_of(4)
    with pytest.raises(DeadlineError) as caught:
        call(comm)
    assert str(caught.value) == f"rank 3 waited 20.0 s {text}"


def test_a_wait_goes_on_longer_than_one_call_of_the_transport() -> None:
    comm, transport = alone_of(4, deadline=50.0)
    with pytest.raises(DeadlineError, match=r"waited 50\.0 s"):
        comm.recv(source=1)
    assert len(transport.expected) == 3


def test_the_transport_is_told_whom_to_expect() -> None:
    comm, transport = alone_of(4)
    body = (bytearray().join(encode("hello")),)
    for source in (2, 0):
        context = derive(0, "topology", 0) + 1
        transport.arriving.append(Message(source, (3,), context, 12, body))
    with pytest.raises(DeadlineError, match="from rank 1"):
        exchange(comm, {}, [0, 1, 2])
    assert transport.expected == [{0, 1, 2}, {0, 1}, {1}]


def test_any_source_expects_everybody() -> None:
    comm, transport = alone_of(4)
    with pytest.raises(DeadlineError):
        comm.recv()
    assert transport.expected == [set()]


def test_phase_times_tell_sending_from_waiting() -> None:
    comm, transport = alone_of(4)
    assert comm.times == PhaseTimes(0.0, 0.0)
    transport.send_seconds = 0.25
    body = (bytearray().join(encode("hello")),)
    transport.arriving.append(Message(0, (3,), 0, 5, body))
    comm.send("one", 1)
    comm.send("two", 2)
    assert comm.recv() == "hello"
    assert comm.times == PhaseTimes(0.5, 1.5)


def test_all_of_an_exchange_is_sent_in_one_call_multicasts_whole() -> None:
    comm, transport = alone_of(5)
    transport.send_seconds = 0.25
    both, me_too = "both", "me too"
    exchange(comm, {0: both, 1: both, 2: "two", 3: me_too, 4: me_too}, [3])
    assert [message.dests for message in transport.sent] == [(0, 1), (2,), (4,)]
    assert comm.times.send == 0.25


def test_a_tree_posts_everything_to_its_children_at_once() -> None:
    comm, transport = alone_of(8, rank=0)
    comm.Set_algorithm("bcast", "binomial")
    comm.Set_algorithm("scatter", "binomial")
    transport.send_seconds = 1.0
    comm.bcast("all")
    assert [message.dests for message in transport.sent] == [(4, 2, 1)]
    comm.scatter("abcdefgh")
    assert [message.dests for message in transport.sent[1:]] == [(4,), (2,), (1,)]
    assert comm.times.send == 2.0


def test_two_messages_of_one_source_are_collected_in_order() -> None:
    clock = HandClock()
    transport = SilentTransport(1, 2, clock)
    bodies = [(b"first",), (b"second",), (b"third",)]
    transport.arriving = [Message(0, (1,), 0, 7, body) for body in bodies]
    endpoint = Endpoint(transport, deadline=20.0, clock=clock)
    receives = [Receive(0, 0, 7) for _ in range(3)]
    assert not endpoint.expect(receives)
    for _ in range(3):
        endpoint.poll()
    assert [each.message and each.message.body for each in receives] == bodies


def test_a_wait_that_only_the_rank_itself_could_end_is_a_mistake() -> None:
    comm, transport = alone_of(4)
    with pytest.raises(
        UsageError, match="rank 3 waits for tag 7 from rank 3, which only it"
    ):
        comm.recv(source=3, tag=7)
    with pytest.raises(UsageError, match="for any tag from any rank, which only it"):
        get_self().recv()
    assert transport.expected == []


def test_mixed_up_calls_never_match() -> None:
    one, wire = alone_of(2, rank=0)
    with pytest.raises(DeadlineError, match="in alltoall for a message from rank 1"):
        one.alltoall("ab")
    two, other = alone_of(2, rank=1)
    other.arriving = [
        replace(message, body=(bytearray().join(message.body),))
        for message in wire.sent
    ]
    with pytest.raises(DeadlineError, match="in allgather for a message from rank 0"):
        two.allgather("b")
    assert not other.arriving
    assert two.state.endpoint.waiting == 1


def test_two_communicators_of_one_endpoint_do_not_mix() -> None:
    def function(endpoint: Endpoint) -> None:
        one = Communicator.world(endpoint)
        two = one.Dup()
        peer = 1 - one.rank
        one.send("one", peer)
        two.send("two", peer)
        assert two.recv() == "two"
        assert one.recv() == "one"
        assert [two.allreduce(1), one.allreduce(2)] == [2, 4]

    transports = connect(2)
    run_threads(2, lambda rank: function(Endpoint(transports[rank])))


def test_ranks_may_be_numpy_integers() -> None:
    def function(comm: Communicator) -> None:
        peer: Any = np.int64(1 - comm.rank)
        root: Any = np.int64(1)
        comm.send("hello", peer)
        assert comm.recv(source=peer) == "hello"
        assert exchange(comm, {peer: "one"}, [peer]) == {1 - comm.rank: "one"}
        assert comm.bcast("three", root) == "three"

    run_linked(2, function)


def test_a_buffer_given_to_recv_is_warned_about() -> None:
    def function(comm: Communicator) -> None:
        comm.send("hello", 0)
        with pytest.warns(UserWarning, match="does not fill the buffer"):
            assert comm.recv(bytearray(10)) == "hello"

    run_linked(1, function)


class Loads:
    """Counts how often instances are unpickled, by the rank that made them."""

    counts: dict[int, int] = {}  # noqa: RUF012

    def __init__(self, *place: int) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return Loads.load, self.place

    @staticmethod
    def load(rank: int, dest: int) -> "Loads":
        Loads.counts[rank] += 1
        return Loads(rank, dest)


def test_intermediate_ranks_do_not_decode() -> None:
    def function(comm: Communicator) -> None:
        Loads.counts[comm.rank] = 0
        mine = [Loads(comm.rank, dest) for dest in range(comm.size)]
        assert comm.bcast(mine[0], 0).place == (0, 0)
        assert comm.scatter(mine, 0).place == (0, comm.rank)
        gathered = comm.gather(mine[comm.rank], 0) or []
        assert [loads.place for loads in gathered] == [
            (rank, rank) for rank in range(len(gathered))
        ]

    size = 8
    run_linked(size, function)
    # One for bcast, one for scatter; at the root one of each rank for gather.
    assert sum(Loads.counts.values()) == size + size + size


def test_threads_report_the_first_failure_and_those_that_never_end() -> None:
    def fail(comm: Communicator) -> None:
        if comm.rank == 1:
            comm.send(1, 99)
        comm.recv(source=1)

    with pytest.raises(UsageError, match="dest is 99"):
        run_linked(3, fail)
    here, there = connect(2)

    def hang(rank: int) -> None:
        if rank == 1:
            there.receive(60.0)

    with pytest.raises(DeadlineError, match=r"these ranks still run: \[1\]"):
        run_threads(2, hang, timeout=0.05)
    here.send([Message(0, (1,), 0, 0, (b"",))])
