"""Values, waits and arguments of remote tasks, as users call them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import serverless_dist as sd
from tests.gates import Gate

# More than what travels in messages, and less.
SIZES = [0, 1, 1_000, 65_536, 65_537, 300_000]


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    with sd.init("local", workers=2):
        yield


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


@sd.remote
def identity(x: Any) -> Any:
    return x


@sd.remote
def add(x: int, y: int = 1) -> int:
    return x + y


@sd.remote
def passes(gate: Gate, value: Any = None) -> Any:
    gate.pass_through()
    return value


# Values.

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    | st.binary(max_size=100_000),
    lambda each: st.lists(each, max_size=4) | st.dictionaries(st.text(), each),
    max_leaves=8,
)  # fmt: skip


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(PLAIN)
def test_any_value_comes_back_as_it_went(value: Any) -> None:
    assert sd.get([sd.put(value), identity.remote(value)]) == [value, value]


@pytest.mark.parametrize("size", SIZES)
def test_values_of_any_size_go_through_put_tasks_and_get(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    ref = sd.put(data)
    assert sd.get(ref) == data
    assert sd.get(identity.remote(ref)) == data
    assert sd.get(identity.remote(data)) == data


@pytest.mark.parametrize("size", [1, 1_000_000])
def test_arrays_from_get_are_read_only(size: int) -> None:
    array = sd.get(sd.put({"inside": np.ones(size)}))["inside"]
    plain = sd.get(sd.put(np.ones(size)))
    for each in (array, plain):
        assert each.sum() == size
        with pytest.raises(ValueError, match="read-only"):
            each[0] = 0


def test_large_arrays_are_not_copied() -> None:
    ref = sd.put(np.arange(1_000_000))
    first, second = sd.get([ref, ref])
    for each in (first, second):
        assert "serverless-dist" in _mapping_at(each.ctypes.data)


def _mapping_at(address: int) -> str:
    """Return what the kernel says of the mapping that has this address."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, stop = (int(end, 16) for end in line.split()[0].split("-"))
        if start <= address < stop:
            return line
    return ""


def test_an_array_that_changes_after_put_changes_no_value() -> None:
    array = np.zeros(4)
    ref = sd.put(array)
    array[:] = 1
    assert sd.get(ref).tolist() == [0] * 4


def test_a_ref_cannot_be_put() -> None:
    with pytest.raises(TypeError, match="not a ref"):
        sd.put(sd.put(1))


# get.


def test_get_of_a_list_is_a_list_in_order() -> None:
    refs = [add.remote(number) for number in range(100)]
    assert sd.get(refs) == list(range(1, 101))
    assert sd.get(tuple(refs[:2])) == [1, 2]
    assert sd.get([refs[1], refs[0], refs[1]]) == [2, 1, 2]
    assert sd.get([]) == []


@pytest.mark.parametrize("what", [3, None, "text", {1}, [1], [None]])
def test_get_of_something_else_is_a_value_error(what: Any) -> None:
    with pytest.raises(ValueError, match="get "):
        sd.get(what)


@pytest.mark.parametrize("timeout", [-1, "1", True, float("nan")])
def test_a_timeout_that_cannot_be_is_refused(timeout: Any) -> None:
    ref = sd.put(1)
    for call in (sd.get, sd.wait, sd.as_completed):
        with pytest.raises(sd.UsageError, match="timeout is"):
            call([ref], timeout=timeout)


def test_get_that_waits_too_long_is_a_timeout_and_the_task_goes_on(gate: Gate) -> None:
    ref = passes.remote(gate, 7)
    for timeout in (0, 0.01):
        with pytest.raises(sd.GetTimeoutError, match="1 of 2 refs") as caught:
            sd.get([sd.put(1), ref], timeout=timeout)
        assert isinstance(caught.value, TimeoutError)
    gate.wait_for_arrival()
    gate.open()
    assert sd.get(ref) == 7


def test_get_with_no_time_returns_what_is_known() -> None:
    ref = add.remote(1)
    sd.wait([ref])
    assert sd.get([ref, sd.put(3)], timeout=0) == [2, 3]


# wait.


def test_wait_parts_refs_in_their_order(gate: Gate) -> None:
    slow = passes.remote(gate)
    quick = [identity.remote(number) for number in range(3)]
    refs = [quick[0], slow, *quick[1:]]
    assert sd.wait(refs, num_returns=3) == (quick, [slow])
    ready, rest = sd.wait(refs, num_returns=4, timeout=0)
    assert (ready, rest) == (quick, [slow])
    gate.wait_for_arrival()
    gate.open()
    assert sd.wait(refs, num_returns=4) == (refs, [])


def test_wait_returns_no_more_than_asked_for() -> None:
    refs = [sd.put(number) for number in range(5)]
    assert sd.wait(refs) == (refs[:1], refs[1:])
    assert sd.wait(refs, num_returns=2) == (refs[:2], refs[2:])
    assert sd.wait([]) == ([], [])


def test_a_task_that_has_failed_is_known() -> None:
    @sd.remote
    def fails() -> None:
        raise KeyError

    ref = fails.remote()
    assert sd.wait([ref]) == ([ref], [])


def test_wait_rejects_what_is_no_list_of_refs() -> None:
    ref = sd.put(1)
    for what in (ref, {ref}, 3, [ref, 3]):
        with pytest.raises(TypeError, match="wait "):
            sd.wait(what)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="twice"):
        sd.wait([ref, ref])


@pytest.mark.parametrize("num_returns", [0, 3, -1, 1.0, True, None])
def test_wait_rejects_numbers_that_cannot_be(num_returns: Any) -> None:
    with pytest.raises(ValueError, match="num_returns is"):
        sd.wait([sd.put(1), sd.put(2)], num_returns=num_returns)


# as_completed.


def test_refs_come_as_they_are_completed(gate: Gate) -> None:
    slow, quick = passes.remote(gate), identity.remote(1)
    completed = sd.as_completed([slow, quick, quick])
    assert next(completed) == quick
    gate.wait_for_arrival()
    gate.open()
    assert list(completed) == [slow]
    assert list(sd.as_completed([])) == []


def test_waiting_for_the_next_one_may_take_too_long(gate: Gate) -> None:
    quick, slow = sd.put(1), passes.remote(gate)
    completed = sd.as_completed([quick, slow], timeout=0.02)
    assert next(completed) == quick
    with pytest.raises(sd.GetTimeoutError, match="1 of 2"):
        next(completed)
    gate.wait_for_arrival()
    gate.open()


def test_as_completed_checks_what_it_is_given_at_once() -> None:
    with pytest.raises(sd.UsageError, match="as_completed"):
        sd.as_completed([1])  # type: ignore[arg-type]


# Arguments.


def test_refs_among_the_arguments_are_resolved() -> None:
    ref = add.remote(add.remote(1), y=sd.put(10))
    assert sd.get(ref) == 12
    assert sd.get(add.remote(ref, ref)) == 24


def test_refs_inside_of_arguments_stay_refs() -> None:
    @sd.remote
    def looks(items: list[Any], *, named: dict[str, Any]) -> list[Any]:
        assert isinstance(items[0], sd.ObjectRef)
        return [sd.get(items[0]), sd.get(named["inside"])]

    ref = add.remote(1)
    assert sd.get(looks.remote([ref], named={"inside": ref})) == [2, 2]
    (back,) = sd.get(identity.remote([ref]))
    assert back == ref


def test_a_task_may_return_refs_of_its_own() -> None:
    @sd.remote
    def spawns() -> list[Any]:
        return [add.remote(1), sd.put(np.zeros(100_000))]

    @sd.remote
    def passes_on() -> Any:
        return add.remote(5)

    one, zeros = sd.get(spawns.remote())
    assert sd.get(one) == 2
    assert sd.get(zeros).shape == (100_000,)
    inner = sd.get(passes_on.remote())
    assert sd.get(inner) == 6


def test_tasks_get_wait_and_put() -> None:
    @sd.remote
    def works(depth: int) -> int:
        refs = [add.remote(depth), sd.put(depth)]
        ready, rest = sd.wait(refs, num_returns=2)
        assert not rest
        below = sd.get(works.remote(depth - 1)) if depth else 0
        return int(sum(sd.get(ready)) + below)

    assert sd.is_initialized()
    assert sd.get(works.remote(4)) == sum(2 * depth + 1 for depth in range(5))


# How many values.


def test_so_many_refs_as_num_returns_says() -> None:
    @sd.remote(num_returns=3)
    def three() -> tuple[int, ...]:
        return 1, 2, 3

    assert sd.get(three.remote()) == [1, 2, 3]
    one, two = three.options(num_returns=2).remote()
    for ref in (one, two):
        with pytest.raises(ValueError, match="num_returns is 2, but 3 values"):
            sd.get(ref)
    assert sd.get(three.options(num_returns=1).remote()) == (1, 2, 3)
    (only,) = sd.get([three.options(num_returns=1).remote()])
    assert only == (1, 2, 3)


def test_no_refs_if_num_returns_is_zero(gate: Gate) -> None:
    nothing = passes.options(num_returns=0).remote(gate)
    assert nothing is None
    gate.wait_for_arrival()
    gate.open()


@pytest.mark.parametrize("given", [2, 4])
def test_too_many_or_too_few_values_are_an_error(given: int) -> None:
    refs = identity.options(num_returns=3).remote(list(range(given)))
    for ref in refs:
        with pytest.raises(ValueError, match=f"is 3, but {given} values"):
            sd.get(ref)


def test_what_is_no_iterable_cannot_be_several_values() -> None:
    first, _ = identity.options(num_returns=2).remote(7)
    with pytest.raises(TypeError, match="int"):
        sd.get(first)


def test_values_of_several_refs_are_independent() -> None:
    first, second = identity.options(num_returns=2).remote([b"x" * 100_000, b"y"])
    assert sd.get(second) == b"y"
    del second
    assert sd.get(first) == b"x" * 100_000
