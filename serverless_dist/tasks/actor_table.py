"""All actors of a session, by number and by name. Pure; `actors` has the rules."""

from collections.abc import Callable, Sequence

from serverless_dist.tasks.actors import Actor
from serverless_dist.tasks.attempts import Task, Worker
from serverless_dist.tasks.instructions import End, Tell
from serverless_dist.tasks.ledger import Ledger
from serverless_dist.tasks.messages import Answer, Find, HandOver, Kill
from serverless_dist.tasks.values import Cause, Failure, Form, Value, failed, failure_of

_MADE = (Value(Form.INLINE, b""),)  # what an actor's own id comes to


class ActorTable:
    """The actors that somebody holds.

    Parameters
    ----------
    ledger
        The session.
    end
        Gives a task's refs their values.
    """

    def __init__(
        self, ledger: Ledger, end: Callable[[Task, Sequence[Value]], None]
    ) -> None:
        self._ledger = ledger
        self._end = end
        self._actors: dict[int, Actor] = {}
        self._names: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<ActorTable {len(self._actors)} actors>"

    def add(self, task: Task) -> None:
        """Take note of an actor; the first one of a name has it."""
        number, name = task.spec.id, task.spec.policy.actor_name
        self._actors[number] = Actor(task)
        if name:
            self._names.setdefault(name, number)

    def before(self, task: Task) -> int:
        """Return what has to end before a call can run; 0: nothing, or it is none."""
        actor = self._actors.get(task.spec.actor)
        return 0 if actor is None else actor.before(task)

    def put_back(self, number: int, calls: Sequence[Task]) -> None:
        """Have calls run that came back, each when its turn is."""
        actor = self._actors.get(number)
        if actor is not None:
            actor.put_back(calls)
            self.pump(number)

    def lose_place(self, worker: Worker) -> None:
        """Find another worker for an actor whose worker has not begun to make it."""
        actor = self._actors.get(worker.actor)
        if actor is not None and actor.worker is worker:
            actor.worker = None
            self._ledger.placement.add_actor(worker.actor)
        worker.actor = 0

    def give_up(self, number: int, cause: Cause, summary: str) -> None:
        """Have an actor die that no worker can be found for."""
        actor = self._actors.get(number)
        if actor is not None:
            self._bury(actor, Failure(cause, actor.name, summary))

    def call(self, task: Task) -> None:
        """Put a call in line, or have it fail if the actor is gone."""
        actor = self._actors.get(task.spec.actor)
        if actor is None:
            failure = Failure(Cause.ACTOR, task.spec.name, "has no actor: it is gone")
            self._ledger.fail(task, failed(failure))
        elif actor.death is not None:
            self._ledger.fail(task, actor.failure_of(task))
        else:
            actor.add(task)

    def make(self, number: int, worker: Worker) -> None:
        """Make an actor on a worker that is free."""
        actor = self._actors[number]
        actor.worker = worker
        self._ledger.run(
            self._ledger.placement.assign(actor.task, worker, self._ledger.now),
            actor.state,
        )

    def is_being_made(self, number: int) -> bool:
        """Whether this is an actor whose constructor has yet to return."""
        actor = self._actors.get(number)
        return actor is not None and actor.is_being_made

    def made(self, number: int, failure: Value | None) -> None:
        """Take note that the constructor has returned, or failed."""
        actor = self._actors[number]
        if failure is None:
            actor.is_alive = True
            self._forget_state(actor)  # its worker has it, and holds its refs
            if not actor.task.is_over:
                self._end(actor.task, _MADE)
            return
        why = failure_of(failure)
        death = why._replace(cause=Cause.ACTOR, summary=f"was not made: {why.summary}")
        worker = actor.worker
        self._bury(actor, death)
        if worker is not None:
            self._ledger.retire(worker.number)

    def pump(self, number: int) -> None:
        """Send an actor's worker the calls that it can run."""
        actor = self._actors.get(number)
        if actor is not None:
            for call, worker in actor.ripe():
                self._ledger.run(
                    self._ledger.placement.assign(call, worker, self._ledger.now)
                )

    def lost(self, worker: Worker, how: str) -> None:
        """Take note that the worker of an actor has ended."""
        actor = self._actors.get(worker.actor)
        if actor is None or actor.worker is not worker:
            return
        if actor.restarts:
            actor.restarts -= actor.restarts > 0  # below 0: without end
            self._forget_state(actor)
            for call in actor.lose_worker(is_final=False):
                self._ledger.fail(call, actor.failure_of(call))
            self._ledger.placement.add_actor(actor.task.spec.id)
        else:
            summary = f"is gone: its worker {how}"
            self._bury(actor, Failure(Cause.ACTOR, actor.name, summary))

    def kill(self, client: int, event: Kill) -> None:
        """End an actor at once."""
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
            self._ledger.out.append(End(worker.number))

    def find(self, client: int, event: Find) -> None:
        """Answer with the actor of a name, which the client holds from now on."""
        number = self._names.get(event.name)
        if number is None:
            answer = Answer(event.request, ())
        else:
            self._ledger.objects.hold(number, client)
            code = self._ledger.codes[self._actors[number].task.spec.code]
            answer = Answer(event.request, (number,), (code,))
        self._ledger.out.append(Tell(client, answer))

    def hand_over(self, client: int, event: HandOver) -> None:
        """Find a new worker for an actor whose worker's time is over."""
        worker = self._ledger.placement.workers[client]
        actor = self._actors.get(worker.actor)
        if actor is None or actor.worker is not worker or worker.is_condemned:
            self._ledger.discard((event.state,))
            return
        for ref in event.state.refs:  # the worker that holds them ends
            self._ledger.objects.hold(ref)
        self._forget_state(actor)
        actor.state = event.state
        calls = actor.hand_over()
        for number in list(worker.backlog):  # none of them has begun
            self._ledger.take_attempt(client, number)
        actor.put_back(calls)
        self._ledger.retire(client)
        self._ledger.placement.add_actor(actor.task.spec.id)

    def abandon(self, number: int) -> None:
        """End an actor that nobody holds any more, if it is one."""
        actor = self._actors.pop(number, None)
        if actor is None:
            return
        worker = actor.worker
        if actor.death is None:
            self._bury(actor, Failure(Cause.ACTOR, actor.name, "is not held any more"))
        if worker is not None:
            self._ledger.retire(worker.number)

    def _bury(self, actor: Actor, death: Failure) -> None:
        name = actor.task.spec.policy.actor_name
        if name and self._names.get(name) == actor.task.spec.id:
            del self._names[name]
        self._ledger.placement.remove_actor(actor.task.spec.id)
        for call in actor.bury(death):
            self._ledger.fail(call, actor.failure_of(call))
        if not actor.task.is_over:
            self._ledger.fail(actor.task, failed(death))
        self._forget_state(actor)
        self._ledger.let_go(actor.task.spec)

    def _forget_state(self, actor: Actor) -> None:
        state, actor.state = actor.state, None
        if state is not None:
            self._ledger.discard((state,))
            for ref in state.refs:
                self._ledger.objects.release(ref)
