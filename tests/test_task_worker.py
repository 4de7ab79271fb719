"""Tasks in a worker: their order, their results, and what goes along with what."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import serverless_dist as sd
from serverless_dist.runtime.versions import versions
from serverless_dist.tasks.messages import (
    STREAMING,
    Bye,
    Code,
    Finished,
    Hello,
    Kind,
    Message,
    Put,
    Release,
    Yielded,
)
from serverless_dist.tasks.values import Form, Value, failure_of
from serverless_dist.tasks.worker import unpack_usage
from tests.gates import Gate
from tests.staged_worker import (
    HeldLine,
    Stage,
    exits,
    identity,
    stage,
)

__all__ = ["exits", "stage"]  # fixtures


def test_a_worker_says_who_it_is_and_what_it_has_used(stage: Stage) -> None:
    line = stage.play(lambda line: None)
    (hello,), (bye,) = line.said(Hello), line.said(Bye)
    assert hello == Hello(os.getpid(), dict(versions()))
    assert not unpack_usage(bye.usage).requests


def test_tasks_are_run_in_order(stage: Stage) -> None:
    def script(line: HeldLine) -> None:
        for first in range(0, 20, 5):
            orders = [stage.order(n, identity, n) for n in range(first, first + 5)]
            line.tell(*sum(orders, ()))

    line = stage.play(script)
    finished = line.said(Finished)
    assert [each.attempt for each in finished] == list(range(20))
    assert [stage.value(each.values[0]) for each in finished] == list(range(20))


def test_results_of_tasks_that_came_together_go_together(stage: Stage) -> None:
    orders = sum([stage.order(n, identity, n) for n in range(5)], ())

    def script(line: HeldLine) -> None:
        line.tell(*orders)
        for _ in range(5):
            line.hear(Finished)

    line = stage.play(script)
    (together,) = [body for body in line.bodies if type(body[-1]) is Finished]
    assert [each.attempt for each in together] == list(range(5))


def test_results_do_not_wait_longer_than_the_line_is_patient(
    stage: Stage, tmp_path: Path
) -> None:
    gate = Gate(tmp_path)

    def script(line: HeldLine) -> None:
        line.tell(*stage.order(1, identity, 1), *stage.order(2, gate.pass_through))
        assert line.hear(Finished).attempt == 1
        gate.wait_for_arrival()
        gate.open()

    stage.play(script, patience=0.001)


def test_large_results_go_to_the_store(stage: Stage) -> None:
    line = stage.play(lambda line: line.tell(*stage.order(1, partial(bytes, 100_000))))
    (finished,) = line.said(Finished)
    assert finished.values[0].form == Form.STORED
    assert stage.value(finished.values[0]) == bytes(100_000)


def test_a_stream_is_told_value_by_value(stage: Stage, tmp_path: Path) -> None:
    gate = Gate(tmp_path)

    def yields() -> Iterator[int]:
        yield 1
        gate.pass_through()
        yield 2

    def script(line: HeldLine) -> None:
        line.tell(*stage.order(1, yields, num_returns=STREAMING))
        assert line.hear(Yielded).place == 0
        gate.wait_for_arrival()
        gate.open()
        assert line.hear(Yielded).place == 1
        finished = line.hear(Finished)
        assert (finished.values, finished.length) == ((), 2)

    stage.play(script, patience=0.001)


@pytest.mark.parametrize("count", [0, 2, 3])
def test_several_returns_are_one_value_each(stage: Stage, count: int) -> None:
    run = stage.order(1, lambda: range(count), num_returns=count)
    line = stage.play(lambda line: line.tell(*run))
    (finished,) = line.said(Finished)
    assert [stage.value(each) for each in finished.values] == list(range(count))


@pytest.mark.parametrize(
    ("function", "fields"),
    [
        (lambda: [sd.put(1)], {}),
        (lambda: (sd.put(n) for n in range(2)), {"num_returns": 2}),
        (lambda: iter([sd.put(1)]), {"num_returns": STREAMING}),
    ],
    ids=["one value", "several", "a stream"],
)
def test_refs_in_a_result_are_let_go_when_the_driver_knows_of_them(
    stage: Stage, function: Callable[[], Any], fields: dict[str, Any]
) -> None:
    line = stage.play(lambda line: line.tell(*stage.order(1, function, **fields)))
    messages = [message for body in line.bodies for message in body]
    released = [at for at, each in enumerate(messages) if type(each) is Release]
    told = [at for at, each in enumerate(messages) if refs_in(each)]
    assert len(released) == len(line.said(Put))
    assert max(told) < min(released)


def refs_in(message: Message) -> bool:
    values = message.values if isinstance(message, Finished) else ()
    values = (message.value,) if isinstance(message, Yielded) else values
    return any(value.refs for value in values)


def test_a_wrong_number_of_returns_is_a_failure(stage: Stage) -> None:
    run = stage.order(1, lambda: range(4), num_returns=3)
    line = stage.play(lambda line: line.tell(*run))
    (value,) = line.said(Finished)[0].values
    assert "num_returns is 3, but 4 values came back" in failure_of(value).summary


def test_a_batch_ends_at_the_first_item_that_raises(stage: Stage) -> None:
    def inverse(x: int) -> float:
        return 1 / x

    run = stage.order(1, inverse, [(1,), (2,), (0,), (4,)], kind=Kind.MAP)
    line = stage.play(lambda line: line.tell(*run))
    (value,) = line.said(Finished)[0].values
    results, failure, seconds = stage.value(value)
    assert results == [1, 0.5]
    assert "ZeroDivisionError" in failure.summary
    assert seconds >= 0


def test_a_batch_of_an_async_function_has_its_results(stage: Stage) -> None:
    async def double(x: int) -> int:
        return 2 * x

    run = stage.order(1, double, [(1,), (2,)], kind=Kind.MAP)
    line = stage.play(lambda line: line.tell(*run))
    results, failure, _ = stage.value(line.said(Finished)[0].values[0])
    assert (results, failure) == ([2, 4], None)


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_errors_that_are_worth_another_attempt_say_so(
    stage: Stage, error: type[Exception]
) -> None:
    def fails() -> None:
        raise error

    line = stage.play(lambda line: line.tell(*stage.order(1, fails)))
    (finished,) = line.said(Finished)
    assert finished.is_retryable == (error is KeyError)


def test_code_that_cannot_be_loaded_fails_each_task_in_the_same_words(
    stage: Stage,
) -> None:
    code = Code(b"digest", Value(Form.INLINE, b"no code"))
    runs = [stage.order(n, None, code=b"digest")[0] for n in range(2)]
    line = stage.play(lambda line: line.tell(code, *runs))
    first, second = (failure_of(each.values[0]) for each in line.said(Finished))
    assert first.summary == second.summary
