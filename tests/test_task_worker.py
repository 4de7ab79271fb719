"""The inside of a worker, with a line that a test holds the other end of."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import numpy as np
import pytest

import serverless_dist as sd
from serverless_dist.cloud import Meter
from serverless_dist.runtime.versions import versions
from serverless_dist.tasks import execution, worker as worker_module
from serverless_dist.tasks.arguments import pack_arguments, pack_value
from serverless_dist.tasks.client import Client
from serverless_dist.tasks.code import Code as Target, pack_code
from serverless_dist.tasks.current import find_client, set_client
from serverless_dist.tasks.invitation import Invitation
from serverless_dist.tasks.messages import (
    STREAMING,
    Answer,
    Ask,
    Bye,
    Code,
    Finished,
    HandOver,
    Hello,
    Interrupt,
    Kind,
    Message,
    Order,
    Policy,
    Put,
    Recall,
    Release,
    Retire,
    Returned,
    Run,
    Spec,
    Stop,
    Unask,
    Yielded,
    pack,
    unpack,
)
from serverless_dist.tasks.places import LocalPlace
from serverless_dist.tasks.refs import ObjectRef, load
from serverless_dist.tasks.values import Cause, Form, Value, failure_of
from serverless_dist.tasks.worker import _Worker, unpack_usage
from serverless_dist.wire import Body, JobKey
from tests.gates import Gate
from tests.scripted_driver import JOB, DictStore

M = TypeVar("M")
LONG = 1_000.0  # seconds: never, in a test


class HeldLine:
    """A worker's line; the test says what arrives, and sees what is sent."""

    is_remote = True

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.bodies: list[list[Any]] = []
        self._inward: SimpleQueue[bytes | Exception | None] = SimpleQueue()
        self._outward: SimpleQueue[Message] = SimpleQueue()

    # The worker's side.

    def send(self, bodies: Sequence[Body]) -> None:
        for body in bodies:
            messages = unpack(b"".join(body))
            self.bodies.append(messages)
            for message in messages:
                self._outward.put(message)

    def receive(self, wait: float) -> list[bytes | bytearray]:
        try:
            item = self._inward.get(timeout=wait) if wait else self._inward.get_nowait()
        except Empty:
            return []
        if isinstance(item, Exception):
            raise item
        return [] if item is None else [item]

    def wake(self) -> None:
        self._inward.put(None)

    def stop_reading(self) -> None: ...

    def close(self) -> None: ...

    # The test's side.

    def tell(self, *orders: Order) -> None:
        self._inward.put(pack(orders))

    def fail(self, error: Exception) -> None:
        self._inward.put(error)

    def hear(self, kind: type[M]) -> M:
        """Return the next message of this kind, dropping what comes before it."""
        while not isinstance(message := self._outward.get(timeout=30), kind):
            pass
        return message

    def said(self, kind: type[M]) -> list[M]:
        return [each for body in self.bodies for each in body if isinstance(each, kind)]


Script = Callable[[HeldLine], None]


class Stage:
    """Plays a script for a worker that this very thread is."""

    def __init__(self) -> None:
        self.store = DictStore()
        self.client = Client(9, JOB, self.store, lambda message, *, urgent: None)

    def play(
        self, script: Script, *, lifetime: float = 0.0, patience: float = LONG
    ) -> HeldLine:
        line = HeldLine(patience)
        place = LocalPlace(Path("/nowhere"), Path("/nowhere"))
        key = JobKey(JOB, bytes(32))
        invitation = Invitation(key, 3, place, time.time(), lifetime)
        self.worker = _Worker(invitation, line, self.store, Meter())

        def act() -> None:
            try:
                line.hear(Hello)
                script(line)
            finally:
                line.tell(Stop())

        with ThreadPoolExecutor(1) as pool:
            acted = pool.submit(act)
            self.worker.serve()
            self.worker.leave()
            acted.result()
        return line

    def value(self, value: Value) -> Any:
        return load(value, self.client)

    def order(
        self,
        attempt: int,
        function: Callable[..., Any] | None,
        *args: Any,
        kind: Kind = Kind.CALL,
        **fields: Any,
    ) -> tuple[Order, ...]:
        """Return what the driver tells a worker that is to run this."""
        digest, told = b"", list[Order]()
        if function is not None:
            digest, body = pack_code(Target(function, (KeyError,)), {})
            told.append(Code(digest, self.client.keep(body)))
        payload = self.client.keep(pack_arguments("f", args, {}).body)
        spec = Spec(
            100 + attempt, 1, kind, "f", digest, payload, (), 0, "", 0, Policy()
        )
        state = fields.pop("state", None)
        return *told, Run(attempt, spec._replace(**fields), (), state)


@pytest.fixture
def stage() -> Iterator[Stage]:
    handler = signal.getsignal(signal.SIGINT)
    yield Stage()
    signal.signal(signal.SIGINT, handler)
    set_client(None)


@pytest.fixture
def exits(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Keep how the worker would have ended its process, and end the thread instead."""
    codes: list[int] = []

    def leave(code: int) -> None:
        codes.append(code)
        stage.worker._is_ending = True
        stage.worker._steps.put("stop")
        raise SystemExit

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    return codes


def identity(x: Any) -> Any:
    return x


def done(message: Finished) -> tuple[int, ...]:
    return message.attempt, message.values[0].form


# Order, and what goes along with what.


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


# What the reading thread does while a task runs.


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


# The end.


def test_a_worker_whose_time_is_over_gives_back_and_waits_to_be_let_go(
    stage: Stage, tmp_path: Path
) -> None:
    gate = Gate(tmp_path)

    def script(line: HeldLine) -> None:
        line.tell(*stage.order(1, gate.pass_through))
        gate.wait_for_arrival()
        line.tell(*sum([stage.order(n, identity, n) for n in range(2, 5)], ()))
        line.tell(Recall(0))
        line.hear(Returned)
        until_retired(line)
        gate.open()
        assert line.hear(Returned) == Returned((2, 3, 4))
        line.hear(Retire)
        line.tell(*stage.order(5, identity, 5))
        assert line.hear(Returned) == Returned((5,))

    line = stage.play(script, lifetime=0.31)
    assert [each.attempt for each in line.said(Finished)] == [1]
    assert len(line.said(Bye)) == 1


def until_retired(line: HeldLine) -> None:
    """Return when a worker that lives for 0.31 s takes its time to be over."""
    until = time.monotonic() + 0.2
    while time.monotonic() < until:
        line.wake()
        os.sched_yield()


class Counter:
    def __init__(self) -> None:
        self.counts = np.zeros(3)

    def count(self) -> float:
        self.counts += 1
        return float(self.counts[0])


def test_an_actor_goes_on_in_another_worker_where_it_was(stage: Stage) -> None:
    call = partial(stage.order, function=None, kind=Kind.METHOD, method="count")

    def first(line: HeldLine) -> None:
        line.tell(*stage.order(1, Counter, kind=Kind.CREATE), *call(2), *call(3))
        line.hear(HandOver)
        line.tell(*call(4))  # of which the driver knows that it was not run

    line = stage.play(first, lifetime=0.31)
    (handed,) = line.said(HandOver)
    assert [each.attempt for each in line.said(Finished)] == [1, 2, 3]
    assert not line.said(Returned)
    assert not line.said(Retire)
    again = stage.order(5, Counter, kind=Kind.CREATE, state=handed.state)
    line = stage.play(lambda line: line.tell(*again, *call(6)))
    assert stage.value(line.said(Finished)[-1].values[0]) == 3


@pytest.mark.parametrize("size", [None, 3, 50_000])
def test_an_actor_that_comes_too_late_is_made_elsewhere(
    stage: Stage, size: int | None
) -> None:
    state = None
    if size is not None:
        before = Counter()
        before.counts = np.full(size, 7.0)
        state = stage.client.keep(*pack_value(before))
    create = partial(stage.order, function=Counter, kind=Kind.CREATE)
    call = partial(stage.order, function=None, kind=Kind.METHOD, method="count")
    handed: list[HandOver] = []

    def late(line: HeldLine) -> None:
        until_retired(line)
        line.hear(Retire)
        line.tell(*create(1, state=state))
        handed.append(line.hear(HandOver))

    line = stage.play(late, lifetime=0.31)
    assert not line.said(Finished)
    if state is not None and state.form == Form.STORED:
        stage.store.delete([state.data])  # as the driver does
    again = create(2, state=handed[0].state)
    line = stage.play(lambda line: line.tell(*again, *call(3)))
    counted = stage.value(line.said(Finished)[-1].values[0])
    assert counted == (1 if size is None else 8)


def test_an_actor_that_cannot_go_on_elsewhere_says_why(stage: Stage) -> None:
    class Locked:
        def __init__(self) -> None:
            self.lock = threading.Lock()

    make = partial(stage.order, 1, Locked, kind=Kind.CREATE)

    def first(line: HeldLine) -> None:
        line.tell(*make())
        line.hear(HandOver)

    (handed,) = stage.play(first, lifetime=0.31).said(HandOver)
    line = stage.play(lambda line: line.tell(*make(state=handed.state)))
    failure = failure_of(line.said(Finished)[0].values[0])
    assert "Locked cannot go on elsewhere" in failure.summary
    assert "lock" in failure.summary


@pytest.mark.parametrize(
    ("error", "code"),
    [(EOFError(), 0), (sd.CloudError("the queue is gone", retryable=False), 1)],
    ids=["gone", "not heard"],
)
def test_a_worker_that_has_lost_its_driver_ends_at_once(
    stage: Stage, exits: list[int], error: Exception, code: int
) -> None:
    stage.play(lambda line: line.fail(error))
    assert exits == [code]


def test_a_worker_that_cannot_reach_its_driver_ends(
    stage: Stage, exits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    send = HeldLine.send

    def refuse(line: HeldLine, bodies: Sequence[Body]) -> None:
        if any(type(m) is Finished for body in bodies for m in unpack(body[0])):
            msg = "the queue is gone"
            raise sd.CloudError(msg, retryable=False)
        send(line, bodies)

    monkeypatch.setattr(HeldLine, "send", refuse)
    with pytest.raises(SystemExit):
        stage.play(lambda line: line.tell(*stage.order(1, identity, 1)))
    assert exits == [1]


def test_a_worker_that_hears_nothing_for_long_ends_by_itself(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "_SILENCE", 0.0)

    def script(line: HeldLine) -> None:
        line.wake()
        line.hear(Bye)

    stage.play(script)


@pytest.mark.parametrize("heavy", ["boto3", "scipy", "rich", "moto"])
def test_a_worker_starts_without(heavy: str) -> None:
    code = (
        "import sys, serverless_dist.tasks.worker;sys.exit(sys.argv[1] in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, heavy], check=True)
