"""Values are kept as long as somebody has a ref of them, and no longer."""

import asyncio
import gc
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest

import serverless_dist as sd
from tests.gates import Gate
from tests.stores import directory, wait_until_empty

LARGE = 100_000  # bytes: such a value is in the store


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    with sd.init("local", workers=2):
        # The code of functions stays; those here are small enough to travel.
        yield


@pytest.fixture(autouse=True)
def nothing_is_kept() -> Iterator[None]:
    wait_until_empty(directory())
    yield
    gc.collect()
    wait_until_empty(directory())


@sd.remote
def large() -> bytes:
    return bytes(LARGE)


@sd.remote
def size(data: Any) -> int:
    return len(data)


@sd.remote
def identity(x: Any) -> Any:
    return x


def test_a_value_goes_with_its_last_ref() -> None:
    ref = sd.put(bytes(LARGE))
    other = pickle.loads(cloudpickle.dumps([1]))  # what holds no ref changes nothing
    same = [ref, other]
    del ref
    assert sd.get(size.remote(same[0])) == LARGE
    wait_until_empty(directory(), but=1)


def test_a_result_goes_with_its_last_ref() -> None:
    ref = large.remote()
    assert len(sd.get(ref)) == LARGE
    wait_until_empty(directory(), but=1)
    del ref
    wait_until_empty(directory())


def test_results_that_nobody_wants_are_removed() -> None:
    for _ in range(5):
        large.remote()
    refs = [large.remote() for _ in range(3)]
    sd.wait(refs, num_returns=3)
    wait_until_empty(directory(), but=3)


def test_an_argument_is_kept_until_its_task_has_ended(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    @sd.remote
    def waits(gate: Gate, data: bytes, inside: list[Any]) -> int:
        gate.pass_through()
        return len(data) + len(sd.get(inside[0]))

    ref = waits.remote(gate, sd.put(bytes(LARGE)), [sd.put(bytes(LARGE))])
    gate.wait_for_arrival()
    wait_until_empty(directory(), but=2)
    gate.open()
    assert sd.get(ref) == 2 * LARGE
    wait_until_empty(directory())


def test_a_large_argument_is_removed_after_its_task() -> None:
    assert sd.get([size.remote(bytes(LARGE)) for _ in range(5)]) == [LARGE] * 5


def test_a_ref_inside_of_a_value_keeps_what_it_refers_to() -> None:
    outer = sd.put([sd.put({"deep": [sd.put(bytes(LARGE))]})])
    gc.collect()
    (middle,) = sd.get(outer)
    del outer
    inner = sd.get(middle)["deep"][0]
    del middle
    assert len(sd.get(inner)) == LARGE
    wait_until_empty(directory(), but=1)


def test_refs_that_a_task_returns_are_the_callers() -> None:
    @sd.remote
    def makes(depth: int) -> Any:
        return makes.remote(depth - 1) if depth else sd.put(bytes(LARGE))

    ref: Any = makes.remote(3)
    while isinstance(ref := sd.get(ref), sd.ObjectRef):
        pass
    assert len(ref) == LARGE


def test_refs_that_a_task_keeps_are_its_own() -> None:
    @sd.remote
    class Keeper:
        def __init__(self) -> None:
            self.kept: list[Any] = []

        def keep(self, refs: list[Any]) -> None:
            self.kept = refs

        def read(self) -> int:
            return sum(len(sd.get(ref)) for ref in self.kept)

    keeper: Any = Keeper.remote()  # type: ignore[attr-defined]
    sd.get(keeper.keep.remote([sd.put(bytes(LARGE))]))
    gc.collect()
    assert sd.get(keeper.read.remote()) == LARGE
    sd.get(keeper.keep.remote([]))
    wait_until_empty(directory())
    sd.get(keeper.keep.remote([sd.put(bytes(LARGE))]))
    del keeper  # and with it goes what it keeps


def test_an_array_outlives_the_ref_that_it_came_from() -> None:
    array = sd.get(sd.put(np.arange(LARGE)))
    gc.collect()
    wait_until_empty(directory())
    assert int(array[-1]) == LARGE - 1


def test_a_ref_in_a_dictionary_or_a_set() -> None:
    refs = {sd.put(number): number for number in range(5)}
    assert all(sd.get(ref) == number for ref, number in refs.items())
    assert len({*refs, *refs}) == 5
    first = next(iter(refs))
    assert first in refs
    assert sd.get(identity.remote([first]))[0] in refs


def test_a_ref_that_comes_back_refers_to_the_same_value() -> None:
    ref = sd.put(bytes(LARGE))
    backs = sd.get([identity.remote([ref]) for _ in range(3)])
    assert all(back == ref for (back,) in backs)
    del ref
    assert len(sd.get(backs[0][0])) == LARGE


def test_a_cycle_of_objects_with_refs_is_collected() -> None:
    cycle: list[Any] = [sd.put(bytes(LARGE))]
    cycle.append(cycle)
    del cycle
    gc.collect()


def test_a_future_keeps_the_value_until_it_has_it() -> None:
    future = large.remote().future()
    assert len(future.result()) == LARGE


def test_a_ref_that_nothing_else_refers_to_can_be_awaited() -> None:
    async def waits() -> list[int]:
        values = await asyncio.gather(*[_len(large.remote()) for _ in range(4)])
        return list(values)

    async def _len(ref: Any) -> int:
        return len(await ref)

    assert asyncio.run(waits()) == [LARGE] * 4


def test_a_failed_task_keeps_no_arguments() -> None:
    @sd.remote
    def fails(data: bytes) -> None:
        raise ValueError

    ref = fails.remote(sd.put(bytes(LARGE)))
    with pytest.raises(ValueError):
        sd.get(ref)
    wait_until_empty(directory())


def test_a_cancelled_task_keeps_no_arguments(tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    @sd.remote
    def waits(gate: Gate, data: bytes) -> None:
        gate.pass_through()

    ref = waits.remote(gate, sd.put(bytes(LARGE)))
    gate.wait_for_arrival()
    sd.cancel(ref)
    wait_until_empty(directory())
    with pytest.raises(sd.TaskCancelledError):
        sd.get(ref)


def test_an_iterator_over_many_refs_keeps_only_what_it_has_not_given() -> None:
    refs = [large.remote() for _ in range(4)]
    for count, ref in enumerate(sd.as_completed(refs), 1):
        refs.remove(ref)
        del ref
        assert len(refs) == 4 - count
