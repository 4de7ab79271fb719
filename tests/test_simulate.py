"""The simulator: what it counts and what it refuses."""

from typing import Any

import pytest

from serverless_dist.comm.steps import Exchange, Recv, Send, Steps
from serverless_dist.errors import ProtocolError
from serverless_dist.testing.simulate import data_bytes, simulate


def test_a_deadlock_names_every_stuck_rank_and_whom_it_waits_for() -> None:
    def circle(rank: int, size: int) -> Steps[None]:
        if rank:
            yield Recv((rank + 1) % size)

    with pytest.raises(ProtocolError) as caught:
        simulate(circle, 4)
    assert str(caught.value) == (
        "3 of 4 ranks are stuck: rank 1 waits for rank 2; rank 2 waits for rank 3; "
        "rank 3 waits for rank 0"
    )


def test_messages_that_nobody_receives_are_an_error() -> None:
    def deaf(rank: int, size: int) -> Steps[None]:
        for _ in range(2 - rank):
            yield Send((rank + 1) % size, None)

    with pytest.raises(ProtocolError) as caught:
        simulate(deaf, 2)
    assert str(caught.value) == (
        "messages were never received: 2 from rank 0 to rank 1; 1 from rank 1 to rank 0"
    )


def test_a_message_to_a_rank_that_does_not_exist_is_an_error() -> None:
    def lost(rank: int, size: int) -> Steps[None]:
        yield Send(size, None)

    with pytest.raises(ProtocolError, match="rank 0 sends to rank 2 of 2"):
        simulate(lost, 2)


def test_messages_of_one_sender_arrive_in_order() -> None:
    def stream(rank: int, size: int) -> Steps[list[int]]:
        if rank == 0:
            for number in range(5):
                yield Send(1, number)
            return []
        received: list[int] = yield Exchange((), (0,) * 4)
        return [*received, (yield Recv(0))]

    assert simulate(stream, 2).results == ([], [0, 1, 2, 3, 4])


def test_messages_to_oneself_arrive_and_cost_nothing() -> None:
    def lonely(rank: int, size: int) -> Steps[list[Any]]:
        yield Send(rank, b"first")
        received: list[Any] = yield Exchange((Send(rank, b"second"),), (rank, rank))
        return received

    result = simulate(lonely, 2)
    assert result.results == ([b"first", b"second"],) * 2
    assert (result.rounds, result.messages, result.bytes, result.posts) == (0, 0, 0, 0)
    assert (result.most_sends, result.most_receives, result.most_bytes) == (0, 0, 0)


def test_a_multicast_is_one_post_and_a_message_to_each() -> None:
    def teller(rank: int, size: int) -> Steps[bytes]:
        if rank == 2:
            yield Send(tuple(range(size)), b"all")
        data: bytes = yield Recv(2)
        return data

    result = simulate(teller, 5)
    assert result.results == (b"all",) * 5
    assert (result.rounds, result.messages, result.bytes, result.posts) == (1, 4, 12, 1)
    assert (result.most_sends, result.most_receives, result.most_bytes) == (4, 1, 12)


def test_rounds_are_the_longest_chain_of_messages() -> None:
    def relay(rank: int, size: int) -> Steps[None]:
        if rank:
            yield Recv(rank - 1)
        if rank < size - 1:
            yield Send(rank + 1, b"baton")

    result = simulate(relay, 6)
    assert (result.rounds, result.messages, result.bytes, result.posts) == (5, 5, 25, 5)


def test_data_of_an_unknown_kind_need_a_measure() -> None:
    with pytest.raises(TypeError, match="what a object weighs"):
        data_bytes(object())
