"""The life of tasks, rule by rule."""

from collections import deque

import pytest

from serverless_dist.tasks.instructions import Lost
from serverless_dist.tasks.messages import (
    DRIVER,
    STREAMING,
    Ask,
    Cancel,
    Finished,
    Interrupt,
    Kind,
    Policy,
    Returned,
    Submit,
)
from serverless_dist.tasks.objects import LOST
from serverless_dist.tasks.values import END, Cause, Form, Value, failure_of
from tests.played_session import PlayedSession, inline, stored
from tests.played_turns import (
    assign,
    begin,
    end,
    end_gang,
    fail,
    greet,
    hear,
    lose,
    read,
    results,
    settle,
)
from tests.played_workers import PlayedWorker, failure

ONCE = Policy(retries=0)
TWICE = Policy(retries=1)


def has_result(session: PlayedSession, ref: int) -> bool:
    """Return whether a ref has come to a value, and to no failure."""
    value = session.value(ref)
    return value is not None and value.form in (Form.INLINE, Form.STORED)


def cause(value: Value | None) -> Cause:
    assert value is not None
    return Cause(failure_of(value).cause)


def wait_for(session: PlayedSession, worker: PlayedWorker, *refs: int) -> None:
    """Have the running task wait for refs, however long it takes."""
    assert worker.running is not None
    session.requests += 1
    worker.ask(
        Ask(
            session.requests, refs, len(refs), eager=True, wants_values=True,
            task=worker.running.spec.id, is_patient=True,
        )
    )  # fmt: skip
    hear(session, worker)


def submit_child(session: PlayedSession, worker: PlayedWorker) -> int:
    """Have the running task submit another one."""
    assert worker.running is not None
    spec = session.spec(parent=worker.running.spec.id, ids=worker.ids)
    worker.refs[spec.id] += 1
    worker.say(Submit(spec))
    hear(session, worker)
    return spec.id


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


# Errors and retries.


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


# Who runs what.


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


# Cancelling.


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


# Values and who holds them.


def test_what_nobody_holds_is_removed_once() -> None:
    session = PlayedSession()
    ref = session.put(stored("value"))
    session.hold(ref)
    session.release(ref)
    assert not session.removed
    session.release(ref)
    assert session.removed == {b"value": 1}
    assert session.value(ref) == LOST


def test_a_value_holds_the_refs_inside_it() -> None:
    session = PlayedSession()
    inner = session.put(stored("inner"))
    outer = session.put(stored("outer", inner))
    session.release(inner)
    assert session.value(inner) == stored("inner")
    session.release(outer)
    assert session.removed == {b"inner": 1, b"outer": 1}
    assert session.lifecycle.is_empty


def test_a_task_holds_its_arguments_until_it_ends() -> None:
    session = PlayedSession()
    dep, nested = session.put(stored("dep")), session.put(stored("nested"))
    task = session.submit(session.spec(deps=[dep], nested=[nested]))
    session.release(dep)
    session.release(nested)
    worker, run = begin(session)
    assert run.values == (stored("dep"),)
    assert not session.removed
    end(session, worker)
    assert session.removed == {b"dep": 1, b"nested": 1}
    session.release(task)
    assert session.lifecycle.is_empty


def test_large_arguments_are_removed_with_their_task() -> None:
    session = PlayedSession()
    spec = session.spec(is_stored=True)
    session.submit(spec)
    worker, _ = begin(session)
    assert not session.removed
    end(session, worker)
    assert session.removed == {spec.payload.data: 1}


def test_a_result_that_nobody_wants_is_removed() -> None:
    session = PlayedSession()
    task = session.submit(session.spec())
    worker, _ = begin(session)
    session.release(task)
    end(session, worker, stored("result"))
    assert session.removed == {b"result": 1}
    assert session.lifecycle.is_empty


def test_what_a_lost_worker_has_held_is_released() -> None:
    session = PlayedSession()
    session.submit(session.spec(policy=ONCE))
    worker, _ = begin(session)
    child = submit_child(session, worker)
    session.hold(child)
    session.release(child)
    settled = session.ask([child])
    assert settled not in session.answers
    lose(session, worker)
    assert session.answers[settled].values == (LOST,)


# Streams.


def test_the_values_of_a_stream_are_known_as_they_come() -> None:
    session = PlayedSession()
    stream = session.submit(session.spec(returns=STREAMING))
    first = session.ask([stream + 1])
    worker, _ = begin(session)
    assert first not in session.answers
    worker.put_out(inline("first"))
    hear(session, worker)
    assert session.answers[first].values == (inline("first"),)
    worker.put_out(stored("second"))
    hear(session, worker)
    assert session.value(stream + 2) == stored("second")
    beyond = session.ask([stream + 3])
    end(session, worker)
    assert session.answers[beyond].values == (END,)
    assert session.value(stream + 9) == END


def test_a_stream_that_fails_has_its_failure_at_its_end() -> None:
    session = PlayedSession()
    stream = session.submit(session.spec(returns=STREAMING))
    worker, run = begin(session)
    worker.put_out(inline("first"))
    raised = failure(Cause.RAISED, run.spec.name)
    fail(session, worker, raised, is_retryable=False)
    assert session.value(stream + 1) == inline("first")
    assert session.value(stream + 2) == raised
    assert session.value(stream + 3) == END
    assert session.value(stream) == raised


def test_a_stream_that_is_run_again_goes_on_where_it_was() -> None:
    session = PlayedSession()
    stream = session.submit(session.spec(returns=STREAMING))
    worker, _ = begin(session)
    worker.put_out(stored("first of attempt 1"))
    hear(session, worker)
    lose(session, worker)
    worker, _ = begin(session)
    worker.put_out(stored("first of attempt 2"))
    worker.put_out(stored("second of attempt 2"))
    end(session, worker)
    assert session.value(stream + 1) == stored("first of attempt 1")
    assert session.value(stream + 2) == stored("second of attempt 2")
    assert session.removed == {b"first of attempt 2": 1}


def test_values_of_a_stream_that_nobody_holds_any_more_are_removed() -> None:
    session = PlayedSession()
    stream = session.submit(session.spec(returns=STREAMING))
    worker, _ = begin(session)
    worker.put_out(stored("claimed"))
    worker.put_out(stored("unclaimed"))
    hear(session, worker)
    session.hold(stream + 1)
    session.release(stream)
    assert session.removed == {b"unclaimed": 1}
    worker.put_out(stored("late"))
    end(session, worker)
    assert session.removed == {b"unclaimed": 1, b"late": 1}
    assert session.value(stream + 1) == stored("claimed")
    session.release(stream + 1)
    assert session.lifecycle.is_empty


# Copies, circles, gangs.


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
