"""Second copies of attempts that are late; see `stragglers` for when they are. Pure."""

from math import inf

from serverless_dist.tasks.attempts import Attempt, Task
from serverless_dist.tasks.ledger import Ledger
from serverless_dist.tasks.stragglers import Stragglers


class Copies:
    """The attempts that may get a second copy: whichever ends first counts."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._stragglers = Stragglers()

    def __repr__(self) -> str:
        return f"<Copies {len(self._ledger.hurried)} attempts watched>"

    def learn(self, task: Task, seconds: float) -> None:
        """Take note of how long a task took."""
        if task.spec.policy.speculative:
            self._stragglers.finished(task.spec.code, seconds)

    def next_check(self) -> float:
        """Return when the next attempt will be late.

        One that is late already waits for a worker to be free, not for the time.
        """
        times = map(self._when_late, self._ledger.hurried.values())
        now = self._ledger.now
        return min((when for when in times if when and when > now), default=inf)

    def start(self) -> None:
        """Give idle workers copies of attempts that are late."""
        for attempt in list(self._ledger.hurried.values()):
            when = self._when_late(attempt)
            if when is None or self._ledger.now < when:
                continue
            idle = (w for w in self._ledger.placement.workers.values() if w.is_idle)
            worker = next(idle, None)
            if worker is None:
                return
            copy = self._ledger.placement.assign(attempt.task, worker, self._ledger.now)
            self._ledger.run(copy)
            del self._ledger.hurried[attempt.number], self._ledger.hurried[copy.number]

    def _when_late(self, attempt: Attempt) -> float | None:
        seconds = self._stragglers.when_late(attempt.task.spec.code)
        return None if seconds is None else attempt.begun + seconds
