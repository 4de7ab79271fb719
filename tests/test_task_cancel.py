"""Cancelling: what has not begun is not run, what runs is interrupted or killed."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import serverless_dist as sd
from tests.gates import Gate


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    with sd.init("local", workers=2):
        yield


@pytest.fixture
def gates(tmp_path: Path) -> list[Gate]:
    return [Gate(tmp_path, f"gate{number}") for number in range(2)]


@sd.remote
def passes(gate: Gate, value: Any = None) -> Any:
    gate.pass_through()
    return value


@sd.remote
def touches(mark: Path, _after: Any = None) -> None:
    mark.touch()


@sd.remote
def pid() -> int:
    return os.getpid()


def test_a_task_that_waits_for_a_worker_is_not_run(
    gates: list[Gate], tmp_path: Path
) -> None:
    running = [passes.remote(gate) for gate in gates]
    for gate in gates:
        gate.wait_for_arrival()
    waiting = touches.remote(tmp_path / "mark")
    sd.cancel(waiting)
    with pytest.raises(sd.TaskCancelledError, match="touches was cancelled"):
        sd.get(waiting)
    for gate in gates:
        gate.open()
    assert sd.get(running) == [None, None]
    sd.get([pid.remote() for _ in range(4)])
    assert not (tmp_path / "mark").exists()


def test_a_task_that_waits_for_arguments_is_not_run(
    gates: list[Gate], tmp_path: Path
) -> None:
    first = passes.remote(gates[0])
    waiting = touches.remote(tmp_path / "mark", first)
    after = touches.remote(tmp_path / "mark", waiting)
    sd.cancel(waiting)
    for ref in (waiting, after):
        with pytest.raises(sd.TaskCancelledError, match="touches"):
            sd.get(ref)
    gates[0].wait_for_arrival()
    gates[0].open()
    sd.get(first)
    sd.get([pid.remote() for _ in range(4)])
    assert not (tmp_path / "mark").exists()


def test_a_task_that_runs_is_interrupted_and_its_worker_goes_on(
    gates: list[Gate],
) -> None:
    @sd.remote
    def waits(gate: Gate) -> None:
        gate.pass_through()

    workers = sd.get([pid.remote() for _ in range(8)])
    ref = waits.remote(gates[0])
    gates[0].wait_for_arrival()
    sd.cancel(ref)
    with pytest.raises(sd.TaskCancelledError, match="waits was cancelled"):
        sd.get(ref)
    assert set(sd.get([pid.remote() for _ in range(8)])) <= {*workers, *_pids()}


def _pids() -> set[int]:
    return set(sd.get([pid.remote() for _ in range(8)]))


def test_a_task_may_clean_up_when_it_is_interrupted(
    gates: list[Gate], tmp_path: Path
) -> None:
    mark = tmp_path / "cleaned"
    os.mkfifo(mark)

    @sd.remote
    def cleans(gate: Gate, mark: Path) -> None:
        try:
            gate.pass_through()
        finally:
            mark.write_text("clean")

    ref = cleans.remote(gates[0], mark)
    gates[0].wait_for_arrival()
    sd.cancel(ref)
    assert mark.read_text() == "clean"


def test_force_kills_the_worker(gates: list[Gate]) -> None:
    @sd.remote
    def stubborn(gate: Gate) -> None:
        gate.pass_through()
        while True:
            try:
                threading.Event().wait(600)
            except BaseException:  # that is the point
                continue

    ref = stubborn.remote(gates[0])
    gates[0].wait_for_arrival()
    gates[0].open()
    sd.cancel(ref, force=True)
    with pytest.raises(sd.TaskCancelledError):
        sd.get(ref)
    assert len(sd.get([pid.remote() for _ in range(4)])) == 4


@pytest.mark.parametrize("is_recursive", [True, False])
def test_what_a_task_has_submitted_is_cancelled_with_it(
    gates: list[Gate], *, is_recursive: bool
) -> None:
    @sd.remote
    class Board:
        def __init__(self) -> None:
            self.refs: list[Any] = []

        def post(self, refs: list[Any]) -> None:
            self.refs = refs

        def read(self) -> list[Any]:
            return self.refs

    @sd.remote
    def parent(board: Any, gate: Gate) -> Any:
        child = passes.remote(gate, "done")
        sd.get(board.post.remote([child]))
        return sd.get(child)

    board = Board.remote()  # type: ignore[attr-defined]
    ref = parent.remote(board, gates[0])
    gates[0].wait_for_arrival()
    (child,) = sd.get(board.read.remote())
    sd.cancel(ref, recursive=is_recursive)
    with pytest.raises(sd.TaskCancelledError):
        sd.get(ref)
    if is_recursive:
        with pytest.raises(sd.TaskCancelledError, match="passes"):
            sd.get(child)
    else:
        gates[0].open()
        assert sd.get(child) == "done"


def test_what_has_ended_stays_as_it_is() -> None:
    ref, put = pid.remote(), sd.put(3)
    value = sd.get(ref)
    for each in (ref, put):
        sd.cancel(each)
        sd.cancel(each, force=True)
    assert sd.get([ref, put]) == [value, 3]


def test_one_of_several_refs_cancels_the_task(gates: list[Gate]) -> None:
    first, second = passes.options(num_returns=2).remote(gates[0])
    gates[0].wait_for_arrival()
    sd.cancel(second)
    for ref in (first, second):
        with pytest.raises(sd.TaskCancelledError):
            sd.get(ref)


def test_an_actors_call_can_be_cancelled_and_the_actor_goes_on(
    gates: list[Gate],
) -> None:
    @sd.remote
    class Keeper:
        def __init__(self) -> None:
            self.calls = 0

        def waits(self, gate: Gate) -> None:
            gate.pass_through()

        def count(self) -> int:
            self.calls += 1
            return self.calls

    keeper: Any = Keeper.remote()  # type: ignore[attr-defined]
    assert sd.get(keeper.count.remote()) == 1
    running, waiting = keeper.waits.remote(gates[0]), keeper.count.remote()
    gates[0].wait_for_arrival()
    sd.cancel(waiting)
    sd.cancel(running)
    for ref in (running, waiting):
        with pytest.raises(sd.TaskCancelledError):
            sd.get(ref)
    assert sd.get(keeper.count.remote()) == 2


@pytest.mark.parametrize("what", [3, None, [1]])
def test_only_refs_can_be_cancelled(what: Any) -> None:
    with pytest.raises(TypeError, match="cancel takes a ref"):
        sd.cancel(what)


def test_a_task_cannot_swallow_that_it_was_cancelled(gates: list[Gate]) -> None:
    @sd.remote
    def swallows(gate: Gate) -> str:
        try:
            gate.pass_through()
        except BaseException:
            return "swallowed"
        return "passed"

    ref = swallows.remote(gates[0])
    gates[0].wait_for_arrival()
    sd.cancel(ref)
    with pytest.raises(sd.TaskCancelledError):
        sd.get(ref)
    assert len(_pids()) <= 2
