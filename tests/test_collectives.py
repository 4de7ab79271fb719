"""Every algorithm: what it returns, and that it costs what its header says."""

import operator
from collections.abc import Callable
from math import ceil, floor, log2
from typing import Any

import pytest

from serverless_dist.comm import (
    allgather,
    allreduce,
    alltoall,
    barrier,
    bcast,
    gather,
    neighbor,
    reduce,
    scatter,
)
from serverless_dist.comm.steps import Exchange, Recv, Send, Steps
from serverless_dist.errors import ProtocolError
from serverless_dist.testing.simulate import Simulation, data_bytes, simulate

SIZES = [*range(1, 10), 13, 16, 24, 33]
LARGE = 2**12 - 3
M = 10  # bytes of each rank's data

each_size = pytest.mark.parametrize("size", [*SIZES, LARGE])


def roots(size: int) -> list[int]:
    return list(range(size)) if size < 100 else [0, 1, size // 3, size - 1]


def datum(rank: int) -> bytes:
    return b"%0*d" % (M, rank)


def cost(simulation: Simulation[Any]) -> tuple[int, int, int]:
    return simulation.rounds, simulation.messages, simulation.bytes


def one_bits(size: int) -> int:
    return sum(place.bit_count() for place in range(size))


def watched(steps: Steps[None], rank: int, size: int) -> Steps[set[int]]:
    """Replace all data by the set of ranks that the sender has heard of."""
    known = {rank}
    answer = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration:
            return known
        assert isinstance(step, Exchange)
        sends = tuple(Send(send.dest, frozenset(known)) for send in step.sends)
        heard = yield Exchange(sends, step.recvs)
        known = known.union(*heard)
        answer = [None] * len(heard)


@each_size
def test_barrier_costs_what_it_says(size: int) -> None:
    result = simulate(barrier.dissemination, size)
    rounds = ceil(log2(size))
    assert cost(result) == (rounds, size * rounds, 0)
    assert result.results == (None,) * size


@pytest.mark.parametrize("size", SIZES)
def test_nobody_leaves_a_barrier_before_all_have_entered(size: int) -> None:
    def algorithm(rank: int, size: int) -> Steps[set[int]]:
        return watched(barrier.dissemination(rank, size), rank, size)

    result = simulate(algorithm, size, measure=len)
    assert result.results == (set(range(size)),) * size


@each_size
def test_bcast_costs_what_it_says_from_every_root(size: int) -> None:
    for root in roots(size):

        def algorithm(rank: int, size: int, root: int = root) -> Steps[bytes]:
            data = datum(root) if rank == root else b"not looked at"
            return bcast.binomial(rank, size, data, root)

        result = simulate(algorithm, size)
        assert result.results == (datum(root),) * size
        assert cost(result) == (floor(log2(size)), size - 1, (size - 1) * M)
        assert result.most_sends == ceil(log2(size))


@each_size
def test_scatter_costs_what_it_says_from_every_root(size: int) -> None:
    items = [datum(rank) for rank in range(size)]
    for root in roots(size):

        def algorithm(rank: int, size: int, root: int = root) -> Steps[bytes]:
            return scatter.binomial(rank, size, items if rank == root else (), root)

        result = simulate(algorithm, size)
        assert result.results == tuple(items)
        assert cost(result) == (floor(log2(size)), size - 1, M * one_bits(size))
        assert result.most_sends == ceil(log2(size))


@each_size
def test_gather_costs_what_it_says_at_every_root(size: int) -> None:
    items = [datum(rank) for rank in range(size)]
    for root in roots(size):

        def algorithm(
            rank: int, size: int, root: int = root
        ) -> Steps[list[bytes] | None]:
            return gather.binomial(rank, size, datum(rank), root)

        result = simulate(algorithm, size)
        assert result.results[root] == items
        assert result.results.count(None) == size - 1
        assert cost(result) == (floor(log2(size)), size - 1, M * one_bits(size))
        assert result.most_receives == ceil(log2(size))


def test_the_bytes_of_trees_are_half_n_log_n_for_powers_of_two() -> None:
    for size in (1, 2, 4, 8, 16, 4096):
        assert one_bits(size) == size / 2 * log2(size)


@pytest.mark.parametrize("size", [*SIZES, 509])
def test_allgather_costs_what_it_says(size: int) -> None:
    result = simulate(lambda rank, n: allgather.bruck(rank, n, datum(rank)), size)
    assert result.results == ([datum(rank) for rank in range(size)],) * size
    rounds = ceil(log2(size))
    assert cost(result) == (rounds, size * rounds, size * (size - 1) * M)


def test_allgather_costs_what_it_says_at_thousands() -> None:
    size = 2053

    def algorithm(rank: int, size: int) -> Steps[list[int]]:
        return allgather.bruck(rank, size, rank)

    result = simulate(algorithm, size, measure=lambda items: len(items) * M)
    assert result.results == (list(range(size)),) * size
    assert cost(result) == (12, 12 * size, size * (size - 1) * M)


@pytest.mark.parametrize("size", [*SIZES, 257])
def test_alltoall_costs_what_it_says(size: int) -> None:
    def algorithm(rank: int, size: int) -> Steps[list[tuple[int, int]]]:
        return alltoall.pairwise(rank, size, [(rank, dest) for dest in range(size)])

    result = simulate(algorithm, size, measure=lambda _: M)
    for rank in range(size):
        assert result.results[rank] == [(source, rank) for source in range(size)]
    messages = size * (size - 1)
    assert cost(result) == (min(size - 1, 1), messages, messages * M)


@each_size
def test_reduce_folds_in_rank_order_and_costs_what_it_says(size: int) -> None:
    for root in roots(size):

        def algorithm(
            rank: int, size: int, root: int = root
        ) -> Steps[tuple[int, ...] | None]:
            return reduce.binomial(rank, size, (rank,), operator.add, root)

        result = simulate(algorithm, size, measure=lambda _: M)
        assert result.results[root] == tuple(range(size))
        assert result.results.count(None) == size - 1
        before, after = root + 1, size - root
        rounds = max(floor(log2(before)), floor(log2(after)))
        assert cost(result) == (rounds, size - 1, (size - 1) * M)
        assert result.most_receives == ceil(log2(before)) + ceil(log2(after))


def allreduce_cost(size: int) -> tuple[int, int]:
    power = 2 ** floor(log2(size))
    extra = size - power
    rounds = int(log2(power))
    more = 0 if not extra else 1 if extra <= power / 2 else 2
    return rounds + more, power * rounds + 2 * extra


@pytest.mark.parametrize("size", [*SIZES, 1021])
def test_allreduce_folds_in_rank_order_and_costs_what_it_says(size: int) -> None:
    def algorithm(rank: int, size: int) -> Steps[tuple[int, ...]]:
        return allreduce.recursive_doubling(rank, size, (rank,), operator.add)

    result = simulate(algorithm, size, measure=lambda _: M)
    assert result.results == (tuple(range(size)),) * size
    rounds, messages = allreduce_cost(size)
    assert cost(result) == (rounds, messages, messages * M)


def test_allreduce_costs_what_it_says_for_16384_ranks() -> None:
    size = 16_384

    def algorithm(rank: int, size: int) -> Steps[int]:
        return allreduce.recursive_doubling(rank, size, rank, operator.add)

    result = simulate(algorithm, size)
    assert set(result.results) == {size * (size - 1) // 2}
    assert cost(result) == (14, 229_376, 229_376 * 8)
    assert result.most_sends == result.most_receives == 14


@pytest.mark.parametrize("size", SIZES)
def test_allreduce_gives_every_rank_the_same_bits(size: int) -> None:
    def algorithm(rank: int, size: int) -> Steps[float]:
        data = 10.0 ** (rank % 17) / 3
        return allreduce.recursive_doubling(rank, size, data, operator.add)

    assert len(set(simulate(algorithm, size).results)) == 1


@pytest.mark.parametrize("size", SIZES)
def test_reductions_leave_operands_as_they_are(size: int) -> None:
    for make in (
        lambda rank, n, data: reduce.binomial(rank, n, data, operator.add, n // 2),
        lambda rank, n, data: allreduce.recursive_doubling(rank, n, data, operator.add),
    ):
        operands = [[rank] for rank in range(size)]

        def algorithm(
            rank: int,
            size: int,
            make: Callable[..., Steps[Any]] = make,
            operands: list[list[int]] = operands,
        ) -> Steps[Any]:
            return make(rank, size, operands[rank])

        simulate(algorithm, size)
        assert operands == [[rank] for rank in range(size)]


@each_size
def test_an_exchange_of_known_peers_costs_what_it_says(size: int) -> None:
    """Rank r sends to r + 1 and r + 3 as a multicast, and to itself."""

    def algorithm(rank: int, size: int) -> Steps[dict[int, bytes]]:
        dests = {(rank + step) % size for step in (1, 3)} - {rank}
        sources = {(rank - step) % size for step in (1, 3)} - {rank}
        sends = [Send(tuple(dests), datum(rank)), Send(rank, datum(rank))]
        return neighbor.exchange(sends, [*sources, rank])

    result = simulate(algorithm, size)
    for rank, received in enumerate(result.results):
        assert set(received) == {(rank - step) % size for step in (0, 1, 3)}
        assert all(received[source] == datum(source) for source in received)
    degree = len({1 % size, 3 % size} - {0})
    messages = degree * size
    assert cost(result) == (min(degree, 1), messages, messages * M)


def test_an_exchange_with_nobody_is_no_step() -> None:
    result = simulate(lambda rank, size: neighbor.exchange([], []), 3)
    assert result.results == ({}, {}, {})


# ---- the simulator itself ----


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


def test_a_message_that_nobody_receives_is_an_error() -> None:
    def deaf(rank: int, size: int) -> Steps[None]:
        yield Send((rank + 1) % size, None)

    with pytest.raises(ProtocolError, match="never received: 1 from rank 0 to rank 1"):
        simulate(deaf, 2)


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


def test_rounds_are_the_longest_chain_of_messages() -> None:
    def relay(rank: int, size: int) -> Steps[None]:
        if rank:
            yield Recv(rank - 1)
        if rank < size - 1:
            yield Send(rank + 1, b"baton")

    def star(rank: int, size: int) -> Steps[None]:
        if rank:
            yield Recv(0)
        else:
            yield Send(tuple(range(1, size)), b"all")

    assert cost(simulate(relay, 6)) == (5, 5, 25)
    assert cost(simulate(star, 6)) == (1, 5, 15)


def test_data_of_an_unknown_kind_need_a_measure() -> None:
    with pytest.raises(TypeError, match="what a object weighs"):
        data_bytes(object())
