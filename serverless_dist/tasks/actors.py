"""The lives of actors: made on a worker, called in order, handed over, dead. Pure.

1. Calls run in the order in which they came, each when its arguments are there.
2. An actor whose worker has died is made anew as often as its options allow. Calls
   that were under way have failed, unless they may be retried; the others wait.
3. An actor whose worker's time is over goes on elsewhere with the state that the
   worker has handed over; no call is lost.
4. An actor that is dead stays dead; calls that come later fail with the reason.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import count

from serverless_dist.tasks.attempts import Task, Worker
from serverless_dist.tasks.values import Cause, Failure, Value, failed

MOST_AHEAD = 256  # calls that a worker may have at once


class Actor:
    """One actor.

    Attributes
    ----------
    task
        Its creation; the task's id is the actor's.
    worker
        Where it lives; None: nowhere now.
    is_alive
        Whether it has been made and not lost since.
    calls
        The calls that no worker has, in order.
    restarts
        How often it may be made anew.
    state
        What its last worker has handed over.
    death
        What its calls come to; None while it may live.
    """

    __slots__ = (
        "_turns", "calls", "death", "is_alive", "restarts", "state", "task", "worker",
    )  # fmt: skip

    def __init__(self, task: Task) -> None:
        self.task = task
        self.worker: Worker | None = None
        self.is_alive = False
        self.calls: deque[Task] = deque()
        self.restarts = task.spec.policy.restarts
        self.state: Value | None = None
        self.death: Failure | None = None
        self._turns = count(1)

    def __repr__(self) -> str:
        state = "dead" if self.death else "alive" if self.is_alive else "not made"
        return f"<Actor {self.name}: {state}, {len(self.calls)} calls waiting>"

    @property
    def name(self) -> str:
        """What the user calls its class."""
        return self.task.spec.name

    @property
    def is_being_made(self) -> bool:
        """Whether its constructor has yet to return."""
        return not self.is_alive and self.death is None

    def add(self, call: Task) -> None:
        """Put a call in line."""
        call.turn = next(self._turns)
        self.calls.append(call)

    def ripe(self) -> Iterator[tuple[Task, Worker]]:
        """Take out the calls that can be sent to the worker now, in order."""
        while self.worker is not None and self.is_alive and self.calls:
            if self.worker.is_condemned:  # it may be made anew, and they wait for that
                return
            call = self.calls[0]
            has_to_wait = call.missing or call.is_failing
            is_full = len(self.worker.backlog) >= MOST_AHEAD
            if not call.is_over and (has_to_wait or is_full):
                return
            self.calls.popleft()
            if not call.is_over:
                yield call, self.worker

    def put_back(self, calls: Sequence[Task]) -> None:
        """Take back calls that have not been run, to their places in line."""
        self.calls = deque(sorted([*calls, *self.calls], key=lambda call: call.turn))

    def lose_worker(self, *, is_final: bool) -> Sequence[Task]:
        """Take note that the worker is gone; return the calls that fail with it.

        Without `is_final` the actor will be made anew.
        """
        under_way = self._under_way()
        self.worker, self.is_alive = None, False
        if is_final:
            return [*under_way, *self._drain()]
        again = [call for call in under_way if call.retries > 0]
        for call in again:
            call.retries -= 1
        self.put_back(again)
        return [call for call in under_way if call not in again]

    def hand_over(self) -> Sequence[Task]:
        """Take note that the worker runs no more calls; return those that it has."""
        calls = [call for call in self._under_way() if not call.is_over]
        self.worker, self.is_alive = None, False
        return calls

    def bury(self, failure: Failure) -> Sequence[Task]:
        """Take note that it is dead; return the calls that fail with it."""
        self.death = failure
        return self.lose_worker(is_final=True)

    def failure_of(self, call: Task) -> Value:
        """Return what a call comes to now that the actor is dead, or its worker."""
        death = self.death or Failure(Cause.ACTOR, self.name, "has lost its worker")
        summary = f"has no actor: {death.task} {death.summary}"
        return failed(
            Failure(Cause.ACTOR, call.spec.name, summary, death.traceback, death.error)
        )

    def before(self, call: Task) -> int:
        """Return the task that has to end before a call can run; 0: none."""
        if not self.is_alive:
            return self.task.spec.id
        calls = [*self._under_way(), *self.calls]
        line = [each for each in calls if not each.is_over]
        place = line.index(call) if call in line else 0
        return line[place - 1].spec.id if place else 0

    def _under_way(self) -> list[Task]:
        if self.worker is None:
            return []
        attempts = self.worker.backlog.values()
        return [a.task for a in attempts if a.task is not self.task]

    def _drain(self) -> Sequence[Task]:
        calls, self.calls = self.calls, deque()
        return [call for call in calls if not call.is_over]
