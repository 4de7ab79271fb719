"""The life of tasks, from their submission to the last ref of what they gave. Pure.

Events in, instructions out; no I/O, no clock. The laws:

1. Every ref comes to exactly one final state: a value, a failure, or nothing because
   nobody holds it.
2. An attempt that is not under way any more changes nothing (fencing): what it says is
   counted as late and dropped.
3. A task without retries is assigned at most once, unless a worker gives it back that
   has not begun it. One with retries is run again when its worker dies.
4. Who depends on a failure fails with it.
5. `handle` takes one event; `place` decides who runs what, when no more events are at
   hand: so many small tasks become few large messages.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from serverless_dist.tasks.actor_table import ActorTable
from serverless_dist.tasks.attempts import Task, Worker
from serverless_dist.tasks.copies import Copies
from serverless_dist.tasks.instructions import (
    Begin,
    End,
    Event,
    Halt,
    Instruction,
    Lost,
    Tell,
)
from serverless_dist.tasks.ledger import Ledger, failure_in, held_by, refs_of
from serverless_dist.tasks.messages import (
    DRIVER,
    STREAMING,
    Ask,
    Bye,
    Cancel,
    Find,
    Finished,
    HandOver,
    Hello,
    Hold,
    Interrupt,
    Kill,
    Kind,
    Put,
    Release,
    Retire,
    Returned,
    Ship,
    Submit,
    Unask,
    Yielded,
)
from serverless_dist.tasks.placement import Capacity, Placement
from serverless_dist.tasks.values import Cause, Failure, Form, Value, failed
from serverless_dist.tasks.waits import Waits

_ENDED = Value(Form.INLINE, b"")  # what a stream itself comes to
_FAILED_STARTS = 3  # in a row: then there is no use in starting another worker


class Counts(NamedTuple):
    """How far the tasks have come.

    `running` are attempts under way, `late` those whose outcome came too late;
    `megabyte_seconds` is what they took of memory and time.
    """

    submitted: int
    done: int
    failed: int
    retried: int
    running: int
    late: int
    megabyte_seconds: float


class Lifecycle:
    """All tasks, refs, actors and workers of one session.

    Parameters
    ----------
    capacity
        How many workers there may be.
    mismatch
        Returns what is wrong with the versions of a worker; None: nothing.
    """

    def __init__(
        self, capacity: Capacity, mismatch: Callable[[Mapping[str, str]], str | None]
    ) -> None:
        self._mismatch = mismatch
        self._ledger = Ledger(Placement(capacity))
        self._actors = ActorTable(self._ledger, self._end)
        self._waits = Waits(self._ledger, self._actors)
        self._copies = Copies(self._ledger)
        self._failed_starts = 0
        self._submitted = self._done = self._failed = self._retried = self._late = 0
        self._megabyte_seconds = 0.0
        self._handlers: Mapping[type[Any], Callable[[int, Any], None]] = {
            Submit: self._submit,
            Ask: self._waits.ask,
            Unask: self._waits.unask,
            Put: self._put,
            Hold: self._hold,
            Release: self._release,
            Ship: self._ship,
            Hello: self._hello,
            Finished: self._finished,
            Yielded: self._yielded,
            Returned: self._returned,
            Retire: self._retire,
            Cancel: self._cancel,
            Kill: self._actors.kill,
            Find: self._actors.find,
            HandOver: self._actors.hand_over,
            Bye: self._bye,
            Lost: self._lost,
        }

    def __repr__(self) -> str:
        return f"<Lifecycle of {self._ledger!r}>"

    @property
    def counts(self) -> Counts:
        """How far the tasks have come."""
        workers = list(self._ledger.placement.workers.values())  # other threads ask
        running = sum(len(worker.backlog) for worker in workers)
        return Counts(
            self._submitted,
            self._done,
            self._failed,
            self._retried,
            running + len(self._ledger.gangs),
            self._late,
            self._megabyte_seconds,
        )

    @property
    def workers(self) -> Iterable[int]:
        """The workers that have been started and not been lost."""
        return self._ledger.placement.workers.keys()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is under way and nothing is held."""
        return not (
            self._ledger.tasks or len(self._ledger.objects) or len(self._ledger.streams)
        )

    def warm_up(self) -> None:
        """Have workers started before there is work, by the next `place`."""
        self._ledger.placement.warm_up()

    @property
    def is_waiting_for_ends(self) -> bool:
        """Whether a worker that was told to stop has not ended."""
        return any(w.is_ending for w in self._ledger.placement.workers.values())

    def stop_idle(self) -> list[Instruction]:
        """Stop all workers that have nothing to do."""
        for worker in self._ledger.placement.workers.values():
            if worker.is_ready and not worker.backlog:
                self._ledger.retire(worker.number)
        return self._flush()

    def handle(self, client: int, event: Event, now: float) -> list[Instruction]:
        """Take an event of a client, or of the worker with its number."""
        self._ledger.now = now
        if client == DRIVER or client in self._ledger.placement.workers:
            self._handlers[type(event)](client, event)
            self._settle_down()
        return self._flush()

    def place(self, now: float) -> list[Instruction]:
        """Decide who runs what; call it when no more events are at hand."""
        self._ledger.now = now
        for worker in self._ledger.placement.late_starters(now):
            self._ledger.out.append(End(worker.number))
            self._lost(worker.number, Lost("did not start"))
        if self._ledger.placement.is_stuck() and self._waits.are_patient:
            workers = len(self._ledger.placement.workers)
            why = f"cannot run: all {workers} workers wait, and there may be no more"
            self._give_up(Cause.DEADLOCK, why)
        self._stop_late(now)
        self._settle_down()
        choice = self._ledger.placement.place(now)
        for attempt in choice.attempts:
            self._ledger.run(attempt)
        for worker, number in choice.actors:
            self._actors.make(number, worker)
        self._ledger.out += choice.instructions
        self._copies.start()
        return self._flush()

    def _stop_late(self, now: float) -> None:
        """Kill workers that should have stopped a task themselves, and could not."""
        for attempt in list(self._ledger.timed.values()):
            worker, spec = attempt.worker, attempt.task.spec
            if worker is not None and now >= attempt.latest:
                self._ledger.forget_times(attempt.number)
                worker.is_condemned = True
                self._ledger.out.append(End(worker.number))
                summary = f"ran longer than its timeout of {spec.policy.timeout:g} s"
                failure = Failure(Cause.TIMEOUT, spec.name, summary)
                self._ledger.fail(attempt.task, failed(failure))

    def next_check(self) -> float:
        """Return when `place` has to be called even if nothing happens."""
        timed = [attempt.latest for attempt in self._ledger.timed.values()]
        checks = self._ledger.placement.next_check(), self._copies.next_check()
        return min(*checks, *timed)

    # Refs.

    def _put(self, client: int, event: Put) -> None:
        self._ledger.objects.expect(event.id, 0)
        self._ledger.objects.hold(event.id, client)
        self._ledger.objects.settle(event.id, event.value)

    def _hold(self, client: int, event: Hold) -> None:
        self._ledger.objects.hold(event.id, client)
        self._ledger.streams.claim(event.id)

    def _release(self, client: int, event: Release) -> None:
        self._ledger.objects.release(event.id, client)

    # Tasks.

    def _ship(self, client: int, event: Ship) -> None:
        del client
        if event.digest in self._ledger.codes:  # another client's copy
            self._ledger.discard((event.value,))
            return
        self._ledger.codes[event.digest] = event.value
        for ref in event.value.refs:
            self._ledger.objects.hold(ref)

    def _submit(self, client: int, event: Submit) -> None:
        spec = event.spec
        task = Task(spec)
        self._submitted += 1
        self._ledger.tasks[spec.id] = task
        if spec.num_returns == STREAMING:
            self._ledger.streams.add(spec.id)
        for id in refs_of(spec):
            self._ledger.objects.expect(id, spec.id)
            self._ledger.objects.hold(id, client)
        for id in held_by(spec):
            self._ledger.objects.hold(id)
        task.missing = self._ledger.objects.await_by(spec.id, spec.deps)
        if spec.kind == Kind.CREATE:
            self._actors.add(task)
        elif spec.kind == Kind.METHOD:
            self._actors.call(task)
        if not task.missing:
            self._ready(task)

    def _ready(self, task: Task) -> None:
        """Go on with a task whose arguments are all known."""
        if task.is_over:
            return
        for id in task.spec.deps:
            value = self._ledger.objects.value(id)
            if value is not None and value.form in (Form.FAILURE, Form.END):
                self._not_run(task, value)
                return
        if task.is_plain:
            self._ledger.placement.add(task)
        elif task.spec.kind == Kind.CREATE:
            self._ledger.placement.add_actor(task.spec.id)
        elif task.spec.kind == Kind.METHOD:
            self._actors.pump(task.spec.actor)
        else:
            attempt = self._ledger.placement.assign(task, None, self._ledger.now)
            self._ledger.gangs[attempt.number] = attempt
            values = self._ledger.values(task.spec.deps)
            code = self._ledger.codes[task.spec.code]
            self._ledger.out.append(Begin(attempt.number, task.spec, values, code))

    def _not_run(self, task: Task, failure: Value) -> None:
        """Fail a task that was never begun."""
        if task.spec.kind == Kind.CREATE:
            self._actors.made(task.spec.id, failure)
        else:
            self._ledger.fail(task, failure)

    def _finished(self, client: int, event: Finished) -> None:
        attempt = self._ledger.take_attempt(client, event.attempt)
        if attempt is None:
            if client == DRIVER:  # a gang that was halted
                self._ledger.discard(event.values)
            return
        task = attempt.task
        self._waits.end_task(client, task.spec.id)
        self._megabyte_seconds += event.seconds * task.spec.policy.memory
        failure = failure_in(event.values)
        if task.spec.kind == Kind.CREATE:
            self._made(task, failure)
        elif task.is_over:
            self._late += 1
            self._ledger.discard(event.values)
        elif failure and event.is_retryable and task.retries > 0:
            task.retries -= 1
            self._retried += 1
            self._again(task)
        elif failure is not None:
            self._ledger.fail(task, failure)
        else:
            self._copies.learn(task, event.seconds)
            self._end(task, event.values)
        worker = attempt.worker
        if worker is not None and worker.actor:
            self._actors.pump(worker.actor)

    def _made(self, creation: Task, failure: Value | None) -> None:
        """Go on with an actor that was made, unless it is dead by now."""
        if self._actors.is_being_made(creation.spec.id):
            self._actors.made(creation.spec.id, failure)
        else:
            self._late += 1

    def _again(self, task: Task) -> None:
        """Run a task once more."""
        if task.spec.kind == Kind.METHOD:
            self._actors.put_back(task.spec.actor, [task])
        else:
            self._ready(task)

    def _yielded(self, client: int, event: Yielded) -> None:
        worker = self._ledger.placement.workers[client]
        attempt = worker.backlog.get(event.attempt)
        if attempt is None or attempt.task.is_over:
            self._ledger.discard((event.value,))
        else:
            self._ledger.streams.feed(attempt.task.spec.id, event.place, event.value)

    def _returned(self, client: int, event: Returned) -> None:
        worker = self._ledger.placement.workers[client]
        worker.is_recalled = False
        taken = [self._ledger.take_attempt(client, number) for number in event.attempts]
        tasks = [a.task for a in taken if a is not None and not a.task.is_over]
        if worker.actor and any(task.spec.kind == Kind.CREATE for task in tasks):
            self._actors.lose_place(worker)
        elif worker.actor:
            self._actors.put_back(worker.actor, tasks)
        else:
            self._ledger.placement.put_back(
                [task for task in tasks if not task.attempts]
            )

    def _end(self, task: Task, values: Sequence[Value]) -> None:
        """Give a task's refs their values, and let go of what it needed."""
        task.is_over, task.is_queued = True, False
        spec = task.spec
        self._ledger.tasks.pop(spec.id, None)
        failure = failure_in(values)
        self._done += failure is None
        self._failed += failure is not None
        if spec.num_returns == STREAMING:
            self._ledger.streams.finish(spec.id, failure)
            values = values or (_ENDED,)
        ids = refs_of(spec)
        if failure is not None:
            values = (failure,) * len(ids)
        for id, value in zip(ids, values, strict=False):
            self._ledger.objects.settle(id, value)
        for attempt in task.attempts.values():
            if attempt.worker is not None:
                self._ledger.out.append(
                    Tell(attempt.worker.number, Interrupt(attempt.number))
                )
            else:
                self._ledger.gangs.pop(attempt.number, None)
                self._ledger.out.append(Halt(attempt.number))
        if spec.kind != Kind.CREATE:  # an actor may be made anew
            self._ledger.let_go(spec)
        if spec.kind == Kind.METHOD:  # others may have waited for it
            self._actors.pump(spec.actor)

    def _cancel(self, client: int, event: Cancel) -> None:
        del client
        task = self._ledger.tasks.get(self._ledger.objects.task_of(event.id))
        if task is None or task.spec.kind == Kind.CREATE:
            return
        family = [task, *self._children(task)] if event.recursive else [task]
        for each in family:
            workers = [attempt.worker for attempt in each.attempts.values()]
            self._end(each, (_cancelled(each),))
            for worker in workers if event.force else ():
                if worker is not None and not worker.actor:
                    worker.is_condemned = True
                    self._ledger.out.append(End(worker.number))

    def _children(self, task: Task) -> list[Task]:
        """Return what a task has submitted, and what that has, as far as it lives."""
        by_parent: defaultdict[int, list[Task]] = defaultdict(list)
        for each in self._ledger.tasks.values():
            if each.spec.kind != Kind.CREATE:
                by_parent[each.spec.parent].append(each)
        family = [task]
        for member in family:
            family += by_parent.pop(member.spec.id, []) if member.spec.id else []
        return family[1:]

    # Workers.

    def _hello(self, client: int, event: Hello) -> None:
        worker = self._ledger.placement.workers[client]
        wrong = self._mismatch(event.versions)
        if wrong is None:
            worker.is_ready, worker.since = True, self._ledger.now
            self._failed_starts = 0
        else:
            self._give_up(Cause.VERSIONS, f"cannot run: {wrong}")
            worker.is_condemned = worker.is_ending = True
            self._ledger.out.append(End(client))

    def _retire(self, client: int, event: Retire) -> None:
        """Give a worker whose time is over nothing more, and let it go."""
        del event
        self._ledger.retire(client)

    def _bye(self, client: int, event: Bye) -> None:
        """Expect nothing more of a worker; what it used is the driver's business."""
        del event
        self._ledger.placement.workers[client].is_ending = True

    def _lost(self, client: int, event: Lost) -> None:
        worker = self._ledger.placement.workers.pop(client)
        self._waits.drop_client(client)
        self._ledger.objects.drop_client(client)
        if not worker.is_ready and not worker.is_condemned:
            self._failed_starts += 1
            if self._failed_starts >= _FAILED_STARTS:
                why = (
                    f"cannot run: no worker could be started, the last one {event.how}"
                )
                self._give_up(Cause.CRASHED, why)
        if worker.actor:
            self._actors.lost(worker, event.how)
        self._lost_attempts(worker, event.how)

    def _lost_attempts(self, worker: Worker, how: str) -> None:
        attempts = list(worker.backlog.values())
        for attempt in attempts:
            attempt.task.attempts.pop(attempt.number, None)
            self._ledger.forget_times(attempt.number)
        tasks = [a.task for a in attempts if a.task.is_plain and not a.task.is_over]
        is_sure = len(attempts) == 1 and not worker.is_condemned
        back = []
        for task in tasks:
            if task.attempts:  # another copy is under way
                continue
            if is_sure and not task.retries:
                summary = f"did not end: its worker {how}"
                failure = Failure(Cause.CRASHED, task.spec.name, summary)
                self._ledger.fail(task, failed(failure))
                continue
            if is_sure:
                task.retries -= 1
                self._retried += 1
            task.is_alone = task.is_alone or not worker.is_condemned
            back.append(task)
        self._ledger.placement.put_back(back)

    def _give_up(self, cause: Cause, summary: str) -> None:
        """Fail all that waits for a worker."""
        self._failed_starts = 0
        tasks, actors = self._ledger.placement.drain()
        for task in tasks:
            if not task.is_over:
                failure = Failure(cause, task.spec.name, summary)
                self._ledger.fail(task, failed(failure))
        for number in actors:
            self._actors.give_up(number, cause, summary)

    # What follows from an event.

    def _settle_down(self) -> None:
        """Go on with what waited for values, and let go of what nobody holds."""
        ledger, objects = self._ledger, self._ledger.objects
        while ledger.failing or objects.woken or objects.freed:
            failing, ledger.failing = ledger.failing, []
            for task, failure in failing:
                if not task.is_over:
                    self._end(task, (failure,))
            woken, objects.woken = objects.woken, []
            for id in woken:
                self._go_on(id)
            freed, objects.freed = objects.freed, []
            for id in freed:
                ledger.streams.drop(id)
                self._actors.abandon(id)
                self._stop_stream(id)

    def _stop_stream(self, id: int) -> None:
        """Cancel a generator that nobody reads any more: it may never end."""
        task = self._ledger.tasks.get(id)
        if task is not None and task.spec.num_returns == STREAMING:
            self._end(task, (_cancelled(task),))

    def _go_on(self, id: int) -> None:
        """Take note that one more argument of a task is known."""
        task = self._ledger.tasks.get(id)
        if task is not None:
            task.missing -= 1
            if not task.missing:
                self._ready(task)

    def _flush(self) -> list[Instruction]:
        """Return what is to be done; whoever is answered does not wait any more."""
        ledger = self._ledger
        out = ledger.out + ledger.objects.instructions
        ledger.out, ledger.objects.instructions = [], []
        self._waits.note_answers(out)
        return out


def _cancelled(task: Task) -> Value:
    return failed(Failure(Cause.CANCELLED, task.spec.name, "was cancelled"))
