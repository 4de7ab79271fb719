"""The life of tasks under any order of events: late, twice, missing, failing.

A machine plays the driver's process and all workers. At every step the played session
checks what the lifecycle wants done; when everything has gone on as well as it can,
nothing may be left open, and when everything has been released, nothing may be left.
"""

from collections import Counter, defaultdict
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
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
from tests.played_turns import end_gang, living, settle
from tests.played_workers import PlayedWorker, failure

REPEATED = (Hello, Finished, Yielded, Returned, Retire, Bye)  # may come twice
NAMES = st.sampled_from(["", "", "ada", "bob"])
FEW = st.integers(0, 2)


class LifecycleMachine(RuleBasedStateMachine):
    """Rules are what may happen next; `pick` draws one of what is there."""

    session: PlayedSession

    @initialize(slots=st.integers(1, 3), reuse=st.sampled_from([True, True, False]))
    def start(self, slots: int, *, reuse: bool) -> None:
        self.session = PlayedSession(slots, reuse=reuse)
        self.serial = 0
        self.streams: set[int] = set()
        self.actors: set[int] = set()

    # What there is.

    @property
    def refs(self) -> list[int]:
        return sorted(self.session.held)

    def known(self, refs: list[int]) -> list[int]:
        """Return those that can take an argument's place."""
        return [ref for ref in refs if ref not in self.streams | self.actors]

    @property
    def living_actors(self) -> list[int]:
        return [actor for actor in self.refs if actor in self.actors]

    def workers(self, **are: Any) -> list[PlayedWorker]:
        """Return the workers that the driver has not lost and that are so."""
        return [
            worker
            for worker in living(self.session)
            if all(bool(getattr(worker, name)) == value for name, value in are.items())
        ]

    def some(self, data: st.DataObject, refs: list[int]) -> list[int]:
        return data.draw(st.lists(st.sampled_from(refs), max_size=3)) if refs else []

    def value(self, *refs: int, is_stored: bool) -> Value:
        self.serial += 1
        return (stored if is_stored else inline)(f"value {self.serial}", *refs)

    # What the driver's process does.

    @rule(
        data=st.data(),
        returns=st.sampled_from([0, 1, 1, 2, STREAMING]),
        retries=FEW,
        retry_errors=st.booleans(),
        speculative=st.booleans(),
        kind=st.sampled_from([Kind.CALL, Kind.CALL, Kind.MAP, Kind.GANG]),
        is_stored=st.booleans(),
    )
    def submit(
        self,
        data: st.DataObject,
        returns: int,
        kind: Kind,
        *,
        is_stored: bool,
        **policy: Any,
    ) -> None:
        spec = self.session.spec(
            kind,
            returns=1 if kind == Kind.GANG else returns,
            deps=self.some(data, self.known(self.refs)),
            nested=self.some(data, self.refs),
            policy=Policy(**policy),
            is_stored=is_stored,
        )
        self.session.submit(spec)
        if spec.num_returns == STREAMING:
            self.streams.add(spec.id)

    @rule(data=st.data(), restarts=st.integers(-1, 2), name=NAMES)
    def create(self, data: st.DataObject, restarts: int, name: str) -> None:
        policy = Policy(retries=0, restarts=restarts, actor_name=name)
        deps = self.some(data, self.known(self.refs))[:1]
        spec = self.session.spec(Kind.CREATE, deps=deps, policy=policy, is_stored=True)
        self.actors.add(self.session.submit(spec))

    @precondition(lambda self: self.living_actors)
    @rule(data=st.data(), retries=FEW, returns=st.integers(0, 2), errors=st.booleans())
    def call(
        self, data: st.DataObject, retries: int, returns: int, *, errors: bool
    ) -> None:
        spec = self.session.spec(
            Kind.METHOD,
            returns=returns,
            deps=self.some(data, self.known(self.refs))[:2],
            nested=self.some(data, self.refs)[:1],
            actor=data.draw(st.sampled_from(self.living_actors)),
            policy=Policy(retries=retries, retry_errors=errors),
        )
        self.session.submit(spec)

    @precondition(lambda self: self.living_actors)
    @rule(data=st.data(), no_restart=st.booleans())
    def kill(self, data: st.DataObject, *, no_restart: bool) -> None:
        actor = data.draw(st.sampled_from(self.living_actors))
        self.session.tell(DRIVER, Kill(actor, no_restart))

    @rule(name=NAMES)
    def find(self, name: str) -> None:
        self.session.requests += 1
        request = self.session.requests
        self.session.tell(DRIVER, Find(request, name))
        for actor in self.session.answers[request].ids:
            self.session.held[actor] += 1

    @rule(data=st.data(), is_stored=st.booleans())
    def put(self, data: st.DataObject, *, is_stored: bool) -> None:
        refs = self.some(data, self.refs)
        self.session.put(self.value(*refs, is_stored=is_stored))

    @precondition(lambda self: self.refs)
    @rule(data=st.data(), is_eager=st.booleans(), wants_values=st.booleans())
    def ask(self, data: st.DataObject, *, is_eager: bool, wants_values: bool) -> None:
        refs = sorted(set(self.some(data, self.refs))) or self.refs
        needed = data.draw(st.integers(1, len(refs)))
        self.session.ask(refs, needed, is_eager=is_eager, wants_values=wants_values)

    @precondition(lambda self: self.streams & set(self.session.held))
    @rule(data=st.data(), place=st.integers(0, 4))
    def claim(self, data: st.DataObject, place: int) -> None:
        """Hold a value of a stream, if it is there."""
        streams = sorted(self.streams & set(self.session.held))
        item = data.draw(st.sampled_from(streams)) + 1 + place
        if self.session.held[item] or item in self.session.final:
            return  # nobody takes one twice
        value = self.session.value(item)
        if value is not None and value != END:
            self.session.hold(item)

    @precondition(lambda self: self.refs)
    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        self.session.hold(data.draw(st.sampled_from(self.refs)))

    @precondition(lambda self: self.refs)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self.session.release(data.draw(st.sampled_from(self.refs)))

    @precondition(lambda self: self.refs)
    @rule(data=st.data(), force=st.booleans(), recursive=st.booleans())
    def cancel(self, data: st.DataObject, *, force: bool, recursive: bool) -> None:
        ref = data.draw(st.sampled_from(self.refs))
        self.session.tell(DRIVER, Cancel(ref, force, recursive))

    @rule(seconds=st.sampled_from([0.0, 0.0, 0.1, 1.0, 61.0]))
    def place(self, seconds: float) -> None:
        self.session.place(seconds)

    # What workers do.

    @precondition(lambda self: self.workers(has_greeted=False))
    @rule(data=st.data())
    def greet(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.workers(has_greeted=False))).greet()

    @precondition(lambda self: self.workers(orders=True, has_ended=False))
    @rule(data=st.data(), most=st.integers(1, 4))
    def read(self, data: st.DataObject, most: int) -> None:
        worker = data.draw(st.sampled_from(self.workers(orders=True, has_ended=False)))
        while worker.orders and most and not worker.has_ended:
            worker.read()
            most -= 1

    def _free(self) -> list[PlayedWorker]:
        return self.workers(line=True, running=False, has_ended=False)

    @precondition(lambda self: self._free())
    @rule(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self._free())).begin()

    @precondition(lambda self: self.workers(can_go_on=True))
    @rule(
        data=st.data(),
        outcome=st.sampled_from(["value", "value", "error", "retryable"]),
        is_stored=st.booleans(),
    )
    def end(self, data: st.DataObject, outcome: str, *, is_stored: bool) -> None:
        worker = data.draw(st.sampled_from(self.workers(can_go_on=True)))
        run = worker.running
        assert run is not None
        if outcome != "value":
            raised = failure(Cause.RAISED, run.spec.name)
            is_retryable = outcome == "retryable" and run.spec.policy.retry_errors
            worker.end([raised], is_retryable=is_retryable)
            return
        refs = self.some(data, sorted(worker.refs))
        count = 0 if run.spec.num_returns == STREAMING else run.spec.num_returns
        worker.end([self.value(*refs, is_stored=is_stored) for _ in range(count)])

    def _streaming(self) -> list[PlayedWorker]:
        return [
            worker
            for worker in self.workers(can_go_on=True)
            if worker.running and worker.running.spec.num_returns == STREAMING
        ]

    @precondition(lambda self: self._streaming())
    @rule(data=st.data(), is_stored=st.booleans())
    def put_out(self, data: st.DataObject, *, is_stored: bool) -> None:
        worker = data.draw(st.sampled_from(self._streaming()))
        worker.put_out(self.value(is_stored=is_stored))

    @precondition(lambda self: self.workers(can_go_on=True))
    @rule(data=st.data(), is_dependent=st.booleans())
    def work_submit(self, data: st.DataObject, *, is_dependent: bool) -> None:
        worker = data.draw(st.sampled_from(self.workers(can_go_on=True)))
        run = worker.running
        assert run is not None
        refs = sorted(worker.refs)
        actors = [ref for ref in refs if ref in self.actors]
        actor = data.draw(st.sampled_from([0, *actors]))
        spec = self.session.spec(
            Kind.METHOD if actor else Kind.CALL,
            deps=self.some(data, self.known(refs)) if is_dependent else (),
            actor=actor,
            parent=run.spec.id,
            policy=Policy(retries=data.draw(FEW)),
            ids=worker.ids,
        )
        worker.refs[spec.id] += 1
        worker.say(Submit(spec))

    @precondition(lambda self: self.workers(can_go_on=True))
    @rule(data=st.data(), is_stored=st.booleans())
    def work_put(self, data: st.DataObject, *, is_stored: bool) -> None:
        worker = data.draw(st.sampled_from(self.workers(can_go_on=True)))
        ref = worker.ids.take()
        refs = self.some(data, sorted(worker.refs))
        worker.refs[ref] += 1
        worker.say(Put(ref, self.value(*refs, is_stored=is_stored)))

    def _curious(self) -> list[PlayedWorker]:
        return self.workers(can_go_on=True, refs=True)

    @precondition(lambda self: self._curious())
    @rule(data=st.data(), is_patient=st.booleans(), is_eager=st.booleans())
    def work_ask(
        self, data: st.DataObject, *, is_patient: bool, is_eager: bool
    ) -> None:
        worker = data.draw(st.sampled_from(self._curious()))
        run = worker.running
        assert run is not None
        refs = sorted(set(self.some(data, sorted(worker.refs)))) or sorted(worker.refs)
        needed = len(refs) if is_patient else data.draw(st.integers(1, len(refs)))
        self.session.requests += 1
        request = self.session.requests
        worker.ask(
            Ask(
                request, tuple(refs), needed, is_eager, wants_values=True,
                task=run.spec.id, is_patient=is_patient,
            )
        )  # fmt: skip

    def _retiring(self) -> list[PlayedWorker]:
        """Return the workers whose time may be over."""
        return [
            worker
            for worker in self.workers(running=False, has_ended=False)
            if worker.has_greeted and not worker.is_leaving and not worker.is_stopping
        ]

    @precondition(lambda self: self._retiring())
    @rule(data=st.data())
    def retire(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(self._retiring()))
        worker.retire(self.value(is_stored=True))

    @precondition(lambda self: bool(self.session.gangs))
    @rule(data=st.data(), is_stored=st.booleans())
    def end_gang(self, data: st.DataObject, *, is_stored: bool) -> None:
        attempt = data.draw(st.sampled_from(sorted(self.session.gangs)))
        end_gang(self.session, attempt, self.value(is_stored=is_stored))

    # What happens on the way.

    def _heard(self, worker: PlayedWorker, message: Message, times: int) -> None:
        for _ in range(times if isinstance(message, REPEATED) else 1):
            self.session.tell(worker.number, message)

    @precondition(lambda self: self.workers(said=True))
    @rule(data=st.data(), most=st.integers(1, 5), times=st.sampled_from([1, 1, 2]))
    def hear(self, data: st.DataObject, most: int, times: int) -> None:
        worker = data.draw(st.sampled_from(self.workers(said=True)))
        while worker.said and most:
            message = worker.said.popleft()
            most -= 1
            self._heard(worker, message, times)

    @precondition(lambda self: living(self.session))
    @rule(data=st.data(), heard=FEW)
    def die(self, data: st.DataObject, heard: int) -> None:
        """Lose a worker and part of what it has said; some of it comes too late."""
        worker = data.draw(st.sampled_from(living(self.session)))
        while worker.said and heard:
            self._heard(worker, worker.said.popleft(), 1)
            heard -= 1
        worker.has_ended = True
        self.session.tell(worker.number, Lost("died"))
        while worker.said:
            self._heard(worker, worker.said.popleft(), 1)

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
        assert session.lifecycle.is_empty
        for _ in range(2):
            session.place(61.0)
            settle(session)
        assert not living(session), "somebody has forgotten to stop these"
        for key, times in session.kept.items():
            assert session.removed[key] == 1 or 1 < session.removed[key] <= times
        assert session.lifecycle.is_empty


TestLifecycleMachine = LifecycleMachine.TestCase
TestLifecycleMachine.settings = settings(
    max_examples=100, stateful_step_count=60, deadline=None
)
