"""Workers of remote tasks, played step by step: what real ones promise, and no more.

Orders come in order, what a worker says goes in order, and it runs one task at a time.
When anything happens is up to the test.
"""

from collections import Counter, deque
from collections.abc import Iterator, Sequence

from serverless_dist.tasks.messages import (
    Answer,
    Ask,
    Bye,
    Code,
    Finished,
    HandOver,
    Hello,
    Hold,
    Ids,
    Interrupt,
    Kind,
    Message,
    Order,
    Recall,
    Release,
    Retire,
    Returned,
    Run,
    Stop,
    Unask,
    Yielded,
)
from serverless_dist.tasks.values import Cause, Failure, Form, Value, failed


def failure(cause: Cause, name: str) -> Value:
    """Return a failure that was born in the task of this name."""
    return failed(Failure(cause, name, "failed as the test wants"))


class PlayedWorker:
    """One worker: `orders` it has not read, `said` what the driver has not heard."""

    def __init__(self, number: int, log: list[Run]) -> None:
        self.number = number
        self.log = log  # of all workers: what was begun
        self.ids = Ids(number)
        self.orders: deque[Order] = deque()
        self.said: deque[Message] = deque()
        self.line: deque[Run] = deque()
        self.running: Run | None = None
        self.asked: Ask | None = None  # what the running task waits for
        self.answer: Answer | None = None  # what it has got
        self.yielded = 0
        self.refs: Counter[int] = Counter()  # that the running task holds
        self.actor: int | None = None
        self.codes: set[bytes] = set()
        self.begun: list[Run] = []
        self.is_made = False  # the actor
        self.has_greeted = self.is_stopping = self.is_leaving = False
        self.has_ended = self.is_killed = False

    def __repr__(self) -> str:
        return f"<PlayedWorker {self.number}: {self.running}, {len(self.line)} in line>"

    @property
    def can_go_on(self) -> bool:
        """Whether the running task could end now."""
        return self.running is not None and self.asked is None and not self.has_ended

    @property
    def can_retire(self) -> bool:
        """Whether its time could be over now."""
        is_free = self.has_greeted and self.running is None
        return is_free and not (self.is_leaving or self.is_stopping or self.has_ended)

    def greet(self) -> None:
        self.has_greeted = True
        self.say(Hello(1, {}))

    def say(self, message: Message) -> None:
        assert not self.has_ended
        self.said.append(message)

    def read(self) -> None:
        """Read one order."""
        order = self.orders.popleft()
        match order:
            case Code():
                self.codes.add(order.digest)
            case Run():
                self._take(order)
            case Recall():
                most = min(order.most, len(self.line))
                self._give_back([self.line.pop() for _ in range(most)][::-1])
            case Interrupt():
                self._interrupt(order.attempt)
            case Answer():
                if self.asked is not None and order.request == self.asked.request:
                    self.asked, self.answer = None, order
                    self._hold(ref for value in order.values for ref in value.refs)
            case Stop():
                self.is_stopping = True
        self._leave_if_done()

    def begin(self) -> Run:
        """Begin the next task in line."""
        assert self.running is None
        run = self.running = self.line.popleft()
        self.begun.append(run)
        self.log.append(run)
        self.yielded = 0
        self._hold(run.spec.payload.refs)
        self._hold(ref for value in run.values for ref in value.refs)
        return run

    def end(self, values: Sequence[Value], *, is_retryable: bool = False) -> None:
        """End the running task."""
        run = self.running
        assert run is not None
        self.asked = self.answer = self.running = None
        if run.spec.kind == Kind.CREATE:
            self.is_made = values[0].form != Form.FAILURE
        self.say(Finished(run.attempt, tuple(values), self.yielded, 0.01, is_retryable))
        for ref in self.refs.elements():
            self.say(Release(ref))
        self.refs.clear()
        self._leave_if_done()

    def put_out(self, value: Value) -> None:
        """Yield a value."""
        assert self.running is not None
        self.say(Yielded(self.running.attempt, self.yielded, value))
        self.yielded += 1

    def ask(self, ask: Ask) -> None:
        """Have the running task wait; others can have what is in line."""
        self.asked, self.answer = ask, None
        self.say(ask)
        if self.actor is None:
            self._give_back(list(self.line))
            self.line.clear()

    def unask(self) -> None:
        """Let the running task wait no longer."""
        assert self.asked is not None
        self.say(Unask(self.asked.request))

    def retire(self, state: Value) -> None:
        """Run nothing more, and hand the actor over, if there is one."""
        assert self.running is None
        self.is_leaving = True
        self._give_back(list(self.line))
        self.line.clear()
        self.say(HandOver(state) if self.is_made else Retire())

    def _take(self, run: Run) -> None:
        assert not run.spec.code or run.spec.code in self.codes
        assert not self.is_stopping, "this is sent after a stop"
        if run.spec.kind == Kind.CREATE:
            self.actor = run.spec.id
        assert run.spec.actor in (0, self.actor), "a call has come to the wrong worker"
        if self.is_leaving or (self.asked is not None and self.actor is None):
            self._give_back([run])
        else:
            self.line.append(run)

    def _give_back(self, runs: Sequence[Run]) -> None:
        self.say(Returned(tuple([run.attempt for run in runs])))

    def _interrupt(self, attempt: int) -> None:
        if self.running is not None and self.running.attempt == attempt:
            if self.asked is not None:
                self.unask()
            self.end([failure(Cause.CANCELLED, self.running.spec.name)])
            return
        for run in self.line:
            if run.attempt == attempt:
                self.line.remove(run)
                cancelled = failure(Cause.CANCELLED, run.spec.name)
                self.say(Finished(attempt, (cancelled,), 0, 0.0, is_retryable=False))
                return

    def _hold(self, refs: Iterator[int] | Sequence[int]) -> None:
        for ref in refs:
            self.refs[ref] += 1
            self.say(Hold(ref))

    def _leave_if_done(self) -> None:
        if self.has_ended or not self.is_stopping:
            return
        if not self.running and not self.line:
            self.say(Bye(b""))
            self.has_ended = True
