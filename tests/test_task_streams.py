"""Generators as tasks: refs of what they yield, as soon as it is there."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import serverless_dist as sd
from tests.gates import Gate
from tests.stores import directory, wait_until_empty


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    with sd.init("local", workers=2):
        yield


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


@sd.remote
def numbers(count: int) -> Iterator[int]:
    yield from range(count)


@sd.remote
def fails_after(count: int) -> Iterator[int]:
    yield from range(count)
    msg = "no more"
    raise KeyError(msg)


@sd.remote
def one() -> int:
    return 1


@pytest.mark.parametrize("count", [0, 1, 2, 3, 33, 1_000])
def test_a_generator_gives_a_ref_of_each_value(count: int) -> None:
    refs = numbers.remote(count)
    assert isinstance(refs, sd.ObjectRefGenerator)
    assert sd.get(list(refs)) == list(range(count))
    with pytest.raises(StopIteration):
        next(refs)


def test_values_come_before_the_generator_has_ended(gate: Gate) -> None:
    @sd.remote
    def waits(gate: Gate) -> Iterator[int]:
        yield 1
        gate.pass_through()
        yield 2

    refs = waits.remote(gate)
    assert sd.get(next(refs)) == 1
    assert sd.wait([refs.completed()], timeout=0) == ([], [refs.completed()])
    gate.wait_for_arrival()
    gate.open()
    assert sd.get(next(refs)) == 2
    sd.get(refs.completed())
    assert list(refs) == []


def test_large_values_can_be_yielded() -> None:
    @sd.remote
    def large(count: int) -> Iterator[bytes]:
        for number in range(count):
            yield bytes([number]) * 100_000

    for number, ref in enumerate(large.remote(5)):
        assert sd.get(ref) == bytes([number]) * 100_000


@pytest.mark.parametrize("count", [0, 1, 5])
def test_the_last_ref_of_a_generator_that_fails_raises(count: int) -> None:
    refs = fails_after.remote(count)
    values = [sd.get(next(refs)) for _ in range(count)]
    assert values == list(range(count))
    last = next(refs)
    with pytest.raises(KeyError, match="no more"):
        sd.get(last)
    assert list(refs) == []
    with pytest.raises(sd.RemoteError, match=r"fails_after.*KeyError"):
        sd.get(refs.completed())


def test_what_is_no_iterable_cannot_be_streamed() -> None:
    refs = one.options(num_returns="streaming").remote()
    with pytest.raises(TypeError, match="not iterable"):
        sd.get(next(refs))
    assert list(refs) == []


def test_a_function_that_returns_an_iterable_can_be_streamed() -> None:
    refs = sd.remote(num_returns="streaming")(_items).remote()
    assert sd.get(list(refs)) == ["a", "b"]


def _items() -> list[str]:
    return ["a", "b"]


def test_a_generator_may_have_a_fixed_number_of_refs() -> None:
    assert sd.get(numbers.options(num_returns=3).remote(3)) == [0, 1, 2]
    first, _ = numbers.options(num_returns=2).remote(3)
    with pytest.raises(ValueError, match="3 values"):
        sd.get(first)


def test_refs_of_a_stream_can_be_arguments_before_they_are_known(gate: Gate) -> None:
    @sd.remote
    def double(x: int) -> int:
        return 2 * x

    doubles = [double.remote(ref) for ref in numbers.remote(4)]
    assert sd.get(doubles) == [0, 2, 4, 6]


def test_a_task_may_depend_on_the_end_of_a_stream() -> None:
    @sd.remote
    def after(ended: None) -> str:
        assert ended is None
        return "after"

    assert sd.get(after.remote(numbers.remote(3).completed())) == "after"
    with pytest.raises(KeyError):
        sd.get(after.remote(fails_after.remote(3).completed()))


def test_a_task_may_read_the_stream_of_another() -> None:
    @sd.remote
    def total(count: int) -> int:
        return sum(sd.get(ref) for ref in numbers.remote(count))

    assert sd.get(total.remote(10)) == 45


def test_a_stream_can_be_read_in_an_event_loop() -> None:
    async def read() -> list[int]:
        return [await ref async for ref in numbers.remote(3)]

    assert asyncio.run(read()) == [0, 1, 2]


def test_a_stream_that_is_dropped_takes_its_values_with_it(gate: Gate) -> None:
    @sd.remote
    def large(gate: Gate) -> Iterator[bytes]:
        for _ in range(5):
            yield bytes(100_000)
        gate.pass_through()
        for _ in range(5):
            yield bytes(100_000)

    refs = large.remote(gate)
    taken = next(refs)
    ended = refs.completed()
    del refs
    gate.wait_for_arrival()
    gate.open()
    sd.get(ended)
    del ended
    assert sd.get(taken) == bytes(100_000)
    del taken
    wait_until_empty(directory())


def test_an_endless_stream_can_be_cancelled() -> None:
    @sd.remote
    def endless() -> Iterator[int]:
        while True:
            yield 1

    for _ in range(3):
        refs = endless.remote()
        assert sd.get(next(refs)) == 1
        sd.cancel(refs)
    assert sd.get([one.remote() for _ in range(4)]) == [1] * 4


def test_a_stream_can_be_cancelled(gate: Gate) -> None:
    @sd.remote
    def waits(gate: Gate) -> Iterator[int]:
        yield 1
        gate.pass_through()
        yield 2

    refs = waits.remote(gate)
    assert sd.get(next(refs)) == 1
    gate.wait_for_arrival()
    sd.cancel(refs)
    with pytest.raises(sd.TaskCancelledError):
        sd.get(next(refs))
    assert list(refs) == []


def test_a_method_may_be_a_generator() -> None:
    @sd.remote
    class Counter:
        def __init__(self) -> None:
            self.count = 0

        def up(self, times: int) -> Iterator[int]:
            for _ in range(times):
                self.count += 1
                yield self.count

        def value(self) -> int:
            return self.count

        def fails(self) -> Iterator[int]:
            yield self.count
            raise LookupError

    counter: Any = Counter.remote()  # type: ignore[attr-defined]
    assert sd.get(list(counter.up.remote(3))) == [1, 2, 3]
    assert sd.get(counter.value.remote()) == 3
    first, last = counter.fails.remote()
    assert sd.get(first) == 3
    with pytest.raises(LookupError):
        sd.get(last)
    assert sd.get(counter.up.options(num_returns=2).remote(2)) == [4, 5]


def test_a_generator_whose_worker_dies_yields_each_value_once(tmp_path: Path) -> None:
    @sd.remote(retries=1)
    def dies_once(mark: Path) -> Iterator[int]:
        import os

        for number in range(6):
            if number == 3 and not mark.exists():
                mark.touch()
                os._exit(1)
            yield number

    assert sd.get(list(dies_once.remote(tmp_path / "mark"))) == list(range(6))


@pytest.mark.parametrize("use", [sd.put, lambda refs: one.remote(refs)])
def test_a_stream_cannot_be_passed_on(use: Callable[[Any], Any]) -> None:
    with pytest.raises((TypeError, sd.UnpicklableError)):
        use(numbers.remote(1))
