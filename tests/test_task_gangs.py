"""Gangs: a function on several ranks at once, its value a list."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import serverless_dist as sd
from tests.gates import Gate


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    with sd.init("local", workers=2):
        yield


@sd.ranks(3, channel="direct")
def numbers(comm: sd.Communicator, x: Any = None) -> tuple[int, int, Any]:
    return comm.rank, comm.size, comm.allreduce(comm.rank if x is None else x)


@sd.remote
def identity(x: Any) -> Any:
    return x


def test_the_value_of_a_gang_is_the_list_of_what_its_ranks_return() -> None:
    assert sd.get(numbers.remote()) == [(0, 3, 3), (1, 3, 3), (2, 3, 3)]


@pytest.mark.parametrize("ranks", [1, 2, 5])
def test_there_are_as_many_ranks_as_asked_for(ranks: int) -> None:
    assert [size for _, size, _ in sd.get(numbers.options(ranks=ranks).remote())] == [
        ranks
    ] * ranks


def test_refs_among_the_arguments_are_resolved_and_others_stay() -> None:
    @sd.ranks(2, channel="direct")
    def looks(comm: sd.Communicator, plain: Any, *, large: Any, inside: Any) -> Any:
        assert comm.size == 2
        return plain, int(large.sum()), type(inside[0]).__name__

    ref = sd.put(np.ones(100_000))
    value = looks.remote(identity.remote(3), large=ref, inside=[1])
    assert sd.get(value) == [(3, 100_000, "int")] * 2


def test_what_a_gang_returns_can_be_an_argument() -> None:
    assert len(sd.get(identity.remote(numbers.remote()))) == 3
    assert sd.get(numbers.remote(identity.remote(2)))[0] == (0, 3, 6)


def test_large_results_go_through_the_store() -> None:
    @sd.ranks(2, channel="direct")
    def large(comm: sd.Communicator) -> Any:
        return np.full(100_000, comm.rank)

    first, second = sd.get(large.remote())
    assert (first.sum(), second.sum()) == (0, 100_000)
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1


def test_an_error_of_a_rank_is_of_its_class_and_names_the_rank() -> None:
    @sd.ranks(3, channel="direct")
    def fails(comm: sd.Communicator) -> None:
        if comm.rank == 2:
            msg = "on purpose"
            raise KeyError(msg)
        comm.barrier()

    ref = fails.remote()
    with pytest.raises(sd.RemoteError, match=r"fails.*rank 2.*on purpose") as caught:
        sd.get(ref)
    assert isinstance(caught.value, KeyError)
    assert "raise KeyError(msg)" in caught.value.traceback
    with pytest.raises(KeyError):
        sd.get(identity.remote(ref))


def test_a_gang_whose_argument_failed_is_not_run() -> None:
    @sd.remote
    def fails() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        sd.get(numbers.remote(fails.remote()))


def test_a_rank_that_dies_is_named() -> None:
    @sd.ranks(2, channel="direct")
    def dies(comm: sd.Communicator) -> None:
        import os

        if comm.rank == 1:
            os._exit(3)
        comm.barrier()

    with pytest.raises(sd.TaskError, match=r"dies.*rank 1"):
        sd.get(dies.remote())


@sd.ranks(2, channel="direct")
def waits(comm: sd.Communicator, gate: Gate) -> None:
    if comm.rank == 0:
        gate.pass_through()
    comm.barrier()


def test_a_gang_can_be_cancelled(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    ref = waits.remote(gate)
    gate.wait_for_arrival()
    sd.cancel(ref)
    with pytest.raises(sd.TaskCancelledError, match="waits was cancelled"):
        sd.get(ref)
    assert len(sd.get(numbers.remote())) == 3


def test_a_gang_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    with pytest.raises(TimeoutError, match="waits"):
        sd.get(waits.options(timeout=0.3).remote(gate))


def test_a_task_may_start_a_gang() -> None:
    @sd.remote
    def starts() -> Any:
        return sd.get(numbers.remote())

    assert len(sd.get(starts.remote())) == 3


def test_several_gangs_run_at_a_time() -> None:
    refs = [numbers.remote(number) for number in range(3)]
    assert [value[0][2] for value in sd.get(refs)] == [0, 3, 6]


def test_a_wrong_call_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match=r"numbers\(\)"):
        numbers.remote(1, 2)
    with pytest.raises(TypeError, match="runs on ranks"):
        numbers(1)
    with pytest.raises(sd.UsageError, match="channel"):
        numbers.options(channel="pigeons")
