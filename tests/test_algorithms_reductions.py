"""Reductions and scans of any data: order, results, and the cost in their header."""

import operator
from collections.abc import Callable
from math import floor, log2
from typing import Any

import pytest

from serverless_dist.comm.algorithms import allreduce, reduce, scan
from serverless_dist.comm.steps import Steps
from serverless_dist.testing.simulate import simulate
from tests.simulated import (
    M,
    assert_costs,
    counts,
    each_size,
    each_size_and_257,
    each_size_and_1021,
    roots,
)
from tests.test_algorithms_objects import Closed, name

ALLREDUCES = [
    (allreduce.recursive_doubling, allreduce.recursive_doubling_cost),
    (allreduce.reduce_bcast, allreduce.reduce_bcast_cost),
    (allreduce.gather_bcast, allreduce.gather_bcast_cost),
    (allreduce.multicast, allreduce.multicast_cost),
]
Result = tuple[int, ...]


def weigh(data: Any) -> int:
    """Weigh any fold of operands, which is all that a message may be, as M bytes."""
    assert isinstance(data, tuple)
    return M


@each_size_and_1021
@pytest.mark.parametrize("algorithm", [reduce.binomial, reduce.direct], ids=name)
def test_a_reduce_folds_in_rank_order_whatever_the_root(
    algorithm: Callable[..., Steps[Result | None]], size: int
) -> None:
    for root in roots(size):

        def steps(rank: int, n: int, root: int = root) -> Steps[Result | None]:
            return algorithm(rank, n, (rank,), operator.add, root)

        result = simulate(steps, size, measure=weigh)
        assert result.results[root] == tuple(range(size))
        assert result.results.count(None) == size - 1
        if algorithm is reduce.direct:
            assert_costs(result, reduce.direct_cost(size, M))
            continue
        before, after = floor(log2(root + 1)), floor(log2(size - root))
        cost = reduce.binomial_cost(size, M)
        assert counts(result) == (max(before, after), *counts(cost)[1:])
        if root == 0:
            assert_costs(result, cost)


@each_size_and_257
@pytest.mark.parametrize(("algorithm", "closed"), ALLREDUCES, ids=name)
def test_an_allreduce_folds_in_rank_order_and_costs_what_it_says(
    algorithm: Callable[..., Steps[Result]], closed: Closed, size: int
) -> None:
    result = simulate(
        lambda rank, n: algorithm(rank, n, (rank,), operator.add), size, measure=weigh
    )
    assert result.results == (tuple(range(size)),) * size
    assert_costs(result, closed(size, M))


@pytest.mark.parametrize(("algorithm", "closed"), ALLREDUCES[:3], ids=name)
def test_an_allreduce_costs_what_it_says_among_thousands(
    algorithm: Callable[..., Steps[int]], closed: Closed
) -> None:
    size = 4093
    result = simulate(lambda rank, n: algorithm(rank, n, rank, operator.add), size)
    assert set(result.results) == {size * (size - 1) // 2}
    assert_costs(result, closed(size, 8))


def test_an_allreduce_of_16384_ranks_takes_14_rounds() -> None:
    size = 16_384

    def steps(rank: int, n: int) -> Steps[int]:
        return allreduce.recursive_doubling(rank, n, rank, operator.add)

    result = simulate(steps, size)
    assert set(result.results) == {size * (size - 1) // 2}
    assert counts(result) == (14, 229_376, 229_376 * 8, 229_376)


@each_size
@pytest.mark.parametrize(("algorithm", "_"), ALLREDUCES, ids=name)
def test_an_allreduce_gives_every_rank_the_same_bits(
    algorithm: Callable[..., Steps[float]], _: Closed, size: int
) -> None:
    def steps(rank: int, n: int) -> Steps[float]:
        return algorithm(rank, n, 10.0 ** (rank % 17) / 3, operator.add)

    assert len(set(simulate(steps, size).results)) == 1


@each_size_and_1021
def test_a_scan_folds_what_is_below_and_costs_what_it_says(size: int) -> None:
    def inclusive(rank: int, n: int) -> Steps[Result]:
        return scan.recursive_doubling(rank, n, (rank,), operator.add)

    def exclusive(rank: int, n: int) -> Steps[Result | None]:
        return scan.exclusive(rank, n, (rank,), operator.add)

    cost = scan.doubling_cost(size, M)
    result = simulate(inclusive, size, measure=weigh)
    assert result.results == tuple(tuple(range(rank + 1)) for rank in range(size))
    assert_costs(result, cost)
    before = simulate(exclusive, size, measure=weigh)
    assert before.results[0] is None
    assert before.results[1:] == tuple(tuple(range(rank)) for rank in range(1, size))
    assert_costs(before, cost)


@each_size
def test_reductions_leave_operands_as_they_are(size: int) -> None:
    for function in (
        *(algorithm for algorithm, _ in ALLREDUCES),
        reduce.binomial,
        reduce.direct,
        scan.recursive_doubling,
        scan.exclusive,
    ):
        operands = [[rank] for rank in range(size)]
        algorithm: Callable[..., Steps[Any]] = function

        def steps(
            rank: int,
            n: int,
            algorithm: Callable[..., Steps[Any]] = algorithm,
            operands: list[list[int]] = operands,
        ) -> Steps[Any]:
            return algorithm(rank, n, operands[rank], operator.add)

        simulate(steps, size)
        assert operands == [[rank] for rank in range(size)]
