"""Algorithms that pass data on unseen: results, and the cost that their header says."""

from collections.abc import Callable
from typing import Any

import pytest

from serverless_dist.comm.algorithms import (
    allgather,
    alltoall,
    barrier,
    bcast,
    gather,
    scatter,
)
from serverless_dist.comm.algorithms.costs import Cost
from serverless_dist.comm.steps import Exchange, Recv, Send, Steps
from serverless_dist.errors import UsageError
from serverless_dist.testing.simulate import simulate
from tests.simulated import (
    M,
    assert_costs,
    datum,
    each_size,
    each_size_and_257,
    each_size_and_1021,
    roots,
)

BARRIERS = [
    (barrier.dissemination, barrier.dissemination_cost),
    (barrier.gather_bcast, barrier.gather_bcast_cost),
]
BCASTS = [
    (bcast.binomial, bcast.binomial_cost),
    (bcast.multicast, bcast.multicast_cost),
]
SCATTERS = [
    (scatter.binomial, scatter.binomial_cost),
    (scatter.direct, scatter.direct_cost),
]
GATHERS = [
    (gather.binomial, gather.binomial_cost),
    (gather.direct, gather.direct_cost),
]
ALLGATHERS = [
    (allgather.recursive_doubling, allgather.doubling_cost),
    (allgather.bruck, allgather.doubling_cost),
    (allgather.ring, allgather.ring_cost),
    (allgather.multicast, allgather.multicast_cost),
]
ALLTOALLS = [
    (alltoall.posted, alltoall.posted_cost),
    (alltoall.pairwise, alltoall.pairwise_cost),
    (alltoall.bruck, alltoall.bruck_cost),
]
Closed = Callable[[int, int], Cost]


def name(value: object) -> str:
    return getattr(value, "__name__", str(value)) if callable(value) else str(value)


def watched(steps: Steps[None], rank: int) -> Steps[set[int]]:
    """Replace all data by the set of ranks that the sender has heard of."""
    known = {rank}
    answer: Any = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration:
            return known
        match step:
            case Send(dest):
                answer = yield Send(dest, frozenset(known))
            case Recv():
                known |= yield step
            case Exchange(sends, recvs):
                told = tuple(Send(send.dest, frozenset(known)) for send in sends)
                known = known.union(*(yield Exchange(told, recvs)))
                answer = [None] * len(recvs)


@each_size_and_1021
@pytest.mark.parametrize(("algorithm", "closed"), BARRIERS, ids=name)
def test_a_barrier_costs_what_it_says(
    algorithm: Callable[[int, int], Steps[None]], closed: Closed, size: int
) -> None:
    result = simulate(algorithm, size)
    assert result.results == (None,) * size
    assert_costs(result, closed(size, 0))


@each_size
@pytest.mark.parametrize(("algorithm", "_"), BARRIERS, ids=name)
def test_nobody_leaves_a_barrier_before_all_have_entered(
    algorithm: Callable[[int, int], Steps[None]], _: Closed, size: int
) -> None:
    result = simulate(lambda r, n: watched(algorithm(r, n), r), size, measure=len)
    assert result.results == (set(range(size)),) * size


@each_size_and_1021
@pytest.mark.parametrize(("algorithm", "closed"), BCASTS, ids=name)
def test_a_bcast_costs_what_it_says_from_every_root(
    algorithm: Callable[..., Steps[bytes]], closed: Closed, size: int
) -> None:
    for root in roots(size):

        def steps(rank: int, n: int, root: int = root) -> Steps[bytes]:
            data = datum(root) if rank == root else b"not looked at"
            return algorithm(rank, n, data, root)

        result = simulate(steps, size)
        assert result.results == (datum(root),) * size
        assert_costs(result, closed(size, M))


@each_size_and_1021
@pytest.mark.parametrize(("algorithm", "closed"), SCATTERS, ids=name)
def test_a_scatter_costs_what_it_says_from_every_root(
    algorithm: Callable[..., Steps[bytes]], closed: Closed, size: int
) -> None:
    items = [datum(rank) for rank in range(size)]
    for root in roots(size):

        def steps(rank: int, n: int, root: int = root) -> Steps[bytes]:
            return algorithm(rank, n, items if rank == root else (), root)

        result = simulate(steps, size)
        assert result.results == tuple(items)
        assert_costs(result, closed(size, M))


@each_size_and_1021
@pytest.mark.parametrize(("algorithm", "closed"), GATHERS, ids=name)
def test_a_gather_costs_what_it_says_at_every_root(
    algorithm: Callable[..., Steps[list[bytes] | None]], closed: Closed, size: int
) -> None:
    items = [datum(rank) for rank in range(size)]
    for root in roots(size):

        def steps(rank: int, n: int, root: int = root) -> Steps[list[bytes] | None]:
            return algorithm(rank, n, datum(rank), root)

        result = simulate(steps, size)
        assert result.results[root] == items
        assert result.results.count(None) == size - 1
        assert_costs(result, closed(size, M))


@each_size_and_257
@pytest.mark.parametrize(("algorithm", "closed"), ALLGATHERS, ids=name)
def test_an_allgather_costs_what_it_says(
    algorithm: Callable[..., Steps[list[int]]], closed: Closed, size: int
) -> None:
    if algorithm is allgather.recursive_doubling and size & (size - 1):
        with pytest.raises(UsageError, match=f"powers of two, not for {size} ranks"):
            simulate(lambda rank, n: algorithm(rank, n, rank), size)
        return
    result = simulate(
        lambda rank, n: algorithm(rank, n, rank), size, measure=lambda b: M * len(b)
    )
    assert result.results == (list(range(size)),) * size
    assert_costs(result, closed(size, M))


@pytest.mark.parametrize(
    ("algorithm", "closed", "size"),
    [
        (allgather.recursive_doubling, allgather.doubling_cost, 1024),
        (allgather.bruck, allgather.doubling_cost, 1021),
    ],
    ids=name,
)
def test_an_allgather_costs_what_it_says_among_a_thousand(
    algorithm: Callable[..., Steps[list[int]]], closed: Closed, size: int
) -> None:
    result = simulate(
        lambda rank, n: algorithm(rank, n, rank), size, measure=lambda b: M * len(b)
    )
    assert result.results == (list(range(size)),) * size
    assert_costs(result, closed(size, M))


@each_size
@pytest.mark.parametrize(("algorithm", "_"), ALLGATHERS, ids=name)
def test_an_allgather_takes_items_of_any_size(
    algorithm: Callable[..., Steps[list[bytes]]], _: Closed, size: int
) -> None:
    if algorithm is allgather.recursive_doubling and size & (size - 1):
        return
    result = simulate(lambda rank, n: algorithm(rank, n, bytes(3 * rank)), size)
    assert result.results == ([bytes(3 * rank) for rank in range(size)],) * size


@each_size_and_257
@pytest.mark.parametrize(("algorithm", "closed"), ALLTOALLS, ids=name)
def test_an_alltoall_costs_what_it_says(
    algorithm: Callable[..., Steps[list[int]]], closed: Closed, size: int
) -> None:
    result = simulate(
        lambda rank, n: algorithm(rank, n, range(rank * n, rank * n + n)),
        size,
        measure=lambda bundle: M * len(bundle),
    )
    for rank in range(size):
        assert result.results[rank] == [source * size + rank for source in range(size)]
    assert_costs(result, closed(size, M))


def test_bruck_costs_what_it_says_among_a_thousand() -> None:
    size = 1021
    items = list(range(size))
    result = simulate(
        lambda rank, n: alltoall.bruck(rank, n, items),
        size,
        measure=lambda bundle: M * len(bundle),
    )
    assert result.results[7] == [7] * size
    assert_costs(result, alltoall.bruck_cost(size, M))


@pytest.mark.parametrize("size", [2, 5, 8])
def test_messages_that_are_passed_on_are_lists_of_items(size: int) -> None:
    """So that a channel can carry items which it never decodes."""

    def weigh(data: object) -> int:
        assert isinstance(data, list)
        return len(data)

    items = [datum(rank) for rank in range(size)]
    calls: list[tuple[Callable[..., Steps[Any]], Any]] = []
    calls += [(algorithm, items) for algorithm, _ in [*SCATTERS, *ALLTOALLS]]
    calls += [(algorithm, b"") for algorithm, _ in GATHERS]
    calls += [(algorithm, b"") for algorithm, _ in ALLGATHERS[1:]]
    for algorithm, data in calls:

        def steps(
            rank: int,
            n: int,
            algorithm: Callable[..., Steps[Any]] = algorithm,
            data: Any = data,
        ) -> Steps[Any]:
            return algorithm(rank, n, data)

        simulate(steps, size, measure=weigh)
