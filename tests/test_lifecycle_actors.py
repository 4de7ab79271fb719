"""The lives of actors, rule by rule."""

import pytest

from serverless_dist.tasks.messages import (
    DRIVER,
    Ask,
    Cancel,
    Find,
    Kill,
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
    fail,
    has_result,
    hear,
    lose,
    read,
    settle,
)
from tests.played_workers import PlayedWorker, failure

ONCE = Policy(retries=0)


def actor_of(session: PlayedSession, restarts: int = 0) -> int:
    """Submit the creation of an actor; return its number."""
    policy = Policy(retries=0, restarts=restarts)
    return session.submit(session.spec(Kind.CREATE, policy=policy, name="Counter"))


def call(session: PlayedSession, actor: int, *deps: int, policy: Policy = ONCE) -> int:
    """Call a method of an actor."""
    spec = session.spec(Kind.METHOD, actor=actor, deps=deps, policy=policy)
    return session.submit(spec)


def made(session: PlayedSession) -> PlayedWorker:
    """Have the actor made that waits for it; return its worker."""
    worker, run = begin(session)
    assert run.spec.kind == Kind.CREATE
    end(session, worker)
    read(worker)
    return worker


def begun(worker: PlayedWorker) -> list[int]:
    return [run.spec.id for run in worker.begun if run.spec.kind == Kind.METHOD]


def test_calls_run_in_the_order_in_which_they_came() -> None:
    session = PlayedSession(slots=3)
    actor = actor_of(session)
    calls = [call(session, actor) for _ in range(5)]
    worker = made(session)
    calls += [call(session, actor) for _ in range(5)]
    settle(session)
    assert begun(worker) == calls
    assert all(has_result(session, each) for each in calls)


def test_a_call_waits_for_its_arguments_and_later_calls_wait_for_it() -> None:
    session = PlayedSession(slots=3)
    actor = actor_of(session)
    worker = made(session)
    dep = session.submit(session.spec())
    first, second = call(session, actor, dep), call(session, actor)
    read(worker)
    assert not worker.line
    other, _ = begin(session)
    end(session, other)
    read(worker)
    assert [run.spec.id for run in worker.line] == [first, second]


def test_calls_behind_one_whose_argument_fails_go_on() -> None:
    session = PlayedSession(slots=3)
    actor = actor_of(session)
    worker = made(session)
    dep = session.submit(session.spec())
    first, second = call(session, actor, dep), call(session, actor)
    other, run = begin(session)
    raised = failure(Cause.RAISED, run.spec.name)
    fail(session, other, raised, is_retryable=False)
    assert session.value(first) == raised
    settle(session)
    assert begun(worker) == [second]
    assert has_result(session, second)


def test_calls_behind_one_that_is_cancelled_go_on() -> None:
    session = PlayedSession(slots=3)
    actor = actor_of(session)
    worker = made(session)
    dep = session.submit(session.spec())
    first, second = call(session, actor, dep), call(session, actor)
    session.tell(DRIVER, Cancel(first, force=False, recursive=False))
    assert cause(session.value(first)) == Cause.CANCELLED
    read(worker)
    assert [run.spec.id for run in worker.line] == [second]


def test_no_worker_gets_a_call_whose_argument_has_failed() -> None:
    session = PlayedSession(slots=3)
    actor = actor_of(session)
    made(session)
    dep = session.submit(session.spec())
    bad = session.submit(session.spec())
    worker, run = begin(session)
    others = [w for w in assign(session) if w.line]
    first = call(session, actor, dep, bad)
    second = call(session, actor, dep)
    other = others[0]
    other.begin()
    good_worker, bad_worker = (worker, other) if run.spec.id == dep else (other, worker)
    raised = failure(Cause.RAISED, "bad")
    fail(session, bad_worker, raised, is_retryable=False)
    end(session, good_worker)  # both calls may go on, the session checks with what
    settle(session)
    assert session.value(first) == raised
    assert has_result(session, second)


def test_an_actor_has_a_worker_beside_the_slots() -> None:
    session = PlayedSession(slots=1)
    actor = actor_of(session)
    worker = made(session)
    task = session.submit(session.spec())
    other, run = begin(session)
    assert run.spec.id == task
    assert other is not worker
    value = call(session, actor)
    settle(session)
    assert has_result(session, value)


def test_a_constructor_that_raises_is_the_end_of_its_actor() -> None:
    session = PlayedSession()
    actor = actor_of(session)
    waiting = call(session, actor)
    worker, run = begin(session)
    raised = failure(Cause.RAISED, run.spec.name)
    fail(session, worker, raised, is_retryable=False)
    for ref in (actor, waiting, call(session, actor)):
        assert cause(session.value(ref)) == Cause.ACTOR
    settle(session)
    assert worker.has_ended


def test_an_actor_whose_argument_fails_is_dead() -> None:
    session = PlayedSession()
    dep = session.submit(session.spec())
    actor = session.submit(session.spec(Kind.CREATE, deps=[dep]))
    waiting = call(session, actor)
    worker, run = begin(session)
    raised = failure(Cause.RAISED, run.spec.name)
    fail(session, worker, raised, is_retryable=False)
    for ref in (actor, waiting, call(session, actor)):
        assert cause(session.value(ref)) == Cause.ACTOR


@pytest.mark.parametrize("restarts", [0, 1, 2])
def test_an_actor_is_made_anew_as_often_as_allowed(restarts: int) -> None:
    session = PlayedSession()
    actor = actor_of(session, restarts=restarts)
    for _ in range(restarts + 1):
        worker = made(session)
        failing, waiting = call(session, actor), call(session, actor)
        read(worker)
        worker.begin()
        lose(session, worker)
        assert cause(session.value(failing)) == Cause.ACTOR
        assert cause(session.value(waiting)) == Cause.ACTOR
    assert cause(session.value(call(session, actor))) == Cause.ACTOR
    session.release(actor)
    settle(session)


def test_a_call_that_may_be_retried_runs_again_on_the_new_worker_first() -> None:
    session = PlayedSession()
    actor = actor_of(session, restarts=1)
    worker = made(session)
    first = call(session, actor, policy=Policy(retries=1))
    second = call(session, actor)
    read(worker)
    worker.begin()
    lose(session, worker)
    third = call(session, actor)
    worker = made(session)
    settle(session)
    assert cause(session.value(second)) == Cause.ACTOR
    assert begun(worker) == [first, third]


def test_calls_that_come_while_an_actor_is_made_anew_wait() -> None:
    session = PlayedSession()
    actor = actor_of(session, restarts=-1)
    for _ in range(5):
        lose(session, made(session))
        waiting = call(session, actor)
        assert session.value(waiting) is None
    settle(session)
    assert has_result(session, waiting)


def test_a_killed_actor_is_dead_at_once() -> None:
    session = PlayedSession()
    actor = actor_of(session, restarts=-1)
    worker = made(session)
    running, waiting = call(session, actor), call(session, actor)
    read(worker)
    worker.begin()
    session.tell(DRIVER, Kill(actor, no_restart=True))
    assert worker.is_killed
    for ref in (running, waiting, call(session, actor)):
        assert cause(session.value(ref)) == Cause.ACTOR
    settle(session)
    assert not list(session.lifecycle.workers)


def test_a_killed_actor_may_be_made_anew() -> None:
    session = PlayedSession()
    actor = actor_of(session, restarts=1)
    worker = made(session)
    session.tell(DRIVER, Kill(actor, no_restart=False))
    assert worker.is_killed
    lose(session, worker)
    waiting = call(session, actor)
    settle(session)
    assert has_result(session, waiting)


def test_an_actor_is_handed_over_with_its_state_and_no_call_is_lost() -> None:
    session = PlayedSession()
    actor = actor_of(session)
    old = made(session)
    calls = [call(session, actor) for _ in range(4)]
    read(old)
    old.begin()
    end(session, old)
    old.retire(stored("state"))
    calls += [call(session, actor) for _ in range(2)]  # on their way to the old one
    hear(session, old)
    new, run = begin(session)
    assert new is not old
    assert (run.spec.kind, run.state) == (Kind.CREATE, stored("state"))
    end(session, new)
    settle(session)
    assert begun(old) + begun(new) == calls
    assert all(has_result(session, each) for each in calls)
    assert old.has_ended
    session.release(actor)
    assert session.removed == {b"state": 1}


def test_an_actor_is_handed_over_again_and_again() -> None:
    session = PlayedSession()
    actor = actor_of(session)
    for turn in range(3):
        worker = made(session)
        value = call(session, actor)
        read(worker)
        worker.begin()
        end(session, worker)
        assert has_result(session, value)
        worker.retire(stored(f"state {turn}"))
        hear(session, worker)
    assert session.removed == {b"state 0": 1, b"state 1": 1}


def test_an_actor_that_is_made_anew_has_no_state() -> None:
    session = PlayedSession()
    actor_of(session, restarts=1)
    worker = made(session)
    worker.retire(stored("state"))
    hear(session, worker)
    lose(session, made(session))
    assert session.removed == {b"state": 1}
    _, run = begin(session)
    assert run.state is None


def test_an_actor_that_nobody_holds_ends_after_its_calls() -> None:
    session = PlayedSession()
    actor = actor_of(session)
    calls = [call(session, actor) for _ in range(3)]
    session.release(actor)
    settle(session)
    assert all(has_result(session, each) for each in calls)
    assert not [w for w in session.workers.values() if w.actor and not w.has_ended]


def test_an_actor_that_nobody_calls_is_not_even_made() -> None:
    session = PlayedSession()
    session.release(actor_of(session))
    settle(session)
    assert session.lifecycle.is_empty
    assert not session.attempts


def test_a_named_actor_is_found_while_it_lives() -> None:
    session = PlayedSession()
    policy = Policy(actor_name="counter")
    actor = session.submit(session.spec(Kind.CREATE, policy=policy))
    worker = made(session)
    session.tell(DRIVER, Find(100, "counter"))
    assert session.answers[100].ids == (actor,)
    assert session.answers[100].values == (inline("code"),)
    session.tell(DRIVER, Find(101, "another"))
    assert session.answers[101].ids == ()
    session.release(actor)  # who found it holds it
    assert session.value(call(session, actor)) is None
    lose(session, worker)
    session.tell(DRIVER, Find(102, "counter"))
    assert session.answers[102].ids == ()


def test_calls_that_wait_for_each_other_are_a_circle() -> None:
    session = PlayedSession()
    actor = actor_of(session)
    worker = made(session)
    running = session.submit(
        session.spec(Kind.METHOD, actor=actor, name="outer", policy=ONCE)
    )
    read(worker)
    worker.begin()
    inner = session.spec(
        Kind.METHOD, actor=actor, name="inner", parent=running, ids=worker.ids
    )
    worker.say(Submit(inner))
    worker.ask(
        Ask(
            1, (inner.id,), 1, eager=True, wants_values=True, task=running,
            is_patient=True,
        )
    )  # fmt: skip
    hear(session, worker)
    read(worker)
    assert worker.answer is not None
    (value,) = worker.answer.values
    assert cause(value) == Cause.DEADLOCK
    assert failure_of(value).summary == "waits for inner, which waits for outer"
    end(session, worker)
    settle(session)
    assert begun(worker) == [running, inner.id]


def test_a_call_that_is_to_be_retried_is_not_charged_with_what_is_behind_it() -> None:
    session = PlayedSession()
    actor = actor_of(session)
    worker = made(session)
    policy = Policy(retries=1, retry_errors=True)
    first, second = call(session, actor, policy=policy), call(session, actor)
    read(worker)
    run = worker.begin()
    raised = failure(Cause.RAISED, run.spec.name)
    fail(session, worker, raised, is_retryable=True)
    settle(session)
    assert begun(worker) == [first, second, first]
    assert has_result(session, first)


def test_a_circle_is_found_past_a_call_that_was_cancelled() -> None:
    session = PlayedSession()
    actor = actor_of(session)
    worker = made(session)
    first, second = call(session, actor), call(session, actor)
    read(worker)
    worker.begin()
    session.tell(DRIVER, Cancel(second, force=False, recursive=False))
    third = session.spec(Kind.METHOD, actor=actor, parent=first, ids=worker.ids)
    worker.say(Submit(third))
    worker.ask(
        Ask(
            1, (third.id,), 1, eager=True, wants_values=True, task=first,
            is_patient=True,
        )
    )  # fmt: skip
    hear(session, worker)
    read(worker)
    assert worker.answer is not None
    assert cause(worker.answer.values[0]) == Cause.DEADLOCK


def test_an_actor_whose_worker_has_no_time_left_is_made_elsewhere() -> None:
    session = PlayedSession(slots=1)
    session.submit(session.spec())
    settle(session)
    (old,) = session.workers.values()
    actor = actor_of(session)
    value = call(session, actor)
    session.place()  # on its way to the old one
    old.retire(inline("no state"))
    settle(session)
    assert old.has_ended
    assert has_result(session, value)
    session.release(actor)
    settle(session)
    assert not [w for w in session.workers.values() if w.actor and not w.has_ended]
