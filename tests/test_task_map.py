"""`map` and `starmap` in workers: order, batches, errors and early ends."""

import threading
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

import serverless_dist as sd
from tests.gates import Gate
from tests.stores import directory, wait_until_empty

SIZES = [0, 1, 2, 7, 33, 1_000]


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    with sd.init("local", workers=2):
        yield


def square(x: int) -> int:
    return x * x


def inverse(x: int) -> float:
    return 1 / x


@sd.remote
def add(x: int, y: int = 1) -> int:
    return x + y


@pytest.mark.parametrize("chunksize", [None, 1, 10])
@pytest.mark.parametrize("size", SIZES)
def test_results_come_in_order(size: int, chunksize: int | None) -> None:
    results = sd.map(square, range(size), chunksize=chunksize)
    assert list(results) == [x * x for x in range(size)]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(), st.integers())), st.none() | st.integers(1, 9))
def test_starmap_takes_arguments_as_they_are(
    pairs: list[tuple[int, int]], chunksize: int | None
) -> None:
    expected = [x + y for x, y in pairs]
    assert list(sd.starmap(add, pairs, chunksize=chunksize)) == expected
    columns = zip(*pairs, strict=True) if pairs else ((), ())
    assert list(sd.map(add, *columns, chunksize=chunksize)) == expected


def test_the_shortest_iterable_ends_it() -> None:
    assert list(sd.map(add, [1, 2, 3], count())) == [1, 3, 5]
    assert list(sd.map(square)) == []


def test_results_with_refs_inside_and_large_ones() -> None:
    refs = list(sd.map(lambda x: sd.put(bytes(x)), [100_000] * 3))
    assert [len(sd.get(ref)) for ref in refs] == [100_000] * 3
    assert sum(map(len, sd.map(bytes, [100_000] * 5))) == 500_000
    del refs
    wait_until_empty(directory())


def test_endless_iterables_are_consumed_as_far_as_needed() -> None:
    assert list(islice(sd.map(square, count()), 100)) == [x * x for x in range(100)]
    items = count()
    results = sd.map(square, items)
    assert next(results) == 0
    assert next(items) < 1_000


def test_an_error_comes_after_the_results_before_it() -> None:
    results = sd.map(inverse, [1, 2, 0, 4], chunksize=4)
    assert [next(results), next(results)] == [1.0, 0.5]
    with pytest.raises(sd.RemoteError, match="inverse raised ZeroDivisionError") as e:
        next(results)
    assert isinstance(e.value, ZeroDivisionError)
    assert list(results) == []


def test_an_iterable_that_raises_raises_here() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise LookupError

    with pytest.raises(LookupError):
        list(sd.map(square, items()))


def test_what_cannot_travel_is_refused() -> None:
    with pytest.raises(sd.UnpicklableError):
        list(sd.map(square, [threading.Lock()]))


def test_a_timeout_holds_for_all_of_it(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    results = sd.map(
        lambda each: each and each.pass_through(), [None, gate], timeout=0.3
    )
    assert next(results) is None
    with pytest.raises(TimeoutError, match=r"0\.3 s"):
        next(results)


def test_a_map_that_is_dropped_is_cancelled(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    results = sd.map(
        lambda each: each and each.pass_through(), [None, gate, None], chunksize=1
    )
    assert next(results) is None
    gate.wait_for_arrival()
    del results
    assert list(sd.map(square, range(4))) == [0, 1, 4, 9]


def test_refs_among_the_items_stay_refs() -> None:
    refs = [sd.put(number) for number in range(3)]
    assert list(sd.map(lambda ref: sd.get(ref), refs)) == [0, 1, 2]


def test_a_task_may_map() -> None:
    @sd.remote
    def maps(size: int) -> int:
        return sum(sd.map(square, range(size)))

    assert sd.get(maps.remote(100)) == sum(x * x for x in range(100))


def test_a_batch_whose_worker_dies_is_run_again(tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    def dies_once(x: int) -> int:
        import os

        if x == 5 and not mark.exists():
            mark.touch()
            os._exit(1)
        return x

    assert list(sd.map(dies_once, range(20), chunksize=4)) == list(range(20))


@pytest.mark.parametrize("chunksize", [0, -1, 1.5, True, "1"])
def test_a_wrong_chunksize_is_refused_at_once(chunksize: Any) -> None:
    with pytest.raises(sd.UsageError, match="chunksize is"):
        sd.map(square, [1], chunksize=chunksize)


def test_only_functions_can_be_mapped() -> None:
    with pytest.raises(TypeError, match="map takes a function"):
        sd.map(3, [1])  # type: ignore[arg-type]
