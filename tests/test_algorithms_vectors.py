"""Algorithms that cut vectors: order, results, and the cost in their header."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from serverless_dist.comm.algorithms import bcast, reduce, reduce_scatter, vectors
from serverless_dist.comm.steps import Steps
from serverless_dist.testing.simulate import simulate
from tests.simulated import (
    assert_costs,
    counts,
    each_size,
    each_size_and_257,
    each_size_and_1021,
    folded,
    numbers,
    roots,
    total,
    vector_bytes,
    words,
)
from tests.test_algorithms_objects import Closed, name

REDUCE_SCATTERS = [
    (reduce_scatter.recursive_halving, reduce_scatter.recursive_halving_cost),
    (reduce_scatter.pairwise, reduce_scatter.pairwise_cost),
    (reduce_scatter.posted, reduce_scatter.posted_cost),
]
Vector = NDArray[Any]


def lengths(size: int) -> list[int]:
    return [0, 1, size - 1, size, size + 1, 50]


def places(size: int) -> int:
    return 1 << (size.bit_length() - 1)


@each_size
def test_a_bcast_of_blocks_gives_all_the_roots_vector(size: int) -> None:
    for root in roots(size):
        for length in lengths(size):

            def steps(
                rank: int, n: int, root: int = root, length: int = length
            ) -> Steps[Vector]:
                return bcast.scatter_allgather(rank, n, numbers(rank, length), root)

            for vector in simulate(steps, size, measure=vector_bytes).results:
                assert vector.tolist() == numbers(root, length).tolist()
                assert vector.dtype == np.int64


@each_size_and_1021
def test_a_bcast_of_blocks_costs_what_it_says(size: int) -> None:
    data = numbers(0, size)
    result = simulate(
        lambda r, n: bcast.scatter_allgather(r, n, data), size, measure=vector_bytes
    )
    assert_costs(result, bcast.scatter_allgather_cost(size, 8 * size))


@each_size
def test_rabenseifners_reduce_folds_in_rank_order_whatever_the_root(size: int) -> None:
    for root in roots(size):
        for length in lengths(size):

            def steps(
                rank: int, n: int, root: int = root, length: int = length
            ) -> Steps[Vector | None]:
                data = words(rank, length)
                return reduce.reduce_scatter_gather(rank, n, data, operator.add, root)

            results = simulate(steps, size, measure=vector_bytes).results
            assert sum(result is None for result in results) == size - 1
            vector = results[root]
            assert vector is not None
            assert vector.tolist() == folded(size, length)


@each_size_and_1021
def test_rabenseifners_reduce_costs_what_it_says(size: int) -> None:
    length = 2 * places(size)
    cost = reduce.reduce_scatter_gather_cost(size, 8 * length)
    for root in roots(size):

        def steps(rank: int, n: int, root: int = root) -> Steps[Vector | None]:
            data = numbers(rank, length)
            return reduce.reduce_scatter_gather(rank, n, data, operator.add, root)

        result = simulate(steps, size, measure=vector_bytes)
        vector = result.results[root]
        assert vector is not None
        assert vector.tolist() == total(size, length)
        assert counts(result)[1:] == counts(cost)[1:]
        extra = size - places(size)
        rounds = cost.rounds - (extra > 0) + (root < 2 * extra)
        assert result.rounds == rounds
        if root == 0:
            assert_costs(result, cost)


@each_size
def test_rabenseifners_allreduce_folds_in_rank_order(size: int) -> None:
    for length in lengths(size):

        def steps(rank: int, n: int, length: int = length) -> Steps[Vector]:
            return vectors.rabenseifner(rank, n, words(rank, length), operator.add)

        for vector in simulate(steps, size, measure=vector_bytes).results:
            assert vector.tolist() == folded(size, length)


@each_size_and_1021
def test_rabenseifners_allreduce_costs_what_it_says(size: int) -> None:
    length = places(size)

    def steps(rank: int, n: int) -> Steps[Vector]:
        return vectors.rabenseifner(rank, n, numbers(rank, length), operator.add)

    result = simulate(steps, size, measure=vector_bytes)
    assert result.results[-1].tolist() == total(size, length)
    assert_costs(result, vectors.rabenseifner_cost(size, 8 * length))


@each_size
def test_a_ring_folds_vectors_of_any_length(size: int) -> None:
    for length in lengths(size):

        def steps(rank: int, n: int, length: int = length) -> Steps[Vector]:
            return vectors.ring(rank, n, numbers(rank, length), operator.add)

        for vector in simulate(steps, size, measure=vector_bytes).results:
            assert vector.tolist() == total(size, length)


@each_size_and_257
def test_a_ring_costs_what_it_says(size: int) -> None:
    def steps(rank: int, n: int) -> Steps[Vector]:
        return vectors.ring(rank, n, numbers(rank, n), operator.add)

    result = simulate(steps, size, measure=vector_bytes)
    assert_costs(result, vectors.ring_cost(size, 8 * size))


@each_size
@pytest.mark.parametrize("algorithm", [vectors.ring, vectors.rabenseifner], ids=name)
def test_all_ranks_get_the_same_bits(
    algorithm: Callable[..., Steps[Vector]], size: int
) -> None:
    def steps(rank: int, n: int) -> Steps[Vector]:
        data = 10.0 ** ((np.arange(40) + rank) % 17) / 3
        return algorithm(rank, n, data, operator.add)

    assert (
        len(
            {
                vector.tobytes()
                for vector in simulate(steps, size, measure=vector_bytes).results
            }
        )
        == 1
    )


@each_size
@pytest.mark.parametrize(("algorithm", "_"), REDUCE_SCATTERS, ids=name)
def test_a_reduce_scatter_folds_in_rank_order_and_deals_any_counts(
    algorithm: Callable[..., Steps[Vector]], _: Closed, size: int
) -> None:
    for dealt in (
        [(5 * rank) % 4 for rank in range(size)],  # some get nothing
        [0] * size,
        [0] * (size - 1) + [7],
    ):

        def steps(rank: int, n: int, dealt: list[int] = dealt) -> Steps[Vector]:
            return algorithm(rank, n, words(rank, sum(dealt)), dealt, operator.add)

        result = simulate(steps, size, measure=vector_bytes)
        assert [len(block) for block in result.results] == dealt
        assert np.concatenate(result.results).tolist() == folded(size, sum(dealt))


@each_size_and_257
@pytest.mark.parametrize(("algorithm", "closed"), REDUCE_SCATTERS, ids=name)
def test_a_reduce_scatter_costs_what_it_says(
    algorithm: Callable[..., Steps[Vector]], closed: Closed, size: int
) -> None:
    def steps(rank: int, n: int) -> Steps[Vector]:
        return algorithm(rank, n, numbers(rank, n), [1] * n, operator.add)

    assert_costs(simulate(steps, size, measure=vector_bytes), closed(size, 8 * size))


def test_recursive_halving_costs_what_it_says_among_a_thousand() -> None:
    size = 1021

    def steps(rank: int, n: int) -> Steps[Vector]:
        data = numbers(rank, n)
        return reduce_scatter.recursive_halving(rank, n, data, [1] * n, operator.add)

    cost = reduce_scatter.recursive_halving_cost(size, 8 * size)
    assert_costs(simulate(steps, size, measure=vector_bytes), cost)


@pytest.mark.parametrize("size", [2, 4, 8])
def test_a_large_vector_is_cut_without_being_copied(size: int) -> None:
    """What a rank sends before it has received anything is a view of its data."""
    data = numbers(0, 64)
    for steps in (
        vectors.rabenseifner(0, size, data, operator.add),
        vectors.ring(0, size, data, operator.add),
        reduce.reduce_scatter_gather(0, size, data, operator.add),
        bcast.scatter_allgather(0, size, data),
    ):
        step = next(steps)
        sent = step.sends[0].data  # type: ignore[union-attr]
        assert np.shares_memory(sent, data)
