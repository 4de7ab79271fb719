"""Neighbours, subsets of ranks, and collectives between two groups."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from serverless_dist.comm.algorithms import allgather, among, exchange, inter, reduce
from serverless_dist.comm.steps import Exchange, Recv, Send, Steps
from serverless_dist.testing.simulate import Simulation, data_bytes, simulate
from tests.simulated import M, datum, each_size_and_1021, numbers, vector_bytes
from tests.test_algorithms_objects import watched

GROUPS = [(1, 1), (1, 4), (4, 1), (2, 3), (3, 3), (8, 5), (13, 16), (33, 24)]
each_pair = pytest.mark.parametrize(("first", "second"), GROUPS)


def between(
    first: int,
    second: int,
    call: Callable[[int, int], Steps[Any]],
    measure: Callable[[Any], int] = data_bytes,
) -> tuple[list[Any], list[Any]]:
    """Run `call` with each joint rank and its rank in its group; return both halves."""

    def steps(rank: int, _: int) -> Steps[Any]:
        return call(rank, rank if rank < first else rank - first)

    result: Simulation[Any] = simulate(steps, first + second, measure=measure)
    return list(result.results[:first]), list(result.results[first:])


def joint_roots(first: int, second: int) -> list[int]:
    return sorted({0, first - 1, first, first + second // 2, first + second - 1})


@each_pair
def test_a_barrier_holds_both_groups(first: int, second: int) -> None:
    result = simulate(
        lambda rank, _: watched(inter.barrier(rank, first, second), rank),
        first + second,
        measure=len,
    )
    assert result.results == (set(range(first + second)),) * (first + second)


@each_pair
def test_rooted_calls_go_between_the_root_and_the_other_group(
    first: int, second: int
) -> None:
    for root in joint_roots(first, second):
        others = second if root < first else first
        here = root if root < first else root - first

        def told(rank: int, _: int, root: int = root) -> Steps[Any]:
            data = "told" if rank == root else "not looked at"
            return inter.bcast(rank, first, second, data, root=root)

        def dealt(rank: int, _: int, root: int = root, n: int = others) -> Steps[Any]:
            items = [f"item {i}" for i in range(n)] if rank == root else []
            return inter.scatter(rank, first, second, items, root=root)

        def given(rank: int, mine: int, root: int = root) -> Steps[Any]:
            return inter.gather(rank, first, second, f"of {mine}", root=root)

        def added(rank: int, mine: int, root: int = root) -> Steps[Any]:
            return inter.reduce(rank, first, second, (mine,), operator.add, root=root)

        for call, at_root, at_others in (
            (told, None, ["told"] * others),
            (dealt, None, [f"item {i}" for i in range(others)]),
            (given, [f"of {i}" for i in range(others)], [None] * others),
        ):
            halves = between(first, second, call)
            near, far = halves if root < first else halves[::-1]
            assert far == at_others
            assert near == [at_root if i == here else None for i in range(len(near))]

        def weigh(_: object) -> int:
            return 1

        results = simulate(
            lambda rank, _, call=added: call(  # type: ignore[misc]
                rank, rank if rank < first else rank - first
            ),
            first + second,
            measure=weigh,
        ).results
        assert results[root] == tuple(range(others))
        assert results.count(None) == first + second - 1


@each_pair
def test_each_group_gets_what_the_other_gives(first: int, second: int) -> None:
    def gathered(rank: int, mine: int) -> Steps[list[str]]:
        return inter.allgather(rank, first, second, f"of {mine}")

    def exchanged(rank: int, mine: int) -> Steps[list[str]]:
        others = second if rank < first else first
        items = [f"{mine} to {dest}" for dest in range(others)]
        return inter.alltoall(rank, first, second, items)

    def added(rank: int, mine: int) -> Steps[str]:
        return inter.allreduce(rank, first, second, f"{mine} ", operator.add)

    near, far = between(first, second, gathered)
    assert near == [[f"of {i}" for i in range(second)]] * first
    assert far == [[f"of {i}" for i in range(first)]] * second
    near, far = between(first, second, exchanged)
    assert near == [[f"{j} to {i}" for j in range(second)] for i in range(first)]
    assert far == [[f"{j} to {i}" for j in range(first)] for i in range(second)]
    near, far = between(first, second, added)
    assert near == ["".join(f"{i} " for i in range(second))] * first
    assert far == ["".join(f"{i} " for i in range(first))] * second


@each_pair
def test_each_group_shares_the_fold_of_the_other(first: int, second: int) -> None:
    length = first * second

    def steps(rank: int, mine: int) -> Steps[Any]:
        counts = [second] * first if rank < first else [first] * second
        data = numbers(mine, length)
        return inter.reduce_scatter(rank, first, second, data, counts, operator.add)

    near, far = between(first, second, steps, measure=vector_bytes)
    indices = np.arange(length) * 1_000
    expected = second * indices + second * (second - 1) // 2
    assert np.array_equal(np.concatenate(near), expected)
    assert np.array_equal(
        np.concatenate(far), first * indices + first * (first - 1) // 2
    )


def test_an_algorithm_among_some_ranks_leaves_the_others_alone() -> None:
    members = [5, 1, 6]

    def steps(rank: int, _: int) -> Steps[Any]:
        if rank not in members:
            yield from ()
            return None
        place = members.index(rank)
        names = yield from among(members, allgather.multicast(place, 3, rank))
        fold = reduce.binomial(place, 3, f"{rank}", operator.add, 1)
        return names, (yield from among(members, fold))

    result = simulate(steps, 7)
    assert result.results[1] == (members, "516")
    assert result.results[5] == result.results[6] == (members, None)
    assert result.results[0] is None


def test_among_translates_every_kind_of_step() -> None:
    def steps() -> Steps[list[Any]]:
        answers: list[Any] = [(yield Send((1, 0), "both"))]
        answers.append((yield Recv(1)))
        answers.append((yield Exchange((Send(0, "self"),), (0, 1))))
        return answers

    translated = among([7, 4], steps())
    assert next(translated) == Send((4, 7), "both")
    assert translated.send(None) == Recv(4)
    assert translated.send("one") == Exchange((Send(7, "self"),), (7, 4))
    with pytest.raises(StopIteration) as stop:
        translated.send(["self", "two"])
    assert stop.value.value == [None, "one", ["self", "two"]]


@each_size_and_1021
def test_an_exchange_with_known_peers_costs_what_it_says(size: int) -> None:
    """Rank r sends to r + 1 and r + 3 as a multicast, and to itself."""

    def algorithm(rank: int, n: int) -> Steps[list[bytes]]:
        dests = sorted({(rank + step) % n for step in (1, 3)} - {rank})
        sources = sorted({(rank - step) % n for step in (1, 3)} - {rank})
        sends = [Send(tuple(dests), datum(rank)), Send(rank, datum(rank))]
        return exchange(sends, [*sources, rank])

    result = simulate(algorithm, size)
    for rank, received in enumerate(result.results):
        sources = sorted({(rank - step) % size for step in (1, 3)} - {rank})
        assert received == [datum(source) for source in [*sources, rank]]
    degree = len({1 % size, 3 % size} - {0})
    messages = degree * size
    cost = (result.rounds, result.messages, result.bytes)
    assert cost == (min(degree, 1), messages, messages * M)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_neighbour_may_be_named_several_times(size: int) -> None:
    """As both neighbours in a periodic row of two ranks, or this rank in one of one."""

    def algorithm(rank: int, n: int) -> Steps[list[str]]:
        left, right = (rank - 1) % n, (rank + 1) % n
        sends = [Send(left, f"{rank} first"), Send(right, f"{rank} second")]
        return exchange(sends, [right, left])

    for rank, received in enumerate(simulate(algorithm, size).results):
        left, right = (rank - 1) % size, (rank + 1) % size
        assert received == [f"{right} first", f"{left} second"]


def test_an_exchange_with_nobody_is_no_step() -> None:
    assert simulate(lambda rank, size: exchange([], []), 3).results == ([], [], [])
