"""What happens between a played session and its workers, in turns."""

from serverless_dist.tasks.instructions import Lost
from serverless_dist.tasks.messages import (
    DRIVER,
    STREAMING,
    Ask,
    Finished,
    Run,
    Spec,
    Submit,
)
from serverless_dist.tasks.values import Cause, Form, Value, failure_of
from tests.played_session import PlayedSession, inline
from tests.played_workers import PlayedWorker

MOST_TURNS = 10_000


def results(attempt: int, spec: Spec) -> tuple[Value, ...]:
    """Return what an attempt at a task gives: no other attempt gives the same."""
    if spec.num_returns == STREAMING:
        return ()
    return tuple([inline(f"{attempt}/{place}") for place in range(spec.num_returns)])


def hear(session: PlayedSession, worker: PlayedWorker) -> None:
    """Have the driver hear all that a worker has said."""
    while worker.said:
        session.tell(worker.number, worker.said.popleft())


def greet(session: PlayedSession) -> list[PlayedWorker]:
    """Have all workers greet that have been started; return those that are there."""
    for worker in living(session):
        if not worker.has_greeted:
            worker.greet()
            hear(session, worker)
    return living(session)


def living(session: PlayedSession) -> list[PlayedWorker]:
    """Return the workers that the driver has not lost."""
    return [session.workers[number] for number in session.lifecycle.workers]


def assign(session: PlayedSession) -> list[PlayedWorker]:
    """Have workers started, and tasks given to them; return the workers."""
    session.place()
    greet(session)
    session.place()
    for worker in living(session):
        read(worker)
    return living(session)


def read(worker: PlayedWorker) -> None:
    """Have a worker read all its orders."""
    while worker.orders and not worker.has_ended:
        worker.read()


def begin(session: PlayedSession) -> tuple[PlayedWorker, Run]:
    """Have the first worker with a task begin it."""
    worker = next(w for w in assign(session) if w.line and not w.running)
    return worker, worker.begin()


def end(session: PlayedSession, worker: PlayedWorker, *values: Value) -> None:
    """Have the running task end, with values of its own by default."""
    run = worker.running
    assert run is not None
    worker.end(values or results(run.attempt, run.spec))
    hear(session, worker)


def fail(
    session: PlayedSession, worker: PlayedWorker, value: Value, *, is_retryable: bool
) -> None:
    """Have the running task end with a failure."""
    worker.end([value], is_retryable=is_retryable)
    hear(session, worker)


def lose(session: PlayedSession, worker: PlayedWorker, how: str = "died") -> None:
    """Have a worker die, and the driver learn of it."""
    worker.has_ended = True
    session.tell(worker.number, Lost(how))


def end_gang(session: PlayedSession, attempt: int, *values: Value) -> None:
    """Have a gang end."""
    begun = session.gangs.pop(attempt)
    values = values or results(attempt, begun.spec)
    session.tell(DRIVER, Finished(attempt, values, 0, 1.0, is_retryable=False))


def settle(session: PlayedSession) -> None:
    """Have everything go on as well as it can, until nothing happens any more."""
    for _ in range(MOST_TURNS):
        before = session.events
        session.place()
        for attempt in list(session.gangs):
            end_gang(session, attempt)
        for worker in living(session):
            _go_on(session, worker)
        if session.events == before:
            return
    msg = f"there is no end of {session.lifecycle!r}"
    raise AssertionError(msg)


def _go_on(session: PlayedSession, worker: PlayedWorker) -> None:
    hear(session, worker)
    if worker.is_killed or worker.has_ended:
        lose(session, worker)
        return
    if not worker.has_greeted:
        worker.greet()
    read(worker)
    if worker.asked is not None and not worker.asked.is_patient:
        worker.unask()
    else:
        end_or_begin(session, worker)
    hear(session, worker)


def end_or_begin(session: PlayedSession, worker: PlayedWorker) -> None:
    """Have a worker end what it runs, or else begin what is in line."""
    if worker.can_go_on and worker.running is not None:
        run = worker.running
        for _ in range(2 if run.spec.num_returns == STREAMING else 0):
            worker.put_out(inline(f"{run.attempt}/{worker.yielded}"))
        worker.end(results(run.attempt, run.spec))
    elif worker.line and not worker.running and not worker.has_ended:
        worker.begin()
        session.events += 1


def has_result(session: PlayedSession, ref: int) -> bool:
    """Return whether a ref has come to a value, and to no failure."""
    value = session.value(ref)
    return value is not None and value.form in (Form.INLINE, Form.STORED)


def cause(value: Value | None) -> Cause:
    """Return why there is no value."""
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
