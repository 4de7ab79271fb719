"""What a worker's reading thread does while a task runs."""

import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import serverless_dist as sd
from serverless_dist.tasks import execution, worker as worker_module
from serverless_dist.tasks.arguments import pack_value
from serverless_dist.tasks.current import find_client
from serverless_dist.tasks.messages import (
    Answer,
    Ask,
    Finished,
    Interrupt,
    Policy,
    Recall,
    Release,
    Retire,
    Returned,
    Unask,
    unpack,
)
from serverless_dist.tasks.refs import ObjectRef
from serverless_dist.tasks.values import Cause, failure_of
from serverless_dist.wire import Body
from tests.gates import Gate
from tests.staged_worker import HeldLine, Stage, done, exits, identity, stage

__all__ = ["exits", "stage"]  # fixtures


def test_what_has_not_begun_is_given_back_last_first(
    stage: Stage, tmp_path: Path
) -> None:
    gate = Gate(tmp_path)

    def script(line: HeldLine) -> None:
        line.tell(*stage.order(1, gate.pass_through))
        gate.wait_for_arrival()
        line.tell(*sum([stage.order(n, identity, n) for n in range(2, 7)], ()))
        line.tell(Recall(2))
        assert line.hear(Returned) == Returned((5, 6))
        line.tell(Recall(9))
        assert line.hear(Returned) == Returned((2, 3, 4))
        line.tell(Recall(1))
        assert line.hear(Returned) == Returned(())
        gate.open()

    line = stage.play(script)
    assert [each.attempt for each in line.said(Finished)] == [1]


def test_a_recall_is_answered_when_there_is_nothing_to_give(stage: Stage) -> None:
    def script(line: HeldLine) -> None:
        line.tell(Recall(3))
        assert line.hear(Returned) == Returned(())

    stage.play(script)


def test_a_task_that_waits_hears_the_answer_and_what_it_holds_up_can_go_back(
    stage: Stage,
) -> None:
    def waits() -> Any:
        client = find_client()
        assert client is not None
        return sd.get(ObjectRef(77, client))

    def script(line: HeldLine) -> None:
        line.tell(*stage.order(1, waits), *stage.order(2, identity, 2))
        ask = line.hear(Ask)
        assert (ask.ids, ask.task) == ((77,), 101)
        line.tell(Recall(1))
        assert line.hear(Returned) == Returned((2,))
        value = stage.client.keep(*pack_value("answer"))
        line.tell(Answer(ask.request, (77,), (value,)))
        assert stage.value(line.hear(Finished).values[0]) == "answer"

    stage.play(script)


def test_an_interrupt_of_a_task_that_waits_in_line_cancels_it_alone(
    stage: Stage, tmp_path: Path
) -> None:
    gate = Gate(tmp_path)

    def script(line: HeldLine) -> None:
        line.tell(*stage.order(1, gate.pass_through))
        gate.wait_for_arrival()
        line.tell(*sum([stage.order(n, identity, n) for n in range(2, 5)], ()))
        line.tell(Interrupt(3))
        cancelled = line.hear(Finished)
        assert cancelled.attempt == 3
        assert failure_of(cancelled.values[0]).cause == Cause.CANCELLED
        gate.open()

    line = stage.play(script)
    assert sorted(each.attempt for each in line.said(Finished)) == [1, 2, 3, 4]


def test_an_interrupt_of_the_running_task_stops_it_and_the_next_one_runs(
    stage: Stage, tmp_path: Path
) -> None:
    gate = Gate(tmp_path)

    def script(line: HeldLine) -> None:
        line.tell(*stage.order(1, gate.pass_through), *stage.order(2, identity, 2))
        gate.wait_for_arrival()
        line.tell(Interrupt(1))
        line.tell(Interrupt(1))

    first, second = stage.play(script).said(Finished)
    assert failure_of(first.values[0]).cause == Cause.CANCELLED
    assert stage.value(second.values[0]) == 2


def test_an_interrupt_of_a_task_that_has_ended_changes_nothing(stage: Stage) -> None:
    def script(line: HeldLine) -> None:
        line.tell(*stage.order(1, identity, 1))
        line.hear(Finished)
        line.tell(Interrupt(1))
        line.tell(*stage.order(2, identity, 2))

    line = stage.play(script)
    assert [done(each) for each in line.said(Finished)] == [(1, 0), (2, 0)]


def test_a_task_that_waits_for_others_can_be_interrupted(stage: Stage) -> None:
    def waits() -> Any:
        client = find_client()
        assert client is not None
        return sd.get(ObjectRef(77, client))

    def script(line: HeldLine) -> None:
        line.tell(*stage.order(1, waits))
        ask = line.hear(Ask)
        line.tell(Interrupt(1))
        assert line.hear(Unask).request == ask.request
        assert failure_of(line.hear(Finished).values[0]).cause == Cause.CANCELLED

    stage.play(script)


def test_a_message_is_sent_to_its_end_before_its_task_is_interrupted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waits() -> Any:
        client = find_client()
        assert client is not None
        return sd.get(ObjectRef(77, client))

    begun, told = threading.Event(), threading.Event()
    sent: list[Any] = []
    send = HeldLine.send

    def send_slowly(line: HeldLine, bodies: Sequence[Body]) -> None:
        if threading.current_thread() is threading.main_thread() and not begun.is_set():
            asks = [m for body in bodies for m in unpack(body[0]) if type(m) is Ask]
            if asks:
                begun.set()
                told.wait(30)
                sent.extend(asks)
        send(line, bodies)

    monkeypatch.setattr(HeldLine, "send", send_slowly)
    kill = signal.pthread_kill

    def kill_and_tell(thread: int, number: int) -> None:
        kill(thread, number)
        told.set()

    monkeypatch.setattr(signal, "pthread_kill", kill_and_tell)

    def script(line: HeldLine) -> None:
        line.tell(*stage.order(1, waits))
        begun.wait(30)
        line.tell(Interrupt(1))
        assert line.hear(Ask) in sent
        assert failure_of(line.hear(Finished).values[0]).cause == Cause.CANCELLED

    stage.play(script)


def test_a_ref_that_ends_while_a_message_is_sent_blocks_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = HeldLine.send

    def send_and_collect(line: HeldLine, bodies: Sequence[Body]) -> None:
        client = find_client()
        assert client is not None
        client.release(77)  # as the collector of garbage may, at any moment
        send(line, bodies)

    monkeypatch.setattr(HeldLine, "send", send_and_collect)
    line = stage.play(
        lambda line: line.tell(*stage.order(1, identity, 1)), patience=0.0
    )
    assert len(line.said(Finished)) == 1
    assert line.said(Release)


def test_a_task_that_runs_too_long_is_stopped(stage: Stage, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    policy = Policy(timeout=0.05)
    run = stage.order(1, gate.pass_through, policy=policy)
    opener = ThreadPoolExecutor(1)
    opener.submit(gate.wait_for_arrival)
    line = stage.play(lambda line: line.tell(*run, *stage.order(2, identity, 2)))
    opener.shutdown()
    first, second = line.said(Finished)
    failure = failure_of(first.values[0])
    assert failure.cause == Cause.TIMEOUT
    assert failure.summary == "ran longer than its timeout of 0.05 s"
    assert stage.value(second.values[0]) == 2


def test_what_a_task_raises_because_it_is_stopped_is_not_why_it_ended(
    stage: Stage, tmp_path: Path
) -> None:
    gate = Gate(tmp_path)

    def fails_on_its_way_out() -> None:
        try:
            gate.pass_through()
        finally:
            raise RuntimeError

    policy = Policy(timeout=0.05)
    run = stage.order(1, fails_on_its_way_out, policy=policy)
    with ThreadPoolExecutor(1) as opener:
        opener.submit(gate.wait_for_arrival)
        (finished,) = stage.play(lambda line: line.tell(*run)).said(Finished)
    assert failure_of(finished.values[0]).cause == Cause.TIMEOUT


def test_a_task_that_cannot_be_stopped_ends_its_worker(
    stage: Stage, exits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "_GRACE", 0.0)
    over = threading.Event()

    def stubborn() -> None:
        while not over.is_set():
            try:
                over.wait()
            except BaseException:
                continue

    # Not as a task: what is pickled has an event of its own.
    monkeypatch.setattr(execution.Executor, "run", lambda self, order: stubborn())

    def script(line: HeldLine) -> None:
        run = stage.order(1, identity, 1, policy=Policy(timeout=0.01))
        line.tell(*run, *stage.order(2, identity, 2))
        line.hear(Retire)
        assert line.hear(Returned) == Returned((2,))
        assert failure_of(line.hear(Finished).values[0]).cause == Cause.TIMEOUT
        over.set()

    stage.play(script)
    assert exits == [1]
