"""Which workers there are, and which of them runs what."""

from collections import deque

import pytest

from serverless_dist.tasks.messages import (
    Returned,
)
from serverless_dist.tasks.values import Cause, failure_of
from tests.played_session import PlayedSession
from tests.played_turns import (
    assign,
    begin,
    cause,
    end,
    greet,
    has_result,
    hear,
    lose,
    read,
    settle,
    submit_child,
    wait_for,
)


def test_a_task_that_waits_gives_its_slot_and_what_is_in_line_to_others() -> None:
    session = PlayedSession(slots=1)
    outer = session.submit(session.spec())
    others = [session.submit(session.spec()) for _ in range(9)]
    worker, run = begin(session)
    assert run.spec.id == outer
    assert worker.line
    child = submit_child(session, worker)
    wait_for(session, worker, child)
    assert not worker.line
    settle(session)
    assert len(session.workers) > 1
    assert all(has_result(session, task) for task in (outer, *others))


def test_a_task_that_has_waited_takes_its_slot_again() -> None:
    session = PlayedSession(slots=1)
    session.submit(session.spec())
    worker, _ = begin(session)
    wait_for(session, worker, submit_child(session, worker))
    other, _ = begin(session)
    end(session, other)
    read(worker)
    end(session, worker)
    for _ in range(2):
        session.place(61.0)
        settle(session)
    assert not list(session.lifecycle.workers)


@pytest.mark.parametrize("depth", [1, 2, 9, 33])
def test_recursion_may_be_deeper_than_there_are_slots(depth: int) -> None:
    session = PlayedSession(slots=2)
    task = session.submit(session.spec())
    for _ in range(depth):
        worker, _ = begin(session)
        wait_for(session, worker, submit_child(session, worker))
    settle(session)
    assert has_result(session, task)
    assert session.lifecycle.counts.done == depth + 1


def test_an_idle_worker_gets_half_of_what_another_one_has_in_line() -> None:
    session = PlayedSession(slots=2)
    for _ in range(16):
        session.submit(session.spec())
    session.place()
    first, second = session.workers.values()
    first.greet()
    hear(session, first)
    session.place()
    read(first)
    first.begin()
    assert len(first.line) == 3
    assign(session)
    while second.line:
        second.begin()
        end(session, second)
        assign(session)
    assert len(first.line) == 1
    assert first.said == deque([Returned((3, 4))])
    hear(session, first)
    assign(session)
    assert [run.spec.id for run in second.line] == [3]
    settle(session)
    assert session.lifecycle.counts.done == 16


@pytest.mark.parametrize("slots", [1, 2, 3, 7])
def test_no_more_workers_are_started_than_there_are_slots(slots: int) -> None:
    session = PlayedSession(slots)
    for _ in range(100):
        session.submit(session.spec())
        session.place()
    settle(session)
    assert len(session.workers) == slots
    assert session.lifecycle.counts.done == 100


def test_workers_that_are_idle_for_long_are_stopped() -> None:
    session = PlayedSession(slots=2)
    session.submit(session.spec())
    settle(session)
    assert session.lifecycle.next_check() == 60.0
    session.place(59.0)
    settle(session)
    assert len(list(session.lifecycle.workers)) == 1
    session.place(1.0)
    settle(session)
    assert not list(session.lifecycle.workers)


def test_without_reuse_every_task_has_a_worker_of_its_own() -> None:
    session = PlayedSession(slots=2, reuse=False)
    tasks = [session.submit(session.spec()) for _ in range(5)]
    settle(session)
    assert all(has_result(session, task) for task in tasks)
    assert [len(worker.begun) for worker in session.workers.values()] == [1] * 5


def test_workers_that_cannot_be_started_fail_what_waits_for_them() -> None:
    session = PlayedSession(slots=1)
    task = session.submit(session.spec())
    for _ in range(3):
        assert session.value(task) is None
        session.place()
        lose(session, session.workers[max(session.workers)], "did not start")
    assert cause(session.value(task)) == Cause.CRASHED


def test_a_worker_that_does_not_say_hello_in_time_is_given_up() -> None:
    session = PlayedSession(slots=1)
    task = session.submit(session.spec())
    session.place()
    session.place(session.lifecycle.next_check())
    assert session.workers[1].is_killed
    settle(session)
    assert has_result(session, task)


def test_a_worker_of_other_versions_runs_nothing() -> None:
    session = PlayedSession()
    session.wrong = "numpy is 1.0 here and 2.0 there"
    task = session.submit(session.spec())
    session.place()
    (worker, *_) = greet(session)
    value = session.value(task)
    assert cause(value) == Cause.VERSIONS
    assert value is not None
    assert session.wrong in failure_of(value).summary
    assert worker.is_killed
