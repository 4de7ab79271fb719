"""Which worker runs what. Pure.

1. Of the workers that run plain tasks, at most `slots` run at a time. One that waits
   for a value gives its slot back, and another one is started if there is work: a task
   may wait for tasks deeper than there are slots.
2. Workers get several tasks at once, the more the longer the queue is, so that no
   worker waits for the driver (guided self-scheduling: Polychronopoulos and Kuck,
   IEEE Transactions on Computers, 1987). When the queue is empty and a worker idle,
   others are asked to give back what they have not begun.
3. A task that must not run twice, or whose worker has died with others in line, has a
   worker alone: then it is certain what was running when a worker dies.
4. An actor takes a worker for itself, an idle one if there is one.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from math import inf

from serverless_dist.tasks.attempts import Attempt, Task, Worker
from serverless_dist.tasks.instructions import Instruction, Start, Tell
from serverless_dist.tasks.messages import Recall, Stop

MOST_AHEAD = 128  # tasks that one worker may have at once
_SURPLUS_SECONDS = 1.0  # that one worker too many is kept: it may be wanted again
START_SECONDS = 60.0  # that a worker may take to say that it is ready


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many workers there may be, and for how long.

    Attributes
    ----------
    slots
        How many run plain tasks at a time.
    most
        How many there are at most, those of actors and those that wait included.
    idle_seconds
        After how long an idle worker is stopped.
    reuse
        Whether a worker runs more than one task.
    """

    slots: int
    most: int
    idle_seconds: float
    reuse: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be done: attempts, actors that have got a worker, instructions."""

    attempts: Sequence[Attempt]
    actors: Sequence[tuple[Worker, int]]
    instructions: Sequence[Instruction]


class Placement:
    """The workers, the queue of plain tasks, and the actors that need a worker."""

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._queue: deque[Task] = deque()
        self._actors: deque[int] = deque()
        self._numbers = count(1)
        self._attempts = count(1)
        self._warm = 0  # workers to be started before there is work
        self.workers: dict[int, Worker] = {}

    def __repr__(self) -> str:
        return f"<Placement {len(self.workers)} workers, {len(self._queue)} queued>"

    def warm_up(self) -> None:
        """Have the slots filled with workers before there is work."""
        self._warm = self._capacity.slots

    def add(self, task: Task) -> None:
        """Queue a task."""
        task.is_queued = True
        self._queue.append(task)

    def put_back(self, tasks: Sequence[Task]) -> None:
        """Queue tasks before all others."""
        for task in reversed(tasks):
            task.is_queued = True
            self._queue.appendleft(task)

    def add_actor(self, actor: int) -> None:
        """Find a worker for an actor."""
        self._actors.append(actor)

    def remove_actor(self, actor: int) -> None:
        """Find no worker for an actor."""
        with suppress(ValueError):
            self._actors.remove(actor)

    def drain(self) -> tuple[Sequence[Task], Sequence[int]]:
        """Take out all tasks and actors that wait for a worker."""
        tasks, self._queue = list(self._queue), deque()
        actors, self._actors = list(self._actors), deque()
        return tasks, actors

    def assign(self, task: Task, worker: Worker | None, now: float) -> Attempt:
        """Return a new attempt at a task, which the worker has from now on."""
        attempt = Attempt(next(self._attempts), task, worker, now)
        task.is_queued = False
        task.attempts[attempt.number] = attempt
        if worker is not None:
            worker.backlog[attempt.number] = attempt
        return attempt

    def late_starters(self, now: float) -> list[Worker]:
        """Return the workers that should have said hello by now."""
        return [
            worker
            for worker in self.workers.values()
            if not worker.is_ready and now >= worker.since + START_SECONDS
        ]

    def is_stuck(self) -> bool:
        """Return whether work waits for a worker that there will never be.

        So it is when there is no room for another worker, and all there are wait.
        """
        self._skip()
        workers = self.workers.values()
        return (
            bool(self._queue or self._actors)
            and len(workers) >= self._capacity.most
            and all(w.waits or (w.actor and not w.backlog) for w in workers)
            and not any(w.is_ending for w in workers)
        )

    def next_check(self) -> float:
        """Return when time alone may change something."""
        plain = sum(worker.is_plain for worker in self.workers.values())
        has_surplus = plain > self._capacity.slots
        idle = _SURPLUS_SECONDS if has_surplus else self._capacity.idle_seconds
        times = [
            worker.since + (idle if worker.is_ready else START_SECONDS)
            for worker in self.workers.values()
            if not worker.is_ready or (worker.is_idle and not self._queue)
        ]
        return min(times, default=inf)

    def place(self, now: float) -> Choice:
        """Decide who runs what, who is started and who is stopped."""
        self._skip()
        idle = [worker for worker in self.workers.values() if worker.is_idle]
        actors = []
        while self._actors and idle:
            worker = idle.pop()
            worker.actor = self._actors.popleft()
            actors.append((worker, worker.actor))
        busy = sum(w.is_plain and bool(w.backlog) for w in self.workers.values())
        free = max(0, self._capacity.slots - busy)
        attempts = [*self._fill_idle(idle[:free], now), *self._fill_all(now)]
        left = [worker for worker in idle if not worker.backlog]
        instructions = self._start(now, len(left))
        if not self._queue and not self._actors:
            unused = min(len(left), free - (len(idle) - len(left)))
            instructions += [*self._recall(unused), *self._stop(left, now)]
        return Choice(attempts, actors, instructions)

    def _skip(self) -> None:
        """Drop what was cancelled from the head of the queue."""
        while self._queue and not self._queue[0].is_queued:
            self._queue.popleft()

    def _fill_idle(self, idle: Sequence[Worker], now: float) -> Iterator[Attempt]:
        """Give one task to each idle worker."""
        for worker in idle:
            self._skip()
            if not self._queue:
                return
            yield self.assign(self._queue.popleft(), worker, now)
            if not self._capacity.reuse:
                worker.is_ending = True

    def _fill_all(self, now: float) -> Iterator[Attempt]:
        """Give more tasks to all who have few."""
        for worker in self.workers.values() if self._queue else ():
            if worker.is_shared and worker.backlog:
                yield from self._fill_up(worker, now)

    def _fill_up(self, worker: Worker, now: float) -> Iterator[Attempt]:
        ahead = 1 + len(self._queue) // (2 * self._capacity.slots)
        ahead = min(MOST_AHEAD, ahead)
        room = ahead - len(worker.backlog)
        if 2 * room <= ahead:  # a few at a time would be many messages
            return
        for _ in range(room):
            self._skip()
            if not self._queue or self._queue[0].is_alone:
                return
            yield self.assign(self._queue.popleft(), worker, now)

    def _start(self, now: float, idle: int) -> list[Instruction]:
        """Start as many workers as work waits for, within the capacity."""
        plain = [worker for worker in self.workers.values() if worker.is_plain]
        starting = sum(not worker.is_ready for worker in plain)
        free = self._capacity.slots - (len(plain) - starting - idle)
        wanted = max(min(free, len(self._queue)), self._warm) + len(self._actors)
        self._warm = 0
        room = self._capacity.most - len(self.workers)
        instructions: list[Instruction] = []
        for _ in range(min(wanted - idle - starting, room)):
            worker = Worker(next(self._numbers), now)
            self.workers[worker.number] = worker
            instructions.append(Start(worker.number))
        return instructions

    def _recall(self, idle: int) -> Iterator[Instruction]:
        """Ask for attempts that have not begun, for the idle."""
        for worker in self.workers.values() if idle > 0 else ():
            unstarted = len(worker.backlog) - 1
            if unstarted > 0 and worker.is_shared and not worker.is_recalled:
                worker.is_recalled = True
                yield Tell(worker.number, Recall((unstarted + 1) // 2))

    def _stop(self, idle: Sequence[Worker], now: float) -> Iterator[Instruction]:
        """Stop workers that nobody needs."""
        plain = sum(worker.is_plain for worker in self.workers.values())
        surplus = plain - self._capacity.slots
        for worker in idle:
            rest = _SURPLUS_SECONDS if surplus > 0 else self._capacity.idle_seconds
            if now >= worker.since + rest:
                surplus -= 1
                worker.is_ending = True
                yield Tell(worker.number, Stop())
