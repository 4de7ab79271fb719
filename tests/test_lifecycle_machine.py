"""The life of tasks under any order of events: late, twice, missing, failing.

A machine plays the driver's process and all workers. At every step the played session
checks what the lifecycle wants done; when everything has gone on as well as it can,
nothing may be left open, and when everything has been released, nothing may be left.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

import hypothesis.strategies as st
from hypothesis import Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)

from serverless_dist.tasks.instructions import Lost
from serverless_dist.tasks.messages import (
    DRIVER,
    STREAMING,
    Ask,
    Bye,
    Cancel,
    Find,
    Finished,
    Hello,
    Kill,
    Kind,
    Message,
    Policy,
    Put,
    Retire,
    Returned,
    Submit,
    Yielded,
)
from serverless_dist.tasks.values import END, Cause, Value
from tests.played_session import PlayedSession, inline, stored
from tests.played_turns import end_gang, end_or_begin, living, read, settle
from tests.played_workers import PlayedWorker, failure

REPEATED = (Hello, Finished, Yielded, Returned, Retire, Bye)  # may come twice
KINDS = [Kind.CALL] * 4 + [Kind.METHOD] * 4 + [Kind.CREATE, Kind.MAP, Kind.GANG]
NAMES = st.sampled_from(["", "", "ada", "bob"])
POLICIES = st.tuples(
    st.integers(0, 2), st.booleans(), st.booleans(), st.integers(-1, 2), NAMES
).map(
    lambda chosen: Policy(
        retries=chosen[0],
        retry_errors=chosen[1],
        speculative=chosen[2],
        restarts=chosen[3],
        actor_name=chosen[4],
    )
)
RETURNS = st.sampled_from([0, 1, 1, 2, STREAMING, STREAMING])


class LifecycleMachine(RuleBasedStateMachine):
    """Rules are what may happen next; each draws to whom it happens."""

    session: PlayedSession

    @initialize(
        slots=st.integers(1, 3),
        reuse=st.sampled_from([True, True, True, False]),
        is_known=st.booleans(),
    )
    def start(self, slots: int, *, reuse: bool, is_known: bool) -> None:
        self.session = PlayedSession(slots, reuse=reuse)
        self.serial = 0
        self.streams: set[int] = set()
        self.actors: set[int] = set()
        if is_known:  # how long tasks take, so that some are late; and an actor
            for _ in range(3):
                self.session.submit(self.session.spec(policy=Policy(speculative=True)))
            policy = Policy(retries=0, restarts=1)
            creation = self.session.spec(Kind.CREATE, policy=policy)
            self.actors.add(self.session.submit(creation))
            settle(self.session)

    # What there is.

    @property
    def refs(self) -> list[int]:
        return sorted(self.session.held)

    def some(self, data: st.DataObject, refs: Sequence[int]) -> list[int]:
        return data.draw(st.lists(st.sampled_from(refs), max_size=3)) if refs else []

    def deps(self, data: st.DataObject, refs: Sequence[int]) -> list[int]:
        """Return some that can take an argument's place."""
        values = [ref for ref in refs if ref not in self.streams | self.actors]
        return self.some(data, values)

    def value(self, data: st.DataObject, refs: Sequence[int] = ()) -> Value:
        self.serial += 1
        make = data.draw(st.sampled_from([inline, stored]))
        return make(f"value {self.serial}", *self.some(data, refs))

    def busy(self) -> list[PlayedWorker]:
        return [worker for worker in living(self.session) if worker.can_go_on]

    # What the driver's process does.

    @rule(data=st.data(), kind=st.sampled_from(KINDS), returns=RETURNS, policy=POLICIES)
    def submit(
        self, data: st.DataObject, kind: Kind, returns: int, policy: Policy
    ) -> None:
        self._submit(data, kind, returns, policy)

    @rule(data=st.data(), policy=POLICIES)
    def make_an_actor_and_call_it(self, data: st.DataObject, policy: Policy) -> None:
        self._submit(data, Kind.CREATE, 1, policy)
        for _ in range(3):
            self._submit(data, Kind.METHOD, 1, policy)

    @precondition(lambda self: len(self.session.submitted) < 50)
    @rule(policy=POLICIES, count=st.integers(5, 20))
    def submit_many(self, policy: Policy, count: int) -> None:
        for _ in range(count):
            self.session.submit(self.session.spec(returns=0, policy=policy))

    def _submit(
        self, data: st.DataObject, kind: Kind, returns: int, policy: Policy
    ) -> None:
        actors = [ref for ref in self.refs if ref in self.actors]
        if kind == Kind.METHOD and not actors:
            kind = Kind.CALL
        spec = self.session.spec(
            kind,
            returns=1 if kind in (Kind.CREATE, Kind.GANG) else returns,
            deps=self.deps(data, self.refs),
            nested=self.some(data, self.refs),
            actor=data.draw(st.sampled_from(actors)) if kind == Kind.METHOD else 0,
            policy=policy
            if kind in (Kind.CALL, Kind.MAP)
            else policy._replace(speculative=False),
            is_stored=data.draw(st.booleans()),
        )
        self.session.submit(spec)
        if kind == Kind.CREATE:
            self.actors.add(spec.id)
        elif spec.num_returns == STREAMING:
            self.streams.add(spec.id)

    @rule(data=st.data())
    def put(self, data: st.DataObject) -> None:
        self.session.put(self.value(data, self.refs))

    @precondition(lambda self: bool(self.refs))
    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        self.session.hold(data.draw(st.sampled_from(self.refs)))

    @precondition(lambda self: bool(self.refs))
    @rule(data=st.data(), most=st.integers(1, 5))
    def release(self, data: st.DataObject, most: int) -> None:
        for _ in range(min(most, len(self.refs))):
            self.session.release(data.draw(st.sampled_from(self.refs)))

    @precondition(lambda self: bool(self.refs))
    @rule(data=st.data(), is_eager=st.booleans(), wants_values=st.booleans())
    def ask(self, data: st.DataObject, *, is_eager: bool, wants_values: bool) -> None:
        refs = sorted(set(self.some(data, self.refs))) or self.refs
        needed = data.draw(st.integers(1, len(refs)))
        self.session.ask(refs, needed, is_eager=is_eager, wants_values=wants_values)

    @precondition(lambda self: bool(self.streams & set(self.session.held)))
    @rule(data=st.data(), place=st.integers(0, 2))
    def claim(self, data: st.DataObject, place: int) -> None:
        """Hold a value of a stream, if it is there; nobody takes one twice."""
        streams = sorted(self.streams & set(self.session.held))
        item = data.draw(st.sampled_from(streams)) + 1 + place
        if item not in self.session.final:
            value = self.session.value(item)
            if value is not None and value != END:
                self.session.hold(item)

    @precondition(lambda self: bool(self.refs))
    @rule(data=st.data(), force=st.booleans(), recursive=st.booleans())
    def cancel(self, data: st.DataObject, *, force: bool, recursive: bool) -> None:
        ref = data.draw(st.sampled_from(self.refs))
        self.session.tell(DRIVER, Cancel(ref, force, recursive))

    @precondition(lambda self: bool(self.actors & set(self.session.held)))
    @rule(data=st.data(), no_restart=st.booleans())
    def kill(self, data: st.DataObject, *, no_restart: bool) -> None:
        actors = sorted(self.actors & set(self.session.held))
        self.session.tell(DRIVER, Kill(data.draw(st.sampled_from(actors)), no_restart))

    @rule(name=NAMES)
    def find(self, name: str) -> None:
        self.session.requests += 1
        request = self.session.requests
        self.session.tell(DRIVER, Find(request, name))
        self.session.held.update(self.session.answers[request].ids)

    @precondition(lambda self: bool(self.session.gangs))
    @rule(data=st.data())
    def end_gang(self, data: st.DataObject) -> None:
        attempt = data.draw(st.sampled_from(sorted(self.session.gangs)))
        end_gang(self.session, attempt, self.value(data))

    # What workers do.

    @rule(seconds=st.sampled_from([0.0, 0.0, 0.0, 0.1, 1.0, 61.0]))
    def everybody_begins_what_there_is(self, seconds: float) -> None:
        self.session.place(seconds)
        for worker in living(self.session):
            self._begin(worker)
            self._hear(worker, len(worker.said), 1)
        self.session.place()

    @precondition(lambda self: bool(living(self.session)))
    @rule(
        data=st.data(),
        step=st.sampled_from(
            ["begin", "read one", "hear", "hear one twice", "retire", "end all"]
        ),
    )
    def somebody_does(self, data: st.DataObject, step: str) -> None:
        worker = data.draw(st.sampled_from(living(self.session)))
        match step:
            case "begin":
                self._begin(worker)
            case "read one" if worker.orders and not worker.has_ended:
                worker.read()
            case "hear":
                self._hear(worker, len(worker.said), 1)
            case "hear one twice":
                self._hear(worker, 1, 2)
            case "retire" if worker.can_retire:
                worker.retire(self._state())
            case "end all":
                while worker.can_go_on or (worker.line and not worker.running):
                    end_or_begin(self.session, worker)

    def _state(self) -> Value:
        self.serial += 1
        return stored(f"state {self.serial}")

    def homes(self) -> list[PlayedWorker]:
        """Return the workers of actors that may hand them over."""
        return [w for w in living(self.session) if w.is_made and w.can_retire]

    @precondition(lambda self: bool(self.homes()))
    @rule(data=st.data(), is_heard=st.booleans())
    def hand_over(self, data: st.DataObject, *, is_heard: bool) -> None:
        worker = data.draw(st.sampled_from(self.homes()))
        worker.retire(self._state())
        self._hear(worker, len(worker.said) * is_heard, 1)

    @precondition(lambda self: bool(self.busy()))
    @rule(
        data=st.data(),
        is_heard=st.booleans(),
        outcome=st.sampled_from(["value", "value", "value", "error", "retryable"]),
    )
    def end(self, data: st.DataObject, outcome: str, *, is_heard: bool) -> None:
        worker = data.draw(st.sampled_from(self.busy()))
        run = worker.running
        assert run is not None
        if outcome != "value":
            raised = failure(Cause.RAISED, run.spec.name)
            is_retryable = outcome == "retryable" and run.spec.policy.retry_errors
            worker.end([raised], is_retryable=is_retryable)
        elif run.spec.kind == Kind.CREATE:
            worker.end([inline("None")])
        else:
            refs = sorted(worker.refs)
            worker.end([self.value(data, refs) for _ in range(run.spec.num_returns)])
        self._hear(worker, len(worker.said) * is_heard, 1)

    def generators(self) -> list[PlayedWorker]:
        return [
            worker
            for worker in self.busy()
            if worker.running and worker.running.spec.num_returns == STREAMING
        ]

    @precondition(lambda self: bool(self.generators()))
    @rule(data=st.data(), count=st.integers(1, 3), is_heard=st.booleans())
    def put_out(self, data: st.DataObject, count: int, *, is_heard: bool) -> None:
        worker = data.draw(st.sampled_from(self.generators()))
        for _ in range(count):
            worker.put_out(self.value(data, sorted(worker.refs)))
        self._hear(worker, len(worker.said) * is_heard, 1)

    @precondition(lambda self: bool(self.busy()))
    @rule(data=st.data(), policy=POLICIES, waits=st.booleans(), is_heard=st.booleans())
    def work_submit(
        self, data: st.DataObject, policy: Policy, *, waits: bool, is_heard: bool
    ) -> None:
        """Have a task submit another one and wait for it, or put a value."""
        worker = data.draw(st.sampled_from(self.busy()))
        refs = sorted(worker.refs)
        assert worker.running is not None
        own = [worker.running.spec.actor] if worker.running.spec.actor else []
        actors = [ref for ref in refs if ref in self.actors]
        actor = data.draw(st.sampled_from([*own, 0, *actors]))
        spec = self.session.spec(
            Kind.METHOD if actor else Kind.CALL,
            deps=self.deps(data, refs),
            nested=self.some(data, refs),
            actor=actor,
            parent=worker.running.spec.id,
            policy=policy._replace(speculative=False),
            ids=worker.ids,
        )
        worker.refs[spec.id] += 1
        worker.say(Submit(spec))
        if waits:
            self._wait(worker, [spec.id], 1, is_patient=True)
        else:
            ref = worker.ids.take()
            worker.refs[ref] += 1
            worker.say(Put(ref, self.value(data, refs)))
        self._hear(worker, len(worker.said) * is_heard, 1)

    @precondition(lambda self: any(worker.refs for worker in self.busy()))
    @rule(data=st.data(), is_patient=st.booleans())
    def work_ask(self, data: st.DataObject, *, is_patient: bool) -> None:
        asking = [worker for worker in self.busy() if worker.refs]
        worker = data.draw(st.sampled_from(asking))
        refs = sorted(set(self.some(data, sorted(worker.refs)))) or sorted(worker.refs)
        needed = len(refs) if is_patient else data.draw(st.integers(1, len(refs)))
        self._wait(worker, refs, needed, is_patient=is_patient)

    def _wait(
        self, worker: PlayedWorker, refs: list[int], needed: int, *, is_patient: bool
    ) -> None:
        assert worker.running is not None
        self.session.requests += 1
        worker.ask(
            Ask(
                self.session.requests, tuple(refs), needed, eager=True,
                wants_values=True, task=worker.running.spec.id, is_patient=is_patient,
            )
        )  # fmt: skip

    def _begin(self, worker: PlayedWorker) -> None:
        """Have a worker do what it can without ending its task."""
        if worker.has_ended:
            return
        if not worker.has_greeted:
            worker.greet()
        read(worker)
        if worker.line and not worker.running and not worker.has_ended:
            worker.begin()

    # What happens on the way.

    def _hear(self, worker: PlayedWorker, most: int, times: int) -> None:
        for _ in range(min(most, len(worker.said))):
            self._heard(worker, worker.said.popleft(), times)

    def _heard(self, worker: PlayedWorker, message: Message, times: int) -> None:
        for _ in range(times if isinstance(message, REPEATED) else 1):
            self.session.tell(worker.number, message)

    @precondition(lambda self: bool(living(self.session)))
    @rule(data=st.data(), heard=st.integers(0, 3))
    def die(self, data: st.DataObject, heard: int) -> None:
        """Lose a worker; some of what it has said comes too late."""
        worker = data.draw(st.sampled_from(living(self.session)))
        self._hear(worker, heard, 1)
        worker.has_ended = True
        self.session.tell(worker.number, Lost("died"))
        self._hear(worker, len(worker.said), 1)

    # What has to be true in the end.

    def teardown(self) -> None:
        if not hasattr(self, "session"):
            return
        session = self.session
        settle(session)
        assert not session.asks, "these were never answered"
        for ref in self.refs:
            assert session.value(ref) is not None
        counts = session.lifecycle.counts
        assert counts.running == 0
        assert counts.submitted == counts.done + counts.failed == len(session.submitted)
        self._check_attempts()
        self._check_order()
        self._check_nothing_is_left()

    def _check_attempts(self) -> None:
        """Nothing has been begun more often than its options allow."""
        begun = Counter(run.spec.id for run in self.session.log)
        killed = Counter(
            run.spec.id
            for worker in self.session.workers.values()
            if worker.is_killed
            for run in worker.begun
        )
        for spec in self.session.submitted:
            policy = spec.policy
            if policy.retries == 0 and spec.kind != Kind.CREATE:
                assert begun[spec.id] <= 1
            elif spec.kind == Kind.METHOD:
                assert begun[spec.id] <= 1 + policy.retries
            elif spec.kind in (Kind.CALL, Kind.MAP) and not policy.speculative:
                # Once nobody may know whose fault the end of the worker was.
                assert begun[spec.id] <= 2 + policy.retries + killed[spec.id]

    def _check_order(self) -> None:
        """Calls of an actor were begun for the first time in their order."""
        turns = {spec.id: turn for turn, spec in enumerate(self.session.submitted)}
        calls: defaultdict[int, list[int]] = defaultdict(list)
        for run in self.session.log:
            if run.spec.kind == Kind.METHOD:
                calls[run.spec.actor].append(turns[run.spec.id])
        for begun in calls.values():
            first = list(dict.fromkeys(begun))
            assert first == sorted(first)

    def _check_nothing_is_left(self) -> None:
        session = self.session
        for ref in list(session.held.elements()):
            session.release(ref)
        settle(session)
        for _ in range(2):
            session.place(61.0)
            settle(session)
        assert session.lifecycle.is_empty
        assert not living(session), "somebody has forgotten to stop these"
        kept, removed = session.kept, session.removed
        wrong = {key for key in kept if not 1 <= removed[key] <= kept[key]}
        assert not wrong, "these were not removed, or more than once"


TestLifecycleMachine = LifecycleMachine.TestCase
TestLifecycleMachine.settings = settings(
    max_examples=80,
    stateful_step_count=60,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # to shrink what fails takes minutes
)
