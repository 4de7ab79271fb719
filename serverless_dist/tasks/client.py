"""Whoever holds refs: the driver's own process, and each worker.

A client makes ids, counts nothing, and waits for answers. It posts messages, which its
owner takes to the driver in order.

The collector of garbage may end a ref at any moment, in any thread, with whatever lock
that holds. So `release` takes no lock, and posting what is not urgent must take none
that the thread may hold already.
"""

from collections.abc import Callable, Sequence
from itertools import count
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Protocol

from serverless_dist.errors import ServerlessDistError, UsageError
from serverless_dist.tasks.messages import (
    STREAMING,
    Answer,
    Ask,
    Cancel,
    Find,
    Hold,
    Ids,
    Kill,
    Message,
    Put,
    Release,
    Ship,
    Spec,
    Submit,
    Unask,
)
from serverless_dist.tasks.store import Store
from serverless_dist.tasks.values import INLINE_BYTES, Form, Value
from serverless_dist.wire import Body

_LONGEST = 1e6  # seconds; what a lock can be waited for is limited

Callback = Callable[[Answer | None], None]
"""Takes the answer to a `Client.watch`; None: the session has ended before."""


_Callbacks = SimpleQueue[tuple[Callback, Answer | None] | None]


class Post(Protocol):
    """Takes messages to the driver, in order; safe to call from several threads."""

    def __call__(self, message: Message, *, urgent: bool) -> None:
        """Send a message, now if it is urgent, else with the next one that is."""
        ...


class _Waiter:
    """A request that has not been answered."""

    __slots__ = ("_lock", "answer", "callback")

    def __init__(self, callback: Callback | None = None) -> None:
        self.answer: Answer | None = None
        self.callback = callback
        self._lock = Lock()
        self._lock.acquire()

    def wait(self, seconds: float) -> bool:
        """Return whether the answer has come."""
        return self._lock.acquire(timeout=min(max(0.0, seconds), _LONGEST))

    def end(self, answer: Answer | None) -> None:
        """Let the one that waits go on."""
        self.answer = answer
        self._lock.release()


class Client:
    """One holder of refs.

    Parameters
    ----------
    number
        The client's, which no other has had.
    job
        The session's id.
    store
        Where large values lie.
    post
        Takes messages to the driver.
    ships_modules
        Whether workers lack the modules beside the user's script.
    slots
        How many tasks run at a time, or a guess.

    Attributes
    ----------
    task
        The task that this process runs now; 0: none.
    """

    def __init__(
        self,
        number: int,
        job: bytes,
        store: Store,
        post: Post,
        *,
        ships_modules: bool = False,
        slots: int = 4,
    ) -> None:
        self.number = number
        self.job = job
        self.store = store
        self.ships_modules = ships_modules
        self.slots = slots
        self.task = 0
        self._post = post
        self._ids = Ids(number)
        self._lock = Lock()
        self._requests = count(1)
        self._waiters: dict[int, _Waiter] = {}
        self._shipped: set[bytes] = set()
        self._failure: ServerlessDistError | None = None
        self._callbacks: _Callbacks | None = None

    def __repr__(self) -> str:
        return f"<Client {self.number}: {len(self._waiters)} requests>"

    def submit(self, spec: Spec) -> None:
        """Have a task run; the client holds its refs from now on."""
        self._check()
        self._post(Submit(spec), urgent=True)

    def take_id(self, num_returns: int) -> int:
        """Return the id for a task with so many refs."""
        with self._lock:
            if num_returns == STREAMING:
                return self._ids.take_stream()
            return self._ids.take(num_returns)

    def ship(self, digest: bytes, make: Callable[[], Value]) -> None:
        """Make sure that the driver has the code with this digest."""
        if digest not in self._shipped:
            self._post(Ship(digest, make()), urgent=False)
            self._shipped.add(digest)

    def put(self, value: Value) -> int:
        """Give a value an id, which the client holds from now on."""
        self._check()
        number = self.take_id(1)
        self._post(Put(number, value), urgent=False)
        return number

    def keep(self, body: Body, refs: Sequence[int] = ()) -> Value:
        """Return a body as a value, which is in the store if it is large."""
        size = sum([len(b) if type(b) is bytes else memoryview(b).nbytes for b in body])
        if size <= INLINE_BYTES:
            return Value(Form.INLINE, b"".join(body), tuple(refs), size)
        return Value(Form.STORED, self.store.put(body), tuple(refs), size)

    def hold(self, id: int) -> None:
        """Take note of one more ref here."""
        self._post(Hold(id), urgent=False)

    def release(self, id: int) -> None:
        """Take note of one ref less here; safe at any moment, in any thread."""
        if self._failure is None:
            self._post(Release(id), urgent=False)

    def cancel(self, id: int, *, force: bool, recursive: bool) -> None:
        """Cancel the task of a ref."""
        self._check()
        self._post(Cancel(id, force, recursive), urgent=True)

    def kill(self, actor: int, *, no_restart: bool) -> None:
        """End an actor."""
        self._check()
        self._post(Kill(actor, no_restart), urgent=True)

    def ask(
        self,
        ids: Sequence[int],
        needed: int,
        *,
        eager: bool = False,
        wants_values: bool = True,
        timeout: float | None = None,
    ) -> Answer:
        """Return what is known once enough is, or after `timeout` seconds.

        Parameters
        ----------
        ids
            Of the refs, each once.
        needed
            How many have to be known.
        eager
            Whether one failure is reason enough to return.
        wants_values
            Whether the values are wanted, or only which are known.
        timeout
            None: wait for as long as it takes.
        """
        request = next(self._requests)
        is_patient = timeout is None
        ask = Ask(
            request, tuple(ids), needed, eager, wants_values, self.task, is_patient
        )
        self._check()
        try:
            waiter = self._send(request, ask)
            if not waiter.wait(_LONGEST if timeout is None else timeout):
                self._post(Unask(request), urgent=True)
                waiter.wait(_LONGEST)
        except BaseException:  # the thread was interrupted, and waits no more
            self._waiters.pop(request, None)
            self._post(Unask(request), urgent=True)
            raise
        return self._answer(waiter)

    def find(self, name: str) -> Answer:
        """Return the actor of a name: its id, which the client holds, and its code."""
        request = next(self._requests)
        waiter = self._send(request, Find(request, name))
        waiter.wait(_LONGEST)
        return self._answer(waiter)

    def watch(
        self, ids: Sequence[int], callback: Callback, *, wants_values: bool = True
    ) -> None:
        """Call `callback` once all are known, from a thread that does only this.

        Parameters
        ----------
        ids
            Of the refs, each once.
        callback
            Gets the answer; it must not raise.
        wants_values
            Whether the answer is to have the values.
        """
        request = next(self._requests)
        self._add(request, _Waiter(callback))
        ask = Ask(
            request,
            tuple(ids),
            needed=len(ids),
            eager=False,
            wants_values=wants_values,
            task=self.task,  # who gets a future most often waits for it
            is_patient=True,
        )
        self._post(ask, urgent=True)

    def deliver(self, answer: Answer) -> None:
        """Give an answer to whoever waits for it, if anybody still does."""
        waiter = self._waiters.pop(answer.request, None)
        if waiter is not None:
            self._end(waiter, answer)

    def fail(self, failure: ServerlessDistError) -> None:
        """Have all that waits, and all that is asked later, fail with this."""
        with self._lock:
            self._failure = failure
            waiters, self._waiters = self._waiters, {}
        for waiter in waiters.values():
            self._end(waiter, None)
        if self._callbacks is not None:
            self._callbacks.put(None)

    def abandon(self) -> None:
        """Refuse everything from now on: this is a copy in a forked process.

        No lock is taken: who held it has not been forked.
        """
        msg = "this process was forked from the one that has the session"
        self._failure = UsageError(msg)

    def _send(self, request: int, message: Ask | Find) -> _Waiter:
        self._check()
        waiter = _Waiter()
        self._add(request, waiter)
        self._post(message, urgent=True)
        return waiter

    def _add(self, request: int, waiter: _Waiter) -> None:
        self._check()
        with self._lock:
            self._check()  # `fail` ends all that is added before it
            self._waiters[request] = waiter
            if waiter.callback is not None and self._callbacks is None:
                self._callbacks = SimpleQueue()
                Thread(
                    target=_call_all,
                    args=(self._callbacks,),
                    name="serverless_dist callbacks",
                    daemon=True,
                ).start()

    def _end(self, waiter: _Waiter, answer: Answer | None) -> None:
        if waiter.callback is not None and self._callbacks is not None:
            self._callbacks.put((waiter.callback, answer))
        waiter.end(answer)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _answer(self, waiter: _Waiter) -> Answer:
        if waiter.answer is None:
            raise self._failure or UsageError("the session was shut down")
        return waiter.answer


def _call_all(callbacks: _Callbacks) -> None:
    while (due := callbacks.get()) is not None:
        callback, answer = due
        callback(answer)
        del due, callback, answer  # with the refs that they hold
