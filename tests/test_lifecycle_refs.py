"""Values and streams, and who holds them."""

from serverless_dist.tasks.messages import (
    STREAMING,
    Policy,
)
from serverless_dist.tasks.objects import LOST
from serverless_dist.tasks.values import END, Cause
from tests.played_session import PlayedSession, inline, stored
from tests.played_turns import (
    begin,
    end,
    fail,
    hear,
    lose,
    submit_child,
)
from tests.played_workers import failure

ONCE = Policy(retries=0)


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
