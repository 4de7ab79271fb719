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

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

from serverless_dist.tasks.actors import Actor
from serverless_dist.tasks.attempts import Attempt, Task, Worker
from serverless_dist.tasks.deadlocks import find_cycle
from serverless_dist.tasks.instructions import (
    Begin,
    End,
    Event,
    Halt,
    Instruction,
    Lost,
    Remove,
    Tell,
)
from serverless_dist.tasks.messages import (
    DRIVER,
    STREAMING,
    Answer,
    Ask,
    Bye,
    Cancel,
    Code,
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
    Run,
    Ship,
    Stop,
    Submit,
    Unask,
    Yielded,
)
from serverless_dist.tasks.objects import ObjectTable
from serverless_dist.tasks.placement import Capacity, Placement
from serverless_dist.tasks.stragglers import Stragglers
from serverless_dist.tasks.streams import Streams
from serverless_dist.tasks.values import Cause, Failure, Form, Value, failed, failure_of

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
        self._objects = ObjectTable()
        self._streams = Streams(self._objects)
        self._placement = Placement(capacity)
        self._tasks: dict[int, Task] = {}
        self._actors: dict[int, Actor] = {}
        self._names: dict[str, int] = {}
        self._codes: dict[bytes, Value] = {}
        self._gangs: dict[int, Attempt] = {}
        self._waits: dict[tuple[int, int], Ask] = {}  # of tasks, by client and request
        self._stragglers = Stragglers()
        self._hurried: dict[int, Attempt] = {}  # attempts that may get a second copy
        self._woken: deque[tuple[int, Value | None]] = deque()
        self._failed_starts = 0
        self._now = 0.0
        self._out: list[Instruction] = []
        self._submitted = self._done = self._failed = self._retried = self._late = 0
        self._megabyte_seconds = 0.0
        self._handlers: Mapping[type[Any], Callable[[int, Any], None]] = {
            Submit: self._submit,
            Ask: self._ask,
            Unask: self._unask,
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
            Kill: self._kill,
            Find: self._find,
            HandOver: self._hand_over,
            Bye: self._bye,
            Lost: self._lost,
        }

    def __repr__(self) -> str:
        return f"<Lifecycle {len(self._tasks)} tasks, {len(self._objects)} refs>"

    @property
    def counts(self) -> Counts:
        """How far the tasks have come."""
        running = sum(len(w.backlog) for w in self._placement.workers.values())
        return Counts(
            self._submitted,
            self._done,
            self._failed,
            self._retried,
            running + len(self._gangs),
            self._late,
            self._megabyte_seconds,
        )

    @property
    def workers(self) -> Iterable[int]:
        """The workers that have been started and not been lost."""
        return self._placement.workers.keys()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is under way and nothing is held."""
        return not (self._tasks or len(self._objects) or len(self._streams))

    def warm_up(self) -> None:
        """Have workers started before there is work, by the next `place`."""
        self._placement.warm_up()

    def handle(self, client: int, event: Event, now: float) -> list[Instruction]:
        """Take an event of a client, or of the worker with its number."""
        self._now = now
        if client == DRIVER or client in self._placement.workers:
            self._handlers[type(event)](client, event)
            self._settle_down()
        return self._flush()

    def place(self, now: float) -> list[Instruction]:
        """Decide who runs what; call it when no more events are at hand."""
        self._now = now
        for worker in self._placement.late_starters(now):
            self._out.append(End(worker.number))
            self._lost(worker.number, Lost("did not start"))
        self._settle_down()
        choice = self._placement.place(now)
        for attempt in choice.attempts:
            self._run(attempt)
        for worker, number in choice.actors:
            self._make_actor(self._actors[number], worker)
        self._out += choice.instructions
        self._hurry()
        return self._flush()

    def next_check(self) -> float:
        """Return when `place` has to be called even if nothing happens."""
        late = [
            when
            for attempt in self._hurried.values()
            if (when := self._when_late(attempt)) is not None
        ]
        return min(self._placement.next_check(), min(late, default=inf))

    # Refs.

    def _put(self, client: int, event: Put) -> None:
        self._objects.expect(event.id, 0)
        self._objects.hold(event.id, client)
        self._objects.settle(event.id, event.value)

    def _hold(self, client: int, event: Hold) -> None:
        self._objects.hold(event.id, client)
        self._streams.claim(event.id)

    def _release(self, client: int, event: Release) -> None:
        self._objects.release(event.id, client)

    def _ask(self, client: int, event: Ask) -> None:
        for id in event.ids:
            self._streams.expect(id)
        question = self._objects.ask(client, event)
        if question.is_answered or not event.task:
            return
        worker = self._placement.workers.get(client)
        if worker is None:
            return
        worker.waits += 1
        self._waits[client, event.request] = event
        if event.is_patient and event.wants_values and event.needed == len(event.ids):
            cycle = find_cycle(event.task, self._waits_for)
            if cycle is not None:
                failure = failed(self._deadlock(cycle))
                self._objects.answer(client, event.request, failure)

    def _unask(self, client: int, event: Unask) -> None:
        self._objects.answer(client, event.request)

    def _waits_for(self, id: int) -> Iterator[int]:
        """Return the tasks that have to end before this one can go on."""
        task = self._tasks.get(id)
        if task is None:
            return
        if task.missing:
            yield from self._unknown(task.spec.deps)
        actor = self._actors.get(task.spec.actor)
        if actor is not None:
            before = actor.before(task)
            if before:
                yield before
        for ask in self._waits.values():
            if ask.task == id and ask.is_patient and ask.needed == len(ask.ids):
                yield from self._unknown(ask.ids)

    def _unknown(self, ids: Iterable[int]) -> Iterator[int]:
        for id in ids:
            if self._objects.value(id) is None:
                yield self._objects.task_of(id)

    def _deadlock(self, cycle: Sequence[int]) -> Failure:
        names = [self._tasks[id].spec.name for id in cycle if id in self._tasks]
        chain = ", which waits for ".join([*names[1:], names[0]])
        return Failure(Cause.DEADLOCK, names[0], f"waits for {chain}")

    # Tasks.

    def _ship(self, client: int, event: Ship) -> None:
        del client
        if event.digest not in self._codes:
            self._codes[event.digest] = event.value
            for ref in event.value.refs:
                self._objects.hold(ref)

    def _submit(self, client: int, event: Submit) -> None:
        spec = event.spec
        task = Task(spec)
        self._submitted += 1
        self._tasks[spec.id] = task
        if spec.num_returns == STREAMING:
            self._streams.add(spec.id)
        for id in _refs_of(spec):
            self._objects.expect(id, spec.id)
            self._objects.hold(id, client)
        for id in _held_by(spec):
            self._objects.hold(id)
        task.missing = self._objects.await_by(spec.id, spec.deps)
        if spec.kind == Kind.CREATE:
            self._actors[spec.id] = Actor(task)
            if spec.policy.actor_name:
                self._names.setdefault(spec.policy.actor_name, spec.id)
        elif spec.kind == Kind.METHOD:
            self._call(task)
        if not task.missing:
            self._ready(task)

    def _call(self, task: Task) -> None:
        actor = self._actors.get(task.spec.actor)
        if actor is None:
            failure = Failure(Cause.ACTOR, task.spec.name, "has no actor: it is gone")
            self._end_later(task, failed(failure))
        elif actor.death is not None:
            self._end_later(task, actor.failure_of(task))
        else:
            actor.calls.append(task)

    def _ready(self, task: Task) -> None:
        """Go on with a task whose arguments are all known."""
        if task.is_over:
            return
        for id in task.spec.deps:
            value = self._objects.value(id)
            if value is not None and value.form in (Form.FAILURE, Form.END):
                self._end_later(task, value)
                return
        if task.is_plain:
            self._placement.add(task)
        elif task.spec.kind == Kind.CREATE:
            self._placement.add_actor(task.spec.id)
        elif task.spec.kind == Kind.METHOD:
            self._pump(self._actors.get(task.spec.actor))
        else:
            attempt = self._placement.assign(task, None, self._now)
            self._gangs[attempt.number] = attempt
            values = self._values(task.spec.deps)
            self._out.append(Begin(attempt.number, task.spec, values))

    def _run(self, attempt: Attempt, state: Value | None = None) -> None:
        """Send an attempt to its worker, after the code that it needs."""
        worker, spec = attempt.worker, attempt.task.spec
        assert worker is not None
        if spec.code and spec.code not in worker.codes:
            worker.codes.add(spec.code)
            code = Code(spec.code, self._codes[spec.code])
            self._out.append(Tell(worker.number, code))
        run = Run(attempt.number, spec, self._values(spec.deps), state)
        self._out.append(Tell(worker.number, run))
        if spec.policy.speculative:
            self._hurried[attempt.number] = attempt
        if worker.is_ending:  # it runs one task
            self._out.append(Tell(worker.number, Stop()))

    def _values(self, ids: Iterable[int]) -> tuple[Value, ...]:
        values = [self._objects.value(id) for id in ids]
        return tuple([value for value in values if value is not None])

    def _finished(self, client: int, event: Finished) -> None:
        attempt = self._take_attempt(client, event.attempt)
        if attempt is None:
            return
        task = attempt.task
        self._megabyte_seconds += event.seconds * task.spec.policy.memory
        failure = _failure_in(event.values)
        if task.is_over:
            self._late += 1
            self._discard(event.values)
        elif failure and event.is_retryable and task.retries > 0:
            task.retries -= 1
            self._retried += 1
            self._again(task)
        else:
            if task.spec.policy.speculative:
                self._stragglers.finished(task.spec.code, event.seconds)
            self._conclude(task, event, failure)
        worker = attempt.worker
        if worker is not None and worker.actor:
            self._pump(self._actors.get(worker.actor))

    def _take_attempt(self, client: int, number: int) -> Attempt | None:
        """Take out an attempt that has ended; None: it is not under way."""
        worker = self._placement.workers.get(client)
        if worker is None:
            attempt = self._gangs.pop(number, None)
        else:
            attempt = worker.backlog.pop(number, None)
            if not worker.backlog:
                worker.since = self._now
        if attempt is not None:
            del attempt.task.attempts[number]
            self._hurried.pop(number, None)
        return attempt

    def _conclude(self, task: Task, event: Finished, failure: Value | None) -> None:
        if task.spec.kind == Kind.CREATE:
            self._made(self._actors[task.spec.id], failure)
        elif failure is not None:
            self._end_later(task, failure)
        else:
            self._end(task, event.values)

    def _again(self, task: Task) -> None:
        """Run a task once more."""
        if task.spec.kind == Kind.METHOD:
            actor = self._actors[task.spec.actor]
            actor.put_back([task])
            self._pump(actor)
        else:
            self._ready(task)

    def _yielded(self, client: int, event: Yielded) -> None:
        worker = self._placement.workers[client]
        attempt = worker.backlog.get(event.attempt)
        if attempt is None or attempt.task.is_over:
            self._discard((event.value,))
        else:
            self._streams.feed(attempt.task.spec.id, event.place, event.value)

    def _returned(self, client: int, event: Returned) -> None:
        worker = self._placement.workers[client]
        worker.is_recalled = False
        taken = [self._take_attempt(client, number) for number in event.attempts]
        tasks = [a.task for a in taken if a is not None and not a.task.is_over]
        if worker.actor:
            actor = self._actors.get(worker.actor)
            if actor is not None:
                actor.put_back(tasks)
        else:
            self._placement.put_back([task for task in tasks if not task.attempts])

    def _end_later(self, task: Task, failure: Value) -> None:
        """End a task with a failure, but not from inside of what it depends on."""
        self._woken.append((task.spec.id, failure))

    def _end(self, task: Task, values: Sequence[Value]) -> None:
        """Give a task's refs their values, and let go of what it needed."""
        task.is_over, task.is_queued = True, False
        spec = task.spec
        self._tasks.pop(spec.id, None)
        failure = _failure_in(values)
        self._done += failure is None
        self._failed += failure is not None
        if spec.num_returns == STREAMING:
            self._streams.finish(spec.id, failure)
            values = values or (Value(Form.END, b""),)
        ids = _refs_of(spec)
        if failure is not None:
            values = (failure,) * len(ids)
        for id, value in zip(ids, values, strict=False):
            self._woken += [(each, None) for each in self._objects.settle(id, value)]
        for attempt in task.attempts.values():
            if attempt.worker is not None:
                self._out.append(Tell(attempt.worker.number, Interrupt(attempt.number)))
            else:
                self._gangs.pop(attempt.number, None)
                self._out.append(Halt(attempt.number))
        if spec.kind != Kind.CREATE:  # an actor may be made anew
            self._let_go(spec)

    def _let_go(self, spec: Any) -> None:
        for id in _held_by(spec):
            self._objects.release(id)

    def _discard(self, values: Iterable[Value]) -> None:
        keys = [value.data for value in values if value.form == Form.STORED]
        if keys:
            self._out.append(Remove(keys))

    def _cancel(self, client: int, event: Cancel) -> None:
        del client
        task = self._tasks.get(self._objects.task_of(event.id))
        if task is None or task.spec.kind == Kind.CREATE:
            return
        family = [task, *self._children(task)] if event.recursive else [task]
        for each in family:
            workers = [attempt.worker for attempt in each.attempts.values()]
            failure = Failure(Cause.CANCELLED, each.spec.name, "was cancelled")
            self._end(each, (failed(failure),))
            for worker in workers if event.force else ():
                if worker is not None and not worker.actor:
                    worker.is_condemned = True
                    self._out.append(End(worker.number))

    def _children(self, task: Task) -> list[Task]:
        """Return what a task has submitted, and what that has, as far as it lives."""
        by_parent: defaultdict[int, list[Task]] = defaultdict(list)
        for each in self._tasks.values():
            if each.spec.kind != Kind.CREATE:
                by_parent[each.spec.parent].append(each)
        family = [task]
        for member in family:
            family += by_parent.pop(member.spec.id, []) if member.spec.id else []
        return family[1:]

    # Workers.

    def _hello(self, client: int, event: Hello) -> None:
        worker = self._placement.workers[client]
        wrong = self._mismatch(event.versions)
        if wrong is None:
            worker.is_ready, worker.since = True, self._now
            self._failed_starts = 0
        else:
            self._give_up(Cause.VERSIONS, f"cannot run: {wrong}")
            worker.is_condemned = worker.is_ending = True
            self._out.append(End(client))

    def _retire(self, client: int, event: Retire) -> None:
        """Give a worker whose time is over nothing more, and let it go."""
        del event
        worker = self._placement.workers[client]
        if not worker.is_ending:
            worker.is_ending = True
            self._out.append(Tell(client, Stop()))

    def _bye(self, client: int, event: Bye) -> None:
        """Expect nothing more of a worker; what it used is the driver's business."""
        del event
        self._placement.workers[client].is_ending = True

    def _lost(self, client: int, event: Lost) -> None:
        worker = self._placement.workers.pop(client)
        for key in [key for key in self._waits if key[0] == client]:
            del self._waits[key]
        self._objects.drop_client(client)
        if not worker.is_ready and not worker.is_condemned:
            self._failed_starts += 1
            if self._failed_starts >= _FAILED_STARTS:
                why = (
                    f"cannot run: no worker could be started, the last one {event.how}"
                )
                self._give_up(Cause.CRASHED, why)
        if worker.actor:
            self._lost_actor(worker, event.how)
        self._lost_attempts(worker, event.how)

    def _lost_attempts(self, worker: Worker, how: str) -> None:
        attempts = list(worker.backlog.values())
        for attempt in attempts:
            attempt.task.attempts.pop(attempt.number, None)
            self._hurried.pop(attempt.number, None)
        tasks = [a.task for a in attempts if a.task.is_plain and not a.task.is_over]
        is_sure = len(attempts) == 1 and not worker.is_condemned
        back = []
        for task in tasks:
            if task.attempts:  # another copy is under way
                continue
            if is_sure and not task.retries:
                summary = f"did not end: its worker {how}"
                failure = Failure(Cause.CRASHED, task.spec.name, summary)
                self._end_later(task, failed(failure))
                continue
            if is_sure:
                task.retries -= 1
                self._retried += 1
            task.is_alone = task.is_alone or not worker.is_condemned
            back.append(task)
        self._placement.put_back(back)

    def _give_up(self, cause: Cause, summary: str) -> None:
        """Fail all that waits for a worker."""
        self._failed_starts = 0
        tasks, actors = self._placement.drain()
        for task in tasks:
            if not task.is_over:
                failure = Failure(cause, task.spec.name, summary)
                self._end_later(task, failed(failure))
        for number in actors:
            actor = self._actors.get(number)
            if actor is not None:
                self._bury(actor, Failure(cause, actor.name, summary))

    # Actors.

    def _make_actor(self, actor: Actor, worker: Worker) -> None:
        actor.worker = worker
        self._run(self._placement.assign(actor.task, worker, self._now), actor.state)

    def _made(self, actor: Actor, failure: Value | None) -> None:
        """Take note that the constructor has returned, or raised."""
        if failure is None:
            actor.is_alive = True
            if not actor.task.is_over:
                self._end(actor.task, (Value(Form.INLINE, b""),))
            return
        why = failure_of(failure)
        death = why._replace(cause=Cause.ACTOR, summary=f"was not made: {why.summary}")
        worker = actor.worker
        self._bury(actor, death)
        if worker is not None:
            self._retire(worker.number, Retire())

    def _pump(self, actor: Actor | None) -> None:
        """Send an actor's worker the calls that it can run."""
        if actor is not None:
            for call, worker in actor.ripe():
                self._run(self._placement.assign(call, worker, self._now))

    def _lost_actor(self, worker: Worker, how: str) -> None:
        actor = self._actors.get(worker.actor)
        if actor is None or actor.worker is not worker:
            return
        if actor.restarts:
            actor.restarts -= actor.restarts > 0  # below 0: without end
            self._forget_state(actor)
            for call in actor.lose_worker(is_final=False):
                self._end_later(call, actor.failure_of(call))
            self._placement.add_actor(actor.task.spec.id)
        else:
            summary = f"is gone: its worker {how}"
            self._bury(actor, Failure(Cause.ACTOR, actor.name, summary))

    def _kill(self, client: int, event: Kill) -> None:
        del client
        actor = self._actors.get(event.actor)
        if actor is None or actor.death is not None:
            return
        worker = actor.worker
        if event.no_restart:
            death = Failure(Cause.ACTOR, actor.name, "was killed")
            self._bury(actor, death)
        if worker is not None:
            worker.is_condemned = True
            self._out.append(End(worker.number))

    def _bury(self, actor: Actor, death: Failure) -> None:
        name = actor.task.spec.policy.actor_name
        if name and self._names.get(name) == actor.task.spec.id:
            del self._names[name]
        self._placement.remove_actor(actor.task.spec.id)
        for call in actor.bury(death):
            self._end_later(call, actor.failure_of(call))
        if not actor.task.is_over:
            self._end_later(actor.task, failed(death))
        self._forget_state(actor)
        self._let_go(actor.task.spec)

    def _find(self, client: int, event: Find) -> None:
        number = self._names.get(event.name)
        if number is None:
            answer = Answer(event.request, ())
        else:
            self._objects.hold(number, client)
            code = self._codes[self._actors[number].task.spec.code]
            answer = Answer(event.request, (number,), (code,))
        self._out.append(Tell(client, answer))

    def _hand_over(self, client: int, event: HandOver) -> None:
        worker = self._placement.workers[client]
        actor = self._actors.get(worker.actor)
        if actor is None or actor.worker is not worker:
            self._discard((event.state,))
            return
        self._forget_state(actor)
        actor.state = event.state
        calls = actor.hand_over()
        for number in list(worker.backlog):  # none of them has begun
            self._take_attempt(client, number)
        actor.put_back(calls)
        self._retire(client, Retire())
        self._placement.add_actor(actor.task.spec.id)

    def _forget_state(self, actor: Actor) -> None:
        if actor.state is not None:
            self._discard((actor.state,))
            actor.state = None

    # Copies of what is late.

    def _hurry(self) -> None:
        """Give idle workers copies of attempts that are late."""
        for attempt in list(self._hurried.values()):
            when = self._when_late(attempt)
            if when is None or self._now < when:
                continue
            idle = (w for w in self._placement.workers.values() if w.is_idle)
            worker = next(idle, None)
            if worker is None:
                return
            copy = self._placement.assign(attempt.task, worker, self._now)
            self._run(copy)
            del self._hurried[attempt.number], self._hurried[copy.number]

    def _when_late(self, attempt: Attempt) -> float | None:
        seconds = self._stragglers.when_late(attempt.task.spec.code)
        return None if seconds is None else attempt.begun + seconds

    # What follows from an event.

    def _settle_down(self) -> None:
        """Go on with what waited for values, and let go of what nobody holds."""
        objects = self._objects
        while self._woken or objects.freed:
            while self._woken:
                id, failure = self._woken.popleft()
                task = self._tasks.get(id)
                if task is None:
                    continue
                if failure is not None:
                    self._end(task, (failure,))
                    continue
                task.missing -= 1
                if not task.missing:
                    self._ready(task)
            freed, objects.freed = objects.freed, []
            for id in freed:
                self._streams.drop(id)
                if id in self._actors:
                    self._abandon(self._actors.pop(id))

    def _abandon(self, actor: Actor) -> None:
        """End an actor that nobody can call any more."""
        worker = actor.worker
        if actor.death is None:
            self._bury(actor, Failure(Cause.ACTOR, actor.name, "is not held any more"))
        if worker is not None:
            self._retire(worker.number, Retire())

    def _flush(self) -> list[Instruction]:
        """Return what is to be done; whoever is answered does not wait any more."""
        out = self._out + self._objects.instructions
        self._out, self._objects.instructions = [], []
        for each in out if self._waits else ():
            if type(each) is Tell and type(each.order) is Answer:
                ask = self._waits.pop((each.client, each.order.request), None)
                worker = self._placement.workers.get(each.client)
                if ask is not None and worker is not None:
                    worker.waits -= 1
        return out


def _refs_of(spec: Any) -> range:
    """Return the ids of a task's refs."""
    return range(spec.id, spec.id + abs(spec.num_returns))


def _held_by(spec: Any) -> Iterator[int]:
    """Return the ids that a task holds until it ends."""
    yield from spec.deps
    yield from spec.payload.refs
    if spec.actor:
        yield spec.actor


def _failure_in(values: Sequence[Value]) -> Value | None:
    if len(values) == 1 and values[0].form == Form.FAILURE:
        return values[0]
    return None
