"""What is known of a session, and what is done with it in more than one place. Pure.

`Lifecycle` and its parts share one ledger: tasks, refs, streams, workers, code, and the
instructions that come of an event.
"""

from collections.abc import Iterable, Iterator, Sequence

from serverless_dist.tasks.attempts import Attempt, Task
from serverless_dist.tasks.instructions import Instruction, Remove, Tell
from serverless_dist.tasks.messages import Code, Run, Spec, Stop
from serverless_dist.tasks.objects import ObjectTable
from serverless_dist.tasks.placement import Placement
from serverless_dist.tasks.streams import Streams
from serverless_dist.tasks.values import Form, Value


class Ledger:
    """The state of a session.

    Attributes
    ----------
    objects, streams, placement
        Refs, the values of generators, workers.
    tasks
        Those that have not ended, by id.
    codes
        Pickled functions and classes, by digest.
    gangs
        The attempts that are gangs, by number.
    timed
        The attempts that may not take longer than their timeout, by number.
    hurried
        The attempts that may get a second copy, by number.
    failing
        The tasks that are to fail, and with what.
    out
        The instructions of this event.
    now
        The time of this event.
    """

    def __init__(self, placement: Placement) -> None:
        self.objects = ObjectTable()
        self.streams = Streams(self.objects)
        self.placement = placement
        self.tasks: dict[int, Task] = {}
        self.codes: dict[bytes, Value] = {}
        self.gangs: dict[int, Attempt] = {}
        self.timed: dict[int, Attempt] = {}
        self.hurried: dict[int, Attempt] = {}
        self.failing: list[tuple[Task, Value]] = []
        self.out: list[Instruction] = []
        self.now = 0.0

    def __repr__(self) -> str:
        return f"<Ledger {len(self.tasks)} tasks, {len(self.objects)} refs>"

    def run(self, attempt: Attempt, state: Value | None = None) -> None:
        """Send an attempt to its worker, after the code that it needs."""
        worker, spec = attempt.worker, attempt.task.spec
        assert worker is not None
        if spec.code and spec.code not in worker.codes:
            worker.codes.add(spec.code)
            code = Code(spec.code, self.codes[spec.code])
            self.out.append(Tell(worker.number, code))
        run = Run(attempt.number, spec, self.values(spec.deps), state)
        self.out.append(Tell(worker.number, run))
        if attempt.task.is_timed:
            self.timed[attempt.number] = attempt
        if spec.policy.speculative and spec.policy.retries:
            self.hurried[attempt.number] = attempt
        if worker.is_ending:  # it runs one task
            self.out.append(Tell(worker.number, Stop()))

    def values(self, ids: Iterable[int]) -> tuple[Value, ...]:
        """Return the values of ids, all of which are known."""
        values = [self.objects.value(id) for id in ids]
        return tuple([value for value in values if value is not None])

    def take_attempt(self, client: int, number: int) -> Attempt | None:
        """Take out an attempt that has ended; None: it is not under way."""
        worker = self.placement.workers.get(client)
        if worker is None:
            attempt = self.gangs.pop(number, None)
        else:
            attempt = worker.backlog.pop(number, None)
            if not worker.backlog:
                worker.since = self.now
        if attempt is not None:
            del attempt.task.attempts[number]
            self.forget_times(number)
        return attempt

    def forget_times(self, number: int) -> None:
        """Take note that an attempt is not under way any more."""
        self.hurried.pop(number, None)
        self.timed.pop(number, None)

    def fail(self, task: Task, failure: Value) -> None:
        """Have a task end with a failure, once this event has been dealt with."""
        task.is_failing = True
        self.failing.append((task, failure))

    def retire(self, client: int) -> None:
        """Give a worker nothing more, and let it go."""
        worker = self.placement.workers[client]
        if not worker.is_ending:
            worker.is_ending = True
            self.out.append(Tell(client, Stop()))

    def let_go(self, spec: Spec) -> None:
        """Release what a task has held, and remove its arguments."""
        for id in held_by(spec):
            self.objects.release(id)
        self.discard((spec.payload,))

    def discard(self, values: Iterable[Value]) -> None:
        """Remove values that nobody will ever see."""
        keys = [value.data for value in values if value.form == Form.STORED]
        if keys:
            self.out.append(Remove(keys))


def refs_of(spec: Spec) -> range:
    """Return the ids of a task's refs."""
    return range(spec.id, spec.id + abs(spec.num_returns))


def held_by(spec: Spec) -> Iterator[int]:
    """Return the ids that a task holds until it ends."""
    yield from spec.deps
    yield from spec.payload.refs
    if spec.actor:
        yield spec.actor


def failure_in(values: Sequence[Value]) -> Value | None:
    """Return what an attempt failed with; None: it has not."""
    if len(values) == 1 and values[0].form == Form.FAILURE:
        return values[0]
    return None
