"""Tasks that have not ended, attempts at them, and the workers that make them."""

from serverless_dist.tasks.messages import Kind, Spec

_LATE = 3.0  # seconds that a worker has to stop a task that is too late


class Task:
    """A task that has not ended.

    Attributes
    ----------
    spec
        What was submitted.
    missing
        How many of its arguments have no value yet.
    retries
        How often it may be run again.
    is_queued
        Whether it waits for a worker.
    is_alone
        Whether it needs a worker for itself: it must not run twice or too long, or its
        worker has died while others were in line and nobody knows which was running.
    is_failing
        Whether it is about to end with a failure.
    is_over
        Whether its refs have their values.
    turn
        Of an actor's call: its place among all of them.
    attempts
        Those that are under way, by number.
    """

    __slots__ = (
        "attempts", "is_alone", "is_failing", "is_over", "is_queued", "missing",
        "retries", "spec", "turn",
    )  # fmt: skip

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.missing = 0
        self.retries = spec.policy.retries
        self.is_queued = False
        self.is_alone = not self.retries or self.is_timed
        self.is_failing = False
        self.is_over = False
        self.turn = 0
        self.attempts: dict[int, Attempt] = {}

    def __repr__(self) -> str:
        return f"<Task {self.spec.name}: {len(self.attempts)} attempts under way>"

    @property
    def is_timed(self) -> bool:
        """Whether an attempt begins when it is assigned, and may not last."""
        return self.is_plain and self.spec.policy.timeout > 0

    @property
    def is_plain(self) -> bool:
        """Whether any worker may run it."""
        return self.spec.kind in (Kind.CALL, Kind.MAP)


class Worker:
    """One worker.

    Attributes
    ----------
    number
        Its name; none before had it.
    actor
        The actor that it is for; 0: plain tasks.
    since
        When it was started, or last became idle.
    is_ready, is_ending
        Whether it has said hello, and whether it was told to stop.
    codes
        The digests of the code that it has.
    backlog
        The attempts that it has, the running one first.
    waits
        How many answers its task waits for.
    is_recalled
        Whether it was asked to give attempts back and has not answered.
    is_condemned
        Whether it is killed for one task's sake: the others are not to blame.
    """

    __slots__ = (
        "actor", "backlog", "codes", "is_condemned", "is_ending", "is_ready",
        "is_recalled", "number", "since", "waits",
    )  # fmt: skip

    def __init__(self, number: int, now: float) -> None:
        self.number = number
        self.actor = 0
        self.since = now
        self.is_ready = False
        self.is_ending = False
        self.is_recalled = False
        self.is_condemned = False
        self.codes: set[bytes] = set()
        self.backlog: dict[int, Attempt] = {}
        self.waits = 0

    def __repr__(self) -> str:
        return f"<Worker {self.number}: {len(self.backlog)} attempts>"

    @property
    def is_plain(self) -> bool:
        """Whether it takes a slot, or will when it is ready."""
        return not (self.actor or self.waits or self.is_ending or self.is_condemned)

    @property
    def is_idle(self) -> bool:
        """Whether it could begin a task now."""
        return self.is_ready and self.is_plain and not self.backlog

    @property
    def is_shared(self) -> bool:
        """Whether a task may stand in line behind those it has."""
        return self.is_ready and self.is_plain and not self._has_lone_task

    @property
    def _has_lone_task(self) -> bool:
        if len(self.backlog) != 1:  # such a one is the only one
            return False
        return next(iter(self.backlog.values())).task.is_alone


class Attempt:
    """One attempt at a task; `worker` is None for a gang's."""

    __slots__ = ("begun", "number", "task", "worker")

    def __init__(
        self, number: int, task: Task, worker: Worker | None, begun: float
    ) -> None:
        self.number = number
        self.task = task
        self.worker = worker
        self.begun = begun

    def __repr__(self) -> str:
        return f"<Attempt {self.number} at {self.task.spec.name}>"

    @property
    def latest(self) -> float:
        """When its worker has had its time to stop it."""
        return self.begun + self.task.spec.policy.timeout + _LATE
