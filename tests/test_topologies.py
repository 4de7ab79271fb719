"""Grids and graphs: pure values, checked against the definitions."""

import math
from collections import Counter
from itertools import product

import pytest
from hypothesis import given, strategies as st

from serverless_dist.comm.constants import PROC_NULL
from serverless_dist.comm.exceptions import (
    ERR_ARG,
    ERR_DIMS,
    ERR_RANK,
    ERR_TOPOLOGY,
    MPIError,
)
from serverless_dist.comm.topology.dims import Compute_dims
from serverless_dist.comm.topology.edges import (
    UNWEIGHTED,
    WEIGHTS_EMPTY,
    Named,
    Weights,
    adjacency,
    adjacent_graph,
)
from serverless_dist.comm.topology.topologies import Cartesian, DistGraph, Graph

dimension = st.tuples(st.integers(1, 4), st.booleans())
grids = st.lists(dimension, max_size=4).map(
    lambda pairs: Cartesian.of([d for d, _ in pairs], [p for _, p in pairs])
)


@given(grids)
def test_ranks_and_coordinates_are_inverse_and_the_last_runs_fastest(
    grid: Cartesian,
) -> None:
    everywhere = product(*(range(dim) for dim in grid.dims))
    for rank, coords in enumerate(everywhere):
        assert grid.coords(rank) == list(coords)
        assert grid.rank(coords) == rank
    assert grid.size == math.prod(grid.dims)


@given(grids, st.integers(-6, 6))
def test_whom_a_rank_sends_to_when_all_shift_receives_from_it(
    grid: Cartesian, disp: int
) -> None:
    for rank, direction in product(range(grid.size), range(len(grid.dims))):
        source, dest = grid.shift(rank, direction, disp)
        if source != PROC_NULL:
            assert grid.shift(source, direction, disp)[1] == rank
        if dest != PROC_NULL:
            assert grid.shift(dest, direction, disp)[0] == rank
        if grid.periods[direction]:
            assert PROC_NULL not in (source, dest)
        at = grid.coords(rank)[direction] + disp
        inside = 0 <= at < grid.dims[direction] or bool(grid.periods[direction])
        assert inside == (dest != PROC_NULL)


@given(grids)
def test_neighbours_are_the_lower_and_the_upper_one_in_each_dimension(
    grid: Cartesian,
) -> None:
    for rank in range(grid.size):
        sources, dests = grid.neighbors(rank)
        assert sources == dests
        assert len(sources) == 2 * len(grid.dims)
        for direction in range(len(grid.dims)):
            lower, upper = sources[2 * direction : 2 * direction + 2]
            assert lower == grid.shift(rank, direction, -1)[1]
            assert upper == grid.shift(rank, direction, 1)[1]


@given(grids, st.data())
def test_parts_of_a_grid_keep_the_coordinates_of_their_dimensions(
    grid: Cartesian, data: st.DataObject
) -> None:
    count = len(grid.dims)
    remain = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    seen = set()
    for rank in range(grid.size):
        part, color, key = grid.sub(rank, remain)
        coords = grid.coords(rank)
        kept = [c for c, keep in zip(coords, remain, strict=True) if keep]
        assert part.coords(key) == kept
        assert part.dims == tuple(
            d for d, keep in zip(grid.dims, remain, strict=True) if keep
        )
        assert 0 <= color < grid.size // part.size
        seen.add((color, key))
    assert len(seen) == grid.size


def class_of(error: pytest.ExceptionInfo[MPIError]) -> int:
    return int(error.value)


def test_mistakes_about_grids_have_their_classes() -> None:
    grid = Cartesian.of([2, 2], [True, False])
    assert grid.rank([-1, 1]) == 3
    for coords in ([0, 2], [0, -1], [0], [0, 0, 0]):
        with pytest.raises(MPIError) as caught:
            grid.rank(coords)
        assert class_of(caught) == ERR_ARG
    for rank in (-1, 4):
        with pytest.raises(MPIError) as caught:
            grid.coords(rank)
        assert class_of(caught) == ERR_RANK
    for direction in (-1, 2):
        with pytest.raises(MPIError) as caught:
            grid.shift(0, direction, 1)
        assert class_of(caught) == ERR_ARG
    for dims in ([0], [2, -1]):
        with pytest.raises(MPIError) as caught:
            Cartesian.of(dims)
        assert class_of(caught) == ERR_DIMS
    for periods in ([], [False, False]):
        with pytest.raises(ValueError, match="periods"):
            Cartesian.of([4], periods)


@pytest.mark.parametrize("periods", [None, False, True])
def test_one_period_may_stand_for_all(periods: bool | None) -> None:  # noqa: FBT001
    assert Cartesian.of([2, 3], periods).periods == (int(bool(periods)),) * 2


def test_a_grid_without_dimensions_has_one_rank() -> None:
    grid = Cartesian.of([])
    assert (grid.size, grid.coords(0), grid.rank([])) == (1, [], 0)
    assert grid.neighbors(0) == ((), ())
    assert grid.sub(0, []) == (grid, 0, 0)


@given(st.lists(st.lists(st.integers(0, 3), max_size=4), min_size=4, max_size=4))
def test_both_forms_of_a_graph_are_the_same(lists: list[list[int]]) -> None:
    edges = [edge for part in lists for edge in part]
    index = [sum(map(len, lists[: n + 1])) for n in range(4)]
    graph = Graph.of([0, *index], edges)
    if lists[0]:
        assert Graph.of(index, edges) == graph
    assert graph.size == len(lists)
    for rank, part in enumerate(lists):
        assert graph.adjacent(rank) == tuple(part)
        assert graph.neighbors(rank) == (tuple(part), tuple(part))


@pytest.mark.parametrize(
    ("index", "edges"),
    [([2, 1], [0, 0]), ([1, 3], [0, 1]), ([1, 2], [0, 2]), ([-1], [])],
)
def test_graphs_that_make_no_sense_are_refused(
    index: list[int], edges: list[int]
) -> None:
    with pytest.raises(MPIError) as caught:
        Graph.of(index, edges)
    assert class_of(caught) == ERR_ARG


def test_only_ranks_of_the_graph_have_neighbours() -> None:
    with pytest.raises(MPIError) as caught:
        Graph.of([1, 2], [1, 0]).adjacent(2)
    assert class_of(caught) == ERR_RANK


edge = st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 9))
contributions = st.lists(st.lists(edge, max_size=6), min_size=5, max_size=5)


def named(edges: list[tuple[int, int, int]], *, weighted: bool) -> Named:
    weights = [weight for _, _, weight in edges] if weighted else None
    return [e[0] for e in edges], [1] * len(edges), [e[1] for e in edges], weights


@given(contributions, st.booleans())
def test_every_edge_is_known_at_both_its_ends(
    parts: list[list[tuple[int, int, int]]],
    weighted: bool,  # noqa: FBT001
) -> None:
    everyone = [named(part, weighted=weighted) for part in parts]
    graphs = [adjacency(everyone, rank, 5) for rank in range(5)]
    edges = Counter(edge if weighted else edge[:2] for part in parts for edge in part)
    into: Counter[tuple[int, ...]] = Counter()
    out: Counter[tuple[int, ...]] = Counter()
    for rank, graph in enumerate(graphs):
        assert graph.neighbors(rank) == (graph.sources, graph.destinations)
        assert (graph.weights is not None) == weighted
        loads = graph.weights or ((), ())
        into.update(
            (source, rank, *loads[0][n : n + 1])
            for n, source in enumerate(graph.sources)
        )
        out.update(
            (rank, dest, *loads[1][n : n + 1])
            for n, dest in enumerate(graph.destinations)
        )
    assert into == out == edges


@given(contributions)
def test_both_ends_list_parallel_edges_alike(
    parts: list[list[tuple[int, int, int]]],
) -> None:
    everyone = [named(part, weighted=True) for part in parts]
    graphs = [adjacency(everyone, rank, 5) for rank in range(5)]
    for start, end in product(range(5), repeat=2):
        ours, theirs = graphs[start], graphs[end]
        assert ours.weights is not None
        assert theirs.weights is not None
        sent = [
            weight
            for dest, weight in zip(ours.destinations, ours.weights[1], strict=True)
            if dest == end
        ]
        received = [
            weight
            for source, weight in zip(theirs.sources, theirs.weights[0], strict=True)
            if source == start
        ]
        assert sent == received


def test_several_edges_may_leave_one_source() -> None:
    everyone: list[Named] = [
        ([3, 0, 1], [2, 1, 2], [0, 1, 2, 3, 3], [0, 1, 2, 3, 4]),
        ([], [], [], None),
        ([0, 2], [2, 1], [1, 3, 3], [20, 21, 22]),
        ([], [], [], WEIGHTS_EMPTY),
    ]
    assert adjacency(everyone, 0, 4) == DistGraph((3,), (2, 1, 3), ((0,), (2, 20, 21)))
    assert adjacency(everyone, 3, 4) == DistGraph(
        (1, 1, 0, 2), (0, 1), ((3, 4, 21, 22), (0, 1))
    )


@pytest.mark.parametrize(
    ("weights", "expected"),
    [(None, None), (UNWEIGHTED, None), ([], ((), ())), (WEIGHTS_EMPTY, ((), ()))],
)
def test_a_graph_without_edges_may_have_weights(
    weights: Weights, expected: object
) -> None:
    assert adjacency([([], [], [], weights)] * 2, 1, 2).weights == expected


@pytest.mark.parametrize(
    ("everyone", "error"),
    [
        ([([0], [1], [1], [5]), ([1], [1], [0], None)], ERR_TOPOLOGY),
        ([([2], [1], [1], None)], ERR_RANK),
        ([([0], [1], [2], None)], ERR_RANK),
        ([([0, 1], [1], [1], None)], ERR_ARG),
        ([([0], [-1], [], None)], ERR_ARG),
        ([([0], [2], [1], None)], ERR_ARG),
        ([([0], [1], [1], [])], ERR_ARG),
        ([([0], [1], [1], [-5])], ERR_ARG),
        ([([0], [1], [1], WEIGHTS_EMPTY)], ERR_ARG),
    ],
)
def test_edges_that_make_no_sense_are_refused(
    everyone: list[Named], error: int
) -> None:
    with pytest.raises(MPIError) as caught:
        adjacency(everyone, 0, 2)
    assert class_of(caught) == error


def test_a_rank_may_name_its_own_neighbours() -> None:
    assert adjacent_graph([1, 0], [2], ([5, 6], [7]), 3) == DistGraph(
        (1, 0), (2,), ((5, 6), (7,))
    )
    assert adjacent_graph([1], None, (UNWEIGHTED, None), 3) == DistGraph((1,), ())
    empty = (WEIGHTS_EMPTY, WEIGHTS_EMPTY)
    assert adjacent_graph([], [], empty, 3) == DistGraph((), (), ((), ()))
    assert adjacent_graph([], [], (None, WEIGHTS_EMPTY), 3) == DistGraph((), ())


@pytest.mark.parametrize(
    ("sources", "weights", "error"),
    [
        ([3], (None, None), ERR_RANK),
        ([0], ([1], None), ERR_TOPOLOGY),
        ([0], ([], []), ERR_ARG),
        ([0], (WEIGHTS_EMPTY, WEIGHTS_EMPTY), ERR_ARG),
    ],
)
def test_neighbours_that_make_no_sense_are_refused(
    sources: list[int], weights: tuple[Weights, Weights], error: int
) -> None:
    with pytest.raises(MPIError) as caught:
        adjacent_graph(sources, [], weights, 3)
    assert class_of(caught) == error


def test_a_number_is_no_list_of_weights() -> None:
    with pytest.raises(TypeError, match="weights are 3"):
        adjacent_graph([0], [0], (3, 3), 1)


@pytest.mark.parametrize(
    ("nnodes", "dims", "expected"),
    [
        (6, 2, [3, 2]),
        (6, [3, 0], [3, 2]),
        (7, 3, [7, 1, 1]),
        (12, [0, 2, 0], [3, 2, 2]),
        (6, [2, 3], [2, 3]),
        (16, 3, [4, 2, 2]),
        (72, 3, [6, 4, 3]),
        (2310, 4, [11, 7, 6, 5]),
        (5040, 4, [10, 9, 8, 7]),
        (96, 4, [4, 4, 3, 2]),
        (2**20, 10, [4] * 10),
        (720720, 8, [13, 11, 7, 5, 4, 4, 3, 3]),
        (6, 0, []),
        (6, [1, 0], [1, 6]),
    ],
)
def test_dimensions_are_as_mpich_chooses_them(
    nnodes: int, dims: int | list[int], expected: list[int]
) -> None:
    assert Compute_dims(nnodes, dims) == expected


@given(st.integers(1, 600), st.integers(1, 5))
def test_dimensions_fall_and_no_others_are_closer(nnodes: int, count: int) -> None:
    dims = Compute_dims(nnodes, count)
    assert math.prod(dims) == nnodes
    assert dims == sorted(dims, reverse=True)
    assert dims == min(falling(nnodes, count, nnodes))


def falling(number: int, count: int, limit: int) -> list[list[int]]:
    if count == 0:
        return [[]] if number == 1 else []
    return [
        [first, *rest]
        for first in range(1, min(number, limit) + 1)
        if number % first == 0
        for rest in falling(number // first, count - 1, first)
    ]


@pytest.mark.parametrize(
    ("nnodes", "dims", "error"),
    [
        (0, [0], ERR_ARG),
        (-1, 2, ERR_ARG),
        (6, [4, 0], ERR_DIMS),
        (6, [2, 2], ERR_DIMS),
        (6, [-1, 0], ERR_DIMS),
    ],
)
def test_dimensions_that_do_not_fit_are_refused(
    nnodes: int, dims: int | list[int], error: int
) -> None:
    with pytest.raises(MPIError) as caught:
        Compute_dims(nnodes, dims)
    assert class_of(caught) == error
