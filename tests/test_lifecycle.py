"""The life of tasks: what they come to, and how often they are run."""

import pytest

from serverless_dist.tasks.instructions import Lost
from serverless_dist.tasks.messages import (
    Policy,
)
from serverless_dist.tasks.values import Cause, failure_of
from tests.played_session import PlayedSession, inline, stored
from tests.played_turns import (
    assign,
    begin,
    cause,
    end,
    fail,
    has_result,
    hear,
    lose,
    results,
    settle,
)
from tests.played_workers import failure

ONCE = Policy(retries=0)
TWICE = Policy(retries=1)


def test_a_task_comes_to_what_its_worker_says() -> None:
    session = PlayedSession()
    task = session.submit(session.spec())
    assert session.value(task) is None
    worker, _ = begin(session)
    end(session, worker, inline("result"))
    assert session.value(task) == inline("result")


def test_who_asks_is_answered_as_soon_as_it_is_known() -> None:
    session = PlayedSession()
    task = session.submit(session.spec())
    request = session.ask([task])
    worker, _ = begin(session)
    assert request not in session.answers
    end(session, worker, inline("result"))
    assert session.answers[request].values == (inline("result"),)


@pytest.mark.parametrize("needed", [1, 2, 3])
def test_an_answer_comes_when_as_many_are_known_as_needed(needed: int) -> None:
    session = PlayedSession(slots=1)
    tasks = [session.submit(session.spec()) for _ in range(3)]
    request = session.ask(tasks, needed)
    for done in range(1, 4):
        worker, _ = begin(session)
        end(session, worker)
        assert (request in session.answers) == (done >= needed)
    assert session.answers[request].ids == tuple(tasks[:needed])


def test_an_eager_ask_is_answered_by_the_first_failure() -> None:
    session = PlayedSession(slots=1)
    tasks = [session.submit(session.spec()) for _ in range(2)]
    eager, patient = session.ask(tasks, is_eager=True), session.ask(tasks)
    worker, run = begin(session)
    fail(session, worker, failure(Cause.RAISED, run.spec.name), is_retryable=False)
    assert eager in session.answers
    assert patient not in session.answers


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_task_has_as_many_refs_as_it_returns(count: int) -> None:
    session = PlayedSession()
    task = session.submit(session.spec(returns=count))
    settle(session)
    for place in range(count):
        assert session.value(task + place) == inline(f"1/{place}")
    assert session.lifecycle.counts.done == 1


def test_a_task_gets_the_values_of_the_refs_among_its_arguments() -> None:
    session = PlayedSession()
    first = session.put(inline("put before"))
    second = session.submit(session.spec())
    third = session.submit(session.spec(deps=[second, first, second]))
    worker, run = begin(session)
    assert run.spec.id == second
    end(session, worker, inline("result"))
    _, run = begin(session)
    assert run.spec.id == third
    assert run.values == (inline("result"), inline("put before"), inline("result"))


def test_what_a_task_raises_is_not_tried_again() -> None:
    session = PlayedSession()
    task = session.submit(session.spec())
    worker, run = begin(session)
    raised = failure(Cause.RAISED, run.spec.name)
    fail(session, worker, raised, is_retryable=False)
    assert session.value(task) == raised


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_what_is_worth_a_retry_is_tried_again_as_often_as_allowed(retries: int) -> None:
    session = PlayedSession()
    policy = Policy(retries=retries, retry_errors=True)
    task = session.submit(session.spec(policy=policy))
    for attempt in range(retries + 1):
        assert session.value(task) is None
        worker, _ = begin(session)
        raised = failure(Cause.RAISED, f"attempt {attempt}")
        fail(session, worker, raised, is_retryable=True)
    assert session.value(task) == raised
    assert session.lifecycle.counts.retried == retries


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_a_task_whose_worker_dies_is_tried_again_as_often_as_allowed(
    retries: int,
) -> None:
    session = PlayedSession()
    task = session.submit(session.spec(policy=Policy(retries=retries)))
    for _ in range(retries + 1):
        assert session.value(task) is None
        worker, _ = begin(session)
        lose(session, worker, "was killed by SIGSEGV")
    value = session.value(task)
    assert cause(value) == Cause.CRASHED
    assert value is not None
    assert failure_of(value).summary == "did not end: its worker was killed by SIGSEGV"
    assert not any(worker.line for worker in assign(session))


def test_tasks_in_line_behind_the_one_that_kills_its_worker_are_not_to_blame() -> None:
    session = PlayedSession(slots=1)
    tasks = [session.submit(session.spec(policy=TWICE)) for _ in range(6)]
    for _ in range(3):  # the first time nobody knows which it was
        worker, run = begin(session)
        assert run.spec.id == tasks[0]
        lose(session, worker)
    assert cause(session.value(tasks[0])) == Cause.CRASHED
    settle(session)
    for task in tasks[1:]:
        assert has_result(session, task)
        assert has_result(session, task)
    assert session.lifecycle.counts.done == 5


def test_what_a_lost_worker_says_late_does_not_count() -> None:
    session = PlayedSession()
    task = session.submit(session.spec())
    first, run = begin(session)
    first.end(results(run.attempt, run.spec))
    session.tell(first.number, Lost("died"))
    hear(session, first)
    assert session.value(task) is None
    second, run = begin(session)
    end(session, second)
    assert session.value(task) == results(run.attempt, run.spec)[0]


def test_what_is_heard_twice_counts_once() -> None:
    session = PlayedSession()
    task = session.submit(session.spec())
    worker, _ = begin(session)
    worker.end([stored("result")])
    finished = worker.said[0]
    hear(session, worker)
    session.carry_out(session.lifecycle.handle(worker.number, finished, session.now))
    assert session.value(task) == stored("result")
    assert session.lifecycle.counts.done == 1


def test_a_task_without_retries_has_a_worker_alone() -> None:
    session = PlayedSession(slots=1)
    for _ in range(9):
        session.submit(session.spec(policy=ONCE))
    (worker,) = assign(session)
    assert len(worker.line) == 1


def test_a_task_without_retries_that_is_given_back_runs_after_all() -> None:
    session = PlayedSession()
    task = session.submit(session.spec(policy=ONCE))
    first, *_ = assign(session)
    first.retire(inline("no state"))
    hear(session, first)
    settle(session)
    assert session.value(task) == inline("2/0")


def test_who_depends_on_a_failure_fails_with_it() -> None:
    session = PlayedSession()
    first = session.submit(session.spec())
    second = session.submit(session.spec(deps=[first], returns=2))
    third = session.submit(session.spec(deps=[session.put(inline("fine")), second + 1]))
    nested = session.submit(session.spec(nested=[first]))
    worker, run = begin(session)
    while run.spec.id != first:
        end(session, worker)
        worker, run = begin(session)
    raised = failure(Cause.RAISED, "first")
    fail(session, worker, raised, is_retryable=False)
    for ref in (first, second, second + 1, third):
        assert session.value(ref) == raised
    later = session.submit(session.spec(deps=[third]))
    assert session.value(later) == raised
    settle(session)
    assert has_result(session, nested)
    ran = {spec.id for spec in session.attempts.values()}
    assert ran == {first, nested}
