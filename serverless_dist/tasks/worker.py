"""The inside of a worker: an invocation that runs tasks until it is told to stop.

The main thread runs tasks in the order in which they came. Another one reads the line:
it keeps tasks for the main thread, gives answers to whoever waits, and looks after
what may not wait for the running task - what is to be interrupted, given back or sent.
"""

import logging
import os
import signal
import threading
import time
from collections import deque
from contextlib import ExitStack, suppress
from math import inf
from queue import Empty, SimpleQueue
from threading import Lock, Thread

import msgpack

from serverless_dist.cloud import Meter, Usage
from serverless_dist.tasks.client import Client
from serverless_dist.tasks.current import set_client
from serverless_dist.tasks.execution import Executor, Interruption
from serverless_dist.tasks.invitation import Invitation
from serverless_dist.tasks.lines import Line
from serverless_dist.tasks.messages import (
    Answer,
    Bye,
    Code,
    Finished,
    HandOver,
    Hello,
    Interrupt,
    Kind,
    Message,
    Order,
    Recall,
    Retire,
    Returned,
    Run,
    Stop,
    pack,
    unpack,
)
from serverless_dist.tasks.store import Store
from serverless_dist.tasks.values import Cause, Failure, failed
from serverless_dist.tasks.versions import versions

_SOONER = 0.2, 0.3, 5.0  # of its lifetime, at least, at most: seconds before its end
_TICK = 0.02  # seconds between two looks at the task that runs
_REST = 1.0  # seconds between two looks when none does
_GRACE = 1.0  # seconds that a task may take to end that was told to
_FAREWELL = 5.0  # seconds that the driver may take to let a worker go
_SILENCE = 60.0  # seconds without a word and without work: there is no driver
_log = logging.getLogger(__name__)


def handler(payload: bytes) -> bytes:
    """Be a worker of the session that `payload` invites to."""
    invitation = Invitation.unpack(payload)
    meter = Meter()
    with ExitStack() as stack:
        line, store = invitation.place.open(
            invitation.key, invitation.worker, meter, stack
        )
        _Worker(invitation, line, store, meter).serve()
    return b""


class _Worker:
    """One worker; the main thread calls `serve`."""

    def __init__(
        self, invitation: Invitation, line: Line, store: Store, meter: Meter
    ) -> None:
        self._line = line
        self._meter = meter
        self._client = Client(invitation.worker, invitation.key.job, store, self._post)
        self._executor = Executor(self._client, self._post_later)
        self._waiting: deque[Run] = deque()  # not begun, in order
        self._steps: SimpleQueue[str] = SimpleQueue()  # what the main thread does next
        self._outbox: deque[Message] = deque()
        self._oldest = 0.0  # when the first message of the outbox was posted
        self._sending = Lock()
        self._is_shielded = False  # whether the main thread sends, to the end
        self._is_postponed = False  # whether it was to be interrupted meanwhile
        self._running: Run | None = None
        self._deadline = inf  # of the running task
        self._stopped: dict[int, Cause] = {}  # attempts that are to stop, and why
        self._is_actor = self._is_retiring = self._is_ending = False
        self._heard = time.monotonic()
        self._retire_at = _retirement(invitation)
        self._main = threading.get_ident()

    def serve(self) -> None:
        """Run tasks until the driver says stop, or is gone."""
        set_client(self._client)
        signal.signal(signal.SIGINT, self._interrupt)
        self._post(Hello(os.getpid(), dict(versions())), urgent=True)
        reader = Thread(target=self._read, name="serverless_dist line", daemon=True)
        reader.start()
        while self._steps.get() != "stop":
            if self._is_retiring:
                self._retire()
                break
            if (order := self._next()) is not None:
                self._run(order)
        self._is_ending = True
        self._post(Bye(_pack_usage(self._meter.usage())), urgent=True)
        self._line.wake()
        reader.join(_FAREWELL)

    # The main thread.

    def _next(self) -> Run | None:
        """Take the first task that waits; None: it was given back."""
        with suppress(IndexError):
            return self._waiting.popleft()
        return None

    def _run(self, order: Run) -> None:
        policy = order.spec.policy
        self._is_actor = self._is_actor or order.spec.kind == Kind.CREATE
        finished: Finished | None = None
        try:
            if policy.timeout:
                self._deadline = time.monotonic() + policy.timeout
            self._running = order
            finished = self._executor.run(order)
            self._running = None
        except Interruption:
            self._running = None
        self._deadline = inf
        cause = self._stopped.pop(order.attempt, Cause.CANCELLED)
        self._post(finished or _stopped(order, cause), urgent=not self._waiting)

    def _interrupt(self, number: int = 0, frame: object = None) -> None:
        """Raise in the running task, if it is the one that is to stop."""
        del number, frame
        running = self._running
        if self._is_shielded:
            self._is_postponed = True
        elif running is not None and running.attempt in self._stopped:
            raise Interruption

    def _retire(self) -> None:
        """Hand over, and wait for the driver to let this worker go."""
        if self._is_actor:
            self._waiting.clear()
            self._post(HandOver(self._executor.pack_actor()), urgent=True)
        else:
            self._give_back(len(self._waiting))
            self._post(Retire(), urgent=True)
        until = time.monotonic() + _FAREWELL
        with suppress(Empty):
            while self._steps.get(timeout=max(0.0, until - time.monotonic())) != "stop":
                if self._waiting and not self._is_actor:
                    self._give_back(len(self._waiting))
                    self._flush()

    # Messages to the driver.

    def _post(self, message: Message, *, urgent: bool) -> None:
        """Send a message, if it is urgent; else soon.

        What is not urgent waits for no lock: the collector of garbage may post it
        while this very thread sends.
        """
        if not self._outbox:
            self._oldest = time.monotonic()
        self._outbox.append(message)
        if urgent or self._is_old():
            self._flush(is_urgent=urgent)

    def _post_later(self, message: Message) -> None:
        self._post(message, urgent=False)

    def _is_old(self) -> bool:
        return time.monotonic() - self._oldest >= self._line.patience

    def _flush(self, *, is_urgent: bool = True) -> None:
        """Send what was posted; what is not urgent can wait for who is sending."""
        # Half a message would be the end of the line.
        is_outermost = threading.get_ident() == self._main and not self._is_shielded
        if is_outermost:
            self._is_shielded = True
        if self._sending.acquire(blocking=is_urgent):
            try:
                self._send()
            finally:
                self._sending.release()
        if is_outermost:
            self._is_shielded = False
            if self._is_postponed:
                self._is_postponed = False
                self._interrupt()

    def _send(self) -> None:
        messages: list[Message] = []
        while self._outbox:
            messages.append(self._outbox.popleft())
        try:
            if messages:
                self._line.send([(pack(messages),)])
        except Exception:
            # The driver has to learn that what it was not told is lost.
            _log.exception("a worker of remote tasks cannot reach its driver")
            os._exit(1)

    def _give_back(self, most: int) -> None:
        """Give back up to so many tasks that have not begun, the last ones."""
        returned: deque[int] = deque()
        with suppress(IndexError):  # the main thread has begun the last one
            while len(returned) < most:
                returned.appendleft(self._waiting.pop().attempt)
        self._post(Returned(tuple(returned)), urgent=False)

    # The thread that reads.

    def _read(self) -> None:
        try:
            while not self._is_ending:
                bodies = self._line.receive(self._patience())
                for body in bodies:
                    for order in unpack(body):
                        self._take(order)
                self._look_after(is_silent=not bodies)
        except EOFError:
            # Without a driver nobody wants what is running.
            os._exit(0)
        except Exception:
            _log.exception("a worker of remote tasks does not hear its driver")
            os._exit(1)

    def _patience(self) -> float:
        """Return how long nothing may be looked after."""
        tick = _REST if self._running is None else _TICK
        if self._outbox or self._waiting:
            tick = min(tick, self._line.patience)
        return max(0.0, min(tick, self._retire_at - time.time()))

    def _take(self, order: Order) -> None:
        match order:
            case Run():
                self._waiting.append(order)
                self._steps.put("run")
            case Answer():
                self._client.deliver(order)
            case Code(digest, value):
                self._executor.keep_code(digest, value)
            case Recall(most):
                self._give_back(most)
                self._flush()
            case Interrupt(attempt):
                self._stop(attempt, Cause.CANCELLED)
            case Stop():
                self._steps.put("stop")

    def _stop(self, attempt: int, cause: Cause) -> None:
        """Stop an attempt that is running, or will not begin."""
        for order in list(self._waiting):
            if order.attempt == attempt:
                with suppress(ValueError):  # it has just begun
                    self._waiting.remove(order)
                    self._post(_stopped(order, cause), urgent=True)
                    return
        running = self._running
        is_new = attempt not in self._stopped
        if running is not None and running.attempt == attempt and is_new:
            self._stopped[attempt] = cause
            signal.pthread_kill(self._main, signal.SIGINT)

    def _look_after(self, *, is_silent: bool) -> None:
        now = time.monotonic()
        self._heard = self._heard if is_silent else now
        if self._outbox and self._is_old():
            self._flush()
        running = self._running
        if running is not None and now >= self._deadline:
            if running.attempt not in self._stopped:
                self._stop(running.attempt, Cause.TIMEOUT)
            elif now >= self._deadline + _GRACE:
                self._die_of(running)
        if time.time() >= self._retire_at:
            self._retire_at, self._is_retiring = inf, True
            self._steps.put("retire")
        is_idle = running is None and not self._waiting and not self._is_actor
        if is_idle and now - self._heard >= _SILENCE and self._line.is_remote:
            self._steps.put("stop")

    def _die_of(self, order: Run) -> None:
        """End this process, since a task does not."""
        self._post(Retire(), urgent=False)
        self._give_back(len(self._waiting))
        self._post(_stopped(order, Cause.TIMEOUT), urgent=True)
        os._exit(1)


def _stopped(order: Run, cause: Cause) -> Finished:
    spec = order.spec
    if cause == Cause.TIMEOUT:
        summary = f"ran longer than its timeout of {spec.policy.timeout:g} s"
    else:
        summary = "was cancelled"
    value = failed(Failure(cause, spec.name, summary))
    return Finished(order.attempt, (value,), 0, 0.0, is_retryable=False)


def _retirement(invitation: Invitation) -> float:
    """Return when a worker hands over, in seconds since the epoch."""
    if not invitation.lifetime:
        return inf
    share, least, most = _SOONER
    sooner = min(most, max(least, share * invitation.lifetime))
    return invitation.started + invitation.lifetime - sooner


def _pack_usage(usage: Usage) -> bytes:
    packed: bytes = msgpack.packb(
        [usage.requests, usage.billed, usage.sent, usage.received]
    )
    return packed


def unpack_usage(packed: bytes) -> Usage:
    """Return what a worker has used, from its `Bye`."""
    return Usage(*msgpack.unpackb(packed))
