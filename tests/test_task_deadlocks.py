"""Circles of waits, against every path tried."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from serverless_dist.tasks.deadlocks import find_cycle

GRAPHS = st.integers(1, 7).flatmap(
    lambda size: st.lists(
        st.lists(st.integers(0, size - 1), max_size=3), min_size=size, max_size=size
    )
)


def is_on_a_circle(graph: list[list[int]], path: tuple[int, ...]) -> bool:
    """Try every path without a node twice."""
    return any(
        each == path[0] or (each not in path and is_on_a_circle(graph, (*path, each)))
        for each in graph[path[-1]]
    )


@given(GRAPHS)
def test_a_circle_is_found_exactly_where_one_of_all_paths_is_one(
    graph: list[list[int]],
) -> None:
    for start in range(len(graph)):
        cycle = find_cycle(start, graph.__getitem__)
        assert (cycle is not None) == is_on_a_circle(graph, (start,))
        if cycle is not None:
            assert cycle[0] == start
            assert len(set(cycle)) == len(cycle)
            following = [*cycle[1:], start]
            assert all(b in graph[a] for a, b in zip(cycle, following, strict=True))


def test_a_task_that_waits_for_itself_is_a_circle() -> None:
    assert find_cycle(7, lambda _: [7]) == [7]


def test_a_circle_that_does_not_go_through_the_task_is_not_its_own() -> None:
    waits = {1: [2], 2: [3], 3: [2]}
    assert find_cycle(1, waits.__getitem__) is None
    assert find_cycle(2, waits.__getitem__) == [2, 3]


@pytest.mark.parametrize("is_closed", [True, False])
def test_depth_is_not_limited_by_the_stack(*, is_closed: bool) -> None:
    length = 100_000
    end = [0] if is_closed else []
    cycle = find_cycle(0, lambda task: [task + 1] if task + 1 < length else end)
    assert cycle == (list(range(length)) if is_closed else None)


def test_every_task_is_looked_at_once() -> None:
    looked: list[int] = []

    def waits_for(task: int) -> range:  # 2^20 paths
        looked.append(task)
        first = 2 * (task // 2) + 2
        return range(first, first + 2) if task < 40 else range(0)

    assert find_cycle(1, waits_for) is None
    assert len(looked) == len(set(looked)) == 41
