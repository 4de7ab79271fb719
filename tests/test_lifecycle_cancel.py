"""Tasks that are cancelled, copied, in a circle, or gangs."""

import pytest

from serverless_dist.tasks.messages import (
    DRIVER,
    Cancel,
    Finished,
    Interrupt,
    Kind,
    Policy,
    Submit,
)
from serverless_dist.tasks.values import Cause, failure_of
from tests.played_session import PlayedSession, inline, stored
from tests.played_turns import (
    assign,
    begin,
    cause,
    end,
    end_gang,
    has_result,
    lose,
    read,
    results,
    settle,
    submit_child,
    wait_for,
)

ONCE = Policy(retries=0)
TWICE = Policy(retries=1)


def test_a_task_that_waits_is_cancelled_at_once() -> None:
    session = PlayedSession()
    tasks = [session.submit(session.spec()) for _ in range(3)]
    session.tell(DRIVER, Cancel(tasks[1], force=False, recursive=False))
    assert cause(session.value(tasks[1])) == Cause.CANCELLED
    settle(session)
    assert session.lifecycle.counts.done == 2
    assert tasks[1] not in {spec.id for spec in session.attempts.values()}


def test_a_task_that_runs_is_interrupted_and_its_result_does_not_count() -> None:
    session = PlayedSession()
    task = session.submit(session.spec())
    worker, run = begin(session)
    session.tell(DRIVER, Cancel(task, force=False, recursive=False))
    assert list(worker.orders) == [Interrupt(run.attempt)]
    end(session, worker, stored("late result"))
    assert cause(session.value(task)) == Cause.CANCELLED
    assert session.lifecycle.counts.late == 1
    assert session.removed[b"late result"] == 1


def test_a_task_that_has_ended_is_not_cancelled() -> None:
    session = PlayedSession()
    task = session.submit(session.spec())
    settle(session)
    before = session.value(task)
    session.tell(DRIVER, Cancel(task, force=True, recursive=True))
    assert session.value(task) == before


def test_force_kills_the_worker_and_others_in_line_run_elsewhere() -> None:
    session = PlayedSession(slots=1)
    tasks = [session.submit(session.spec(policy=TWICE)) for _ in range(5)]
    worker, run = begin(session)
    session.tell(DRIVER, Cancel(run.spec.id, force=True, recursive=False))
    assert worker.is_killed
    assert cause(session.value(run.spec.id)) == Cause.CANCELLED
    settle(session)
    assert session.lifecycle.counts.done == len(tasks) - 1
    assert session.lifecycle.counts.retried == 0


def test_a_worker_that_is_to_be_killed_gets_nothing_more() -> None:
    session = PlayedSession(slots=1)
    first = session.submit(session.spec(policy=ONCE))
    second = session.submit(session.spec(policy=ONCE))
    worker, run = begin(session)
    assert run.spec.id == first
    session.tell(DRIVER, Cancel(first, force=True, recursive=False))
    end(session, worker)  # before it is killed
    assign(session)
    assert not worker.line
    settle(session)
    assert has_result(session, second)


def test_recursive_cancels_what_a_task_has_submitted_as_well() -> None:
    session = PlayedSession()
    task = session.submit(session.spec())
    other = session.submit(session.spec())
    worker, _ = begin(session)
    child = submit_child(session, worker)
    wait_for(session, worker, child)
    session.hold(child)
    session.tell(DRIVER, Cancel(task, force=False, recursive=True))
    assert cause(session.value(task)) == cause(session.value(child)) == Cause.CANCELLED
    settle(session)
    assert session.lifecycle.counts.done == 1
    assert cause(session.value(child)) == Cause.CANCELLED
    assert has_result(session, other)


def test_without_recursive_the_children_go_on() -> None:
    session = PlayedSession()
    task = session.submit(session.spec())
    worker, _ = begin(session)
    child = submit_child(session, worker)
    session.hold(child)
    session.tell(DRIVER, Cancel(task, force=False, recursive=False))
    settle(session)
    assert has_result(session, child)
    assert session.lifecycle.counts.done == 1


def learn_durations(session: PlayedSession) -> None:
    """Have three tasks end after 10 ms each."""
    for _ in range(3):
        session.submit(session.spec(policy=Policy(speculative=True)))
    settle(session)


def test_a_late_task_gets_a_copy_and_whichever_ends_first_counts() -> None:
    session = PlayedSession()
    learn_durations(session)
    task = session.submit(session.spec(policy=Policy(speculative=True)))
    first, run = begin(session)
    session.place(0.04)
    assert len(session.attempts) == 4
    assert session.lifecycle.next_check() == pytest.approx(0.05)
    session.place(0.02)
    second, copy = begin(session)
    assert second is not first
    assert copy.spec.id == task
    end(session, second)
    assert session.value(task) == results(copy.attempt, copy.spec)[0]
    assert Interrupt(run.attempt) in first.orders
    end(session, first, stored("late"))
    assert session.value(task) == results(copy.attempt, copy.spec)[0]
    assert session.removed == {b"late": 1}
    assert session.lifecycle.counts.late == 1


def test_a_copy_goes_on_when_the_first_attempt_is_lost() -> None:
    session = PlayedSession()
    learn_durations(session)
    task = session.submit(session.spec(policy=Policy(retries=1, speculative=True)))
    first, _ = begin(session)
    session.place(1.0)
    second, _ = begin(session)
    lose(session, first)
    assert session.value(task) is None
    end(session, second)
    assert has_result(session, task)
    assert len(session.attempts) == 5


def test_a_task_without_retries_gets_no_copy() -> None:
    session = PlayedSession()
    learn_durations(session)
    session.submit(session.spec(policy=Policy(retries=0, speculative=True)))
    begin(session)
    session.place(1.0)
    assert len(session.attempts) == 4


def test_a_circle_of_waits_is_named() -> None:
    session = PlayedSession()
    outer = session.submit(session.spec(name="outer"))
    worker, _ = begin(session)
    spec = session.spec(name="inner", deps=[outer], ids=worker.ids)
    worker.say(Submit(spec))
    wait_for(session, worker, spec.id)
    read(worker)
    assert worker.answer is not None
    (value,) = worker.answer.values
    assert cause(value) == Cause.DEADLOCK
    assert failure_of(value).summary == "waits for inner, which waits for outer"
    end(session, worker)
    session.hold(spec.id)
    settle(session)
    assert has_result(session, spec.id)


def test_a_gang_begins_when_its_arguments_are_known() -> None:
    session = PlayedSession()
    dep = session.submit(session.spec())
    gang = session.submit(session.spec(Kind.GANG, deps=[dep]))
    worker, _ = begin(session)
    assert not session.gangs
    end(session, worker)
    (attempt,) = session.gangs
    end_gang(session, attempt, inline("all ranks"))
    assert session.value(gang) == inline("all ranks")


def test_a_gang_that_is_cancelled_is_halted() -> None:
    session = PlayedSession()
    gang = session.submit(session.spec(Kind.GANG))
    (attempt,) = session.gangs
    session.tell(DRIVER, Cancel(gang, force=False, recursive=False))
    assert not session.gangs
    late = Finished(attempt, (stored("late"),), 0, 1.0, is_retryable=False)
    session.tell(DRIVER, late)
    assert cause(session.value(gang)) == Cause.CANCELLED
    assert session.removed == {b"late": 1}


def test_a_late_task_that_no_worker_is_free_for_keeps_nobody_awake() -> None:
    session = PlayedSession(slots=1)
    learn_durations(session)
    session.submit(session.spec(policy=Policy(speculative=True)))
    begin(session)
    session.place(1.0)
    assert session.lifecycle.next_check() > session.now
