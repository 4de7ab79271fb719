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
from threading import Thread
from types import FrameType

import msgpack

from serverless_dist.cloud import Cloud, Meter, Usage
from serverless_dist.cloud.aws_address import AwsAddress
from serverless_dist.errors import ServerlessDistError
from serverless_dist.runtime.envelope import Envelope
from serverless_dist.runtime.surroundings import Surroundings
from serverless_dist.runtime.versions import versions
from serverless_dist.tasks.client import Client
from serverless_dist.tasks.current import set_client
from serverless_dist.tasks.execution import Executor, Interruption
from serverless_dist.tasks.invitation import Invitation
from serverless_dist.tasks.lines import Line
from serverless_dist.tasks.mailbox_lines import mourn
from serverless_dist.tasks.messages import (
    Answer,
    Bye,
    Code,
    Die,
    Died,
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
from serverless_dist.tasks.outbox import Outbox
from serverless_dist.tasks.places import CloudPlace
from serverless_dist.tasks.store import Store
from serverless_dist.tasks.values import Cause, Failure, Form, failed

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
        worker = _Worker(invitation, line, store, meter)
        stack.callback(worker.leave)
        worker.serve()
    return b""


def part(envelope: Envelope) -> "WorkerPart":
    """Return the worker that an envelope invites; see `Part`."""
    return WorkerPart(Invitation.from_fields(envelope.key, envelope.fields))


class WorkerPart:
    """A worker as a part of a job that a function runs; see `Part`."""

    def __init__(self, invitation: Invitation) -> None:
        assert isinstance(invitation.place, CloudPlace)
        assert isinstance(invitation.place.address, AwsAddress)
        self._invitation = invitation
        self._place = invitation.place
        self.address = invitation.place.address
        self.name = f"worker {invitation.worker}"

    def run(self, surroundings: Surroundings) -> None:
        """Be the worker."""
        invitation = self._invitation
        with ExitStack() as stack:
            line, store = self._place.attach(
                surroundings.cloud, invitation.key, invitation.worker, stack
            )
            stack.callback(set_client, None)
            worker = _Worker(invitation, line, store, surroundings.meter)
            stack.callback(worker.leave)
            with surroundings.guarded(lambda: None):
                worker.serve()

    def mourn(self, cloud: Cloud, how: str) -> None:
        """Tell the driver how the worker has ended, since it cannot itself."""
        mourn(
            cloud,
            self._place.mailbox,
            self._place.size,
            worker=self._invitation.worker,
            key=self._invitation.key,
            body=(pack([Died(how)]),),
        )


class _Worker:
    """One worker; the main thread calls `serve`."""

    def __init__(
        self, invitation: Invitation, line: Line, store: Store, meter: Meter
    ) -> None:
        self._line = line
        self._meter = meter
        self._outbox = Outbox(line, self._interrupt)
        self._client = Client(
            invitation.worker, invitation.key.job, store, self._outbox.post
        )
        self._executor = Executor(self._client, self._post_later)
        self._waiting: deque[Run] = deque()  # not begun, in order
        self._steps: SimpleQueue[str] = SimpleQueue()  # what the main thread does next
        self._came = self._gone = 0  # tasks, as the two threads count them
        self._raised: int | None = None  # the last attempt that was interrupted
        self._running: Run | None = None
        self._deadline = inf  # of the running task
        self._stopped: dict[int, Cause] = {}  # attempts that are to stop, and why
        self._is_actor = self._is_retiring = self._is_ending = False
        self._heard = time.monotonic()
        self._retire_at = _retirement(invitation)
        self._main = threading.get_ident()
        self._reader = Thread(
            target=self._read, name="serverless_dist line", daemon=True
        )

    def serve(self) -> None:
        """Run tasks until the driver says stop, or is gone."""
        set_client(self._client)
        signal.signal(signal.SIGINT, self._interrupt)
        self._outbox.post(Hello(os.getpid(), dict(versions())), urgent=True)
        self._reader.start()
        while self._steps.get() != "stop":
            if self._is_retiring:
                self._retire()
                break
            if (order := self._next()) is not None:
                self._run(order)
            self._gone += 1

    def leave(self) -> None:
        """Say farewell, once nothing here reads the mailbox any more."""
        self._is_ending = True
        self._line.wake()
        if self._reader.ident is not None:
            self._reader.join(_FAREWELL)
        with suppress(ServerlessDistError):  # the driver may be gone
            self._line.stop_reading()
            self._outbox.post(Bye(_pack_usage(self._meter.usage())), urgent=True)

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
        # What it raised on its way out, as by a `finally`, is not why it has ended.
        if finished is None or (order.attempt == self._raised and _is_failed(finished)):
            finished = _stopped(order, cause)
        self._outbox.post(finished, urgent=not self._waiting)
        self._executor.forget_result()

    def _interrupt(self, number: int = 0, frame: FrameType | None = None) -> None:
        """Raise in the running task, if it is the one that is to stop."""
        del number
        running = self._running
        if running is None or not self._is_to_stop(running) or _is_in_del(frame):
            return
        if not self._outbox.postpone():
            self._raised = running.attempt
            raise Interruption

    def _is_to_stop(self, running: Run) -> bool:
        return running.attempt in self._stopped and running.attempt != self._raised

    def _retire(self) -> None:
        """Hand over, and wait for the driver to let this worker go."""
        if self._is_actor:
            self._waiting.clear()
            self._outbox.post(HandOver(self._executor.pack_actor()), urgent=True)
        else:
            self._pass_on()
            self._outbox.post(Retire(), urgent=True)
        until = time.monotonic() + _FAREWELL
        with suppress(Empty):
            while self._steps.get(timeout=max(0.0, until - time.monotonic())) != "stop":
                if not self._is_actor:
                    self._pass_on()
                    self._outbox.flush()

    def _pass_on(self) -> None:
        """Have other workers run what waits here, or make the actor."""
        waiting = list(self._waiting)
        creation = next((o for o in waiting if o.spec.kind == Kind.CREATE), None)
        if creation is not None:
            self._is_actor = True
            self._waiting.clear()
            self._post_later(HandOver(self._executor.pass_on(creation)))
        elif waiting:
            self._give_back(len(waiting))

    def _post_later(self, message: Message) -> None:
        self._outbox.post(message, urgent=False)

    def _give_back(self, most: int) -> None:
        """Give back up to so many tasks that have not begun, the last ones."""
        returned: deque[int] = deque()
        with suppress(IndexError):  # the main thread has begun the last one
            while len(returned) < most:
                returned.appendleft(self._waiting.pop().attempt)
        self._outbox.post(Returned(tuple(returned)), urgent=False)

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
        tick = _REST if self._came == self._gone else _TICK
        if self._outbox or self._waiting:
            tick = min(tick, self._line.patience)
        return max(0.0, min(tick, self._retire_at - time.time()))

    def _take(self, order: Order) -> None:
        match order:
            case Run():
                self._came += 1
                self._waiting.append(order)
                self._steps.put("run")
            case Answer():
                self._client.deliver(order)
            case Code(digest, value):
                self._executor.keep_code(digest, value)
            case Recall(most):
                self._give_back(most)
                self._outbox.flush()
            case Interrupt(attempt):
                self._stop(attempt, Cause.CANCELLED)
            case Stop():
                self._steps.put("stop")
            case Die():
                os._exit(1)

    def _stop(self, attempt: int, cause: Cause) -> None:
        """Stop an attempt that is running, or will not begin."""
        for order in list(self._waiting):
            if order.attempt == attempt:
                with suppress(ValueError):  # it has just begun
                    self._waiting.remove(order)
                    self._outbox.post(_stopped(order, cause), urgent=True)
                    return
        # It runs, or is about to; of one that has ended nobody will ask.
        self._stopped.setdefault(attempt, cause)

    def _look_after(self, *, is_silent: bool) -> None:
        now = time.monotonic()
        self._heard = self._heard if is_silent else now
        self._outbox.flush_old()
        running = self._running
        if running is not None and now >= self._deadline:
            if running.attempt not in self._stopped:
                self._stop(running.attempt, Cause.TIMEOUT)
            elif now >= self._deadline + _GRACE:
                self._die_of(running)
        if running is not None and self._is_to_stop(running):
            # Again and again: one that comes just before a system call is not noticed.
            signal.pthread_kill(self._main, signal.SIGINT)
        if time.time() >= self._retire_at:
            self._retire_at, self._is_retiring = inf, True
            self._steps.put("retire")
        is_idle = self._came == self._gone and not self._is_actor
        if is_idle and now - self._heard >= _SILENCE and self._line.is_remote:
            self._steps.put("stop")

    def _die_of(self, order: Run) -> None:
        """End this process, since a task does not."""
        self._outbox.post(Retire(), urgent=False)
        self._give_back(len(self._waiting))
        self._outbox.post(_stopped(order, Cause.TIMEOUT), urgent=True)
        os._exit(1)


def _is_in_del(frame: FrameType | None) -> bool:
    """Return whether Python would drop what is raised here."""
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


def _is_failed(finished: Finished) -> bool:
    return any(value.form == Form.FAILURE for value in finished.values)


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
