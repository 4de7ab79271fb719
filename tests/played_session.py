"""A session of remote tasks, played: a lifecycle, the driver's client, and workers.

Whatever the lifecycle wants done is checked here: it answers once and never takes an
answer back, gives nobody a value that it has had removed, and sends nothing to a worker
that is gone.
"""

from collections import Counter
from collections.abc import Sequence

from serverless_dist.tasks.instructions import (
    Begin,
    End,
    Event,
    Halt,
    Instruction,
    Lost,
    Remove,
    Start,
    Tell,
)
from serverless_dist.tasks.lifecycle import Lifecycle
from serverless_dist.tasks.messages import (
    DRIVER,
    STREAMING,
    Answer,
    Ask,
    Find,
    Finished,
    HandOver,
    Hold,
    Ids,
    Kind,
    Policy,
    Put,
    Release,
    Run,
    Ship,
    Spec,
    Submit,
    Unask,
    Yielded,
)
from serverless_dist.tasks.objects import LOST
from serverless_dist.tasks.placement import Capacity
from serverless_dist.tasks.values import Cause, Form, Value, failure_of
from tests.played_workers import PlayedWorker

CODE = b"digest of the code"
PLAIN = Policy()


def inline(text: str, *refs: int) -> Value:
    """Return a value that travels in messages."""
    return Value(Form.INLINE, text.encode(), refs, len(text))


def stored(text: str, *refs: int) -> Value:
    """Return a value that lies in the store; the text is its key."""
    return Value(Form.STORED, text.encode(), refs, 100_000)


class PlayedSession:
    """Everything in one place; `now` is the time."""

    def __init__(self, slots: int = 2, most: int = 1000, *, reuse: bool = True) -> None:
        capacity = Capacity(slots, most, idle_seconds=60.0, reuse=reuse)
        self.wrong: str | None = None  # with the versions of workers
        self.lifecycle = Lifecycle(capacity, lambda _: self.wrong)
        self.now = 0.0
        self.ids = Ids(DRIVER)
        self.events = self.requests = 0
        self.workers: dict[int, PlayedWorker] = {}
        self.held: Counter[int] = Counter()  # by the driver's client
        self.specs: dict[int, Spec] = {}
        self.submitted: list[Spec] = []  # that the lifecycle knows of
        self.log: list[Run] = []  # what workers have begun
        self.asks: dict[tuple[int, int], Ask | Find] = {}  # that have no answer
        self.unasked: set[tuple[int, int]] = set()
        self.answers: dict[int, Answer] = {}  # of the driver's client
        self.final: dict[int, Value] = {}
        self.attempts: dict[int, Spec] = {}
        self.gangs: dict[int, Begin] = {}
        self.kept: Counter[bytes] = Counter()  # keys that the lifecycle was told of
        self.removed: Counter[bytes] = Counter()
        self.fenced: set[bytes] = set()  # what workers that are lost have said
        self.tell(DRIVER, Ship(CODE, inline("code")))

    # What the driver's process does.

    def tell(self, client: int, event: Event) -> None:
        """Have the lifecycle take an event."""
        self.events += 1
        is_gone = client != DRIVER and client not in self.lifecycle.workers
        for value in _values_in(event):
            if is_gone and value.form != Form.FAILURE:
                self.fenced.add(value.data)
            elif value.form == Form.STORED:
                self.kept[value.data] += 1
        if isinstance(event, Submit) and not is_gone:
            self.submitted.append(event.spec)
        elif isinstance(event, Ask | Find) and not is_gone:
            self.asks[client, event.request] = event
        elif isinstance(event, Unask):
            self.unasked.add((client, event.request))
        elif isinstance(event, Lost):
            self.asks = {key: ask for key, ask in self.asks.items() if key[0] != client}
        self.carry_out(self.lifecycle.handle(client, event, self.now))

    def place(self, seconds: float = 0.0) -> None:
        """Have the lifecycle decide who runs what, some time later."""
        self.now += seconds
        self.carry_out(self.lifecycle.place(self.now))
        assert self.lifecycle.next_check() > self.now, "there would be no rest"

    def spec(
        self,
        kind: Kind = Kind.CALL,
        *,
        returns: int = 1,
        deps: Sequence[int] = (),
        nested: Sequence[int] = (),
        actor: int = 0,
        parent: int = 0,
        policy: Policy = PLAIN,
        name: str = "",
        is_stored: bool = False,
        ids: Ids | None = None,
    ) -> Spec:
        """Return a task that can be submitted, by default by the driver's client."""
        ids = ids or self.ids
        is_stream = returns == STREAMING
        number = ids.take_stream() if is_stream else ids.take(returns)
        payload = (stored if is_stored else inline)(f"arguments of {number}", *nested)
        code = b"" if kind == Kind.METHOD else CODE
        name = name or f"task {number}"
        spec = Spec(
            number, returns, kind, name, code, payload, tuple(deps), actor, "method",
            parent, policy,
        )  # fmt: skip
        self.specs[number] = spec
        return spec

    def submit(self, spec: Spec) -> int:
        """Submit a task of the driver's client; return its id."""
        for ref in range(spec.id, spec.id + abs(spec.num_returns)):
            self.held[ref] += 1
        self.tell(DRIVER, Submit(spec))
        return spec.id

    def put(self, value: Value) -> int:
        """Give a value an id that the driver's client holds."""
        ref = self.ids.take()
        self.held[ref] += 1
        self.tell(DRIVER, Put(ref, value))
        return ref

    def hold(self, ref: int) -> None:
        """Have the driver's client hold a ref once more."""
        self.held[ref] += 1
        self.tell(DRIVER, Hold(ref))

    def release(self, ref: int) -> None:
        """Have the driver's client hold a ref once less."""
        assert self.held[ref] > 0
        self.held[ref] -= 1
        self.held += Counter()
        self.tell(DRIVER, Release(ref))

    def ask(
        self,
        refs: Sequence[int],
        needed: int | None = None,
        *,
        is_eager: bool = False,
        wants_values: bool = True,
    ) -> int:
        """Ask for refs, by default for all their values; return the request."""
        self.requests += 1
        needed = len(refs) if needed is None else needed
        self.tell(
            DRIVER,
            Ask(
                self.requests, tuple(refs), needed, is_eager, wants_values, 0,
                is_patient=True,
            ),
        )  # fmt: skip
        return self.requests

    def value(self, ref: int) -> Value | None:
        """Return what the lifecycle says that a ref is; None: it is not known yet."""
        request = self.ask([ref])
        if request not in self.answers:
            self.tell(DRIVER, Unask(request))
        answer = self.answers[request]
        return answer.values[0] if answer.values else None

    # What the lifecycle wants done.

    def carry_out(self, instructions: Sequence[Instruction]) -> None:
        """Do what the lifecycle says, and check that it may say so."""
        for each in instructions:
            match each:
                case Start():
                    assert each.worker > max(self.workers, default=0)
                    self.workers[each.worker] = PlayedWorker(each.worker, self.log)
                case End():
                    self.workers[each.worker].is_killed = True
                case Remove():
                    assert all(self.kept[key] for key in each.keys), "nobody's key"
                    self.removed.update(each.keys)
                case Begin():
                    self._check_run(each.attempt, each.spec, each.values)
                    self.gangs[each.attempt] = each
                case Halt():
                    self.gangs.pop(each.attempt, None)
                case Tell():
                    self._deliver(each)

    def _deliver(self, tell: Tell) -> None:
        order = tell.order
        if isinstance(order, Answer):
            self._check_answer(tell.client, order)
        if tell.client == DRIVER:
            assert isinstance(order, Answer)
            self.answers[order.request] = order
            return
        assert tell.client in self.lifecycle.workers, "this worker is gone"
        worker = self.workers[tell.client]
        if isinstance(order, Run):
            assert worker.has_greeted
            self._check_run(order.attempt, order.spec, order.values)
        worker.orders.append(order)

    def _check_run(self, attempt: int, spec: Spec, values: Sequence[Value]) -> None:
        assert attempt not in self.attempts, "attempts have numbers of their own"
        self.attempts[attempt] = spec
        assert len(values) == len(spec.deps)
        for dep, value in zip(spec.deps, values, strict=True):
            assert value.form in (Form.INLINE, Form.STORED), "it would fail with this"
            self._check_value(dep, value)
        self._check_is_there(spec.payload)

    def _check_answer(self, client: int, answer: Answer) -> None:
        asked = self.asks.pop((client, answer.request))
        if isinstance(asked, Find):
            return
        places = [asked.ids.index(ref) for ref in answer.ids]
        assert places == sorted(places)
        assert len(answer.values) == (len(answer.ids) if asked.wants_values else 0)
        is_failed = any(value.form == Form.FAILURE for value in answer.values)
        is_early = asked.eager and (is_failed or not asked.wants_values)
        is_unasked = (client, answer.request) in self.unasked
        assert len(answer.ids) >= asked.needed or is_early or is_unasked
        for ref, value in zip(answer.ids, answer.values, strict=False):
            if value == LOST:
                assert client != DRIVER or not self.held[ref], "it was held"
            else:
                self._check_value(ref, value)

    def _check_value(self, ref: int, value: Value) -> None:
        """A ref has one value ever after; a deadlock is of the wait, not of the ref."""
        self._check_is_there(value)
        assert value.data not in self.fenced, "this attempt was not under way"
        is_failure = value.form == Form.FAILURE
        if not is_failure or failure_of(value).cause != Cause.DEADLOCK:
            assert self.final.setdefault(ref, value) == value

    def _check_is_there(self, value: Value) -> None:
        assert value.form != Form.STORED or not self.removed[value.data], "was removed"


def _values_in(event: Event) -> Sequence[Value]:
    """Return the values that an event hands over."""
    match event:
        case Put() | Yielded():
            return (event.value,)
        case Finished():
            return event.values
        case HandOver():
            return (event.state,)
        case Submit():
            return (event.spec.payload,)
    return ()
