"""What ranks tell the process that started them.

They send it messages over the mailbox after the last rank's, whatever channel they
use among themselves: small ones by queue, large ones by object. The number after
those of the ranks, `size`, is the driver's.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pickle import PickleBuffer
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any

from serverless_dist.cloud import Cloud, Usage
from serverless_dist.cloud.limits import MAX_WAIT
from serverless_dist.comm import Span
from serverless_dist.errors import ServerlessDistError
from serverless_dist.transport import Message
from serverless_dist.transport.hybrid import HybridTransport
from serverless_dist.wire import Body, JobKey, decode, encode

Buffers = Sequence[Any]
"""An encoded object inside an event: each buffer travels out of band."""

CONTEXT = -1  # no communicator's
_MOURNING = -2  # what is told of a rank that cannot tell it any more
_GOODBYE = 5.0  # seconds for the deletes of what was received
_LONG = 3_600.0  # seconds; no lock can be waited for longer than some years
MAILBOXES = 1  # of the driver, besides one for each rank


@dataclass(frozen=True, slots=True)
class Phases:
    """Seconds of one rank: start and import, computing, sending, waiting, loading."""

    boot: float
    compute: float
    send: float
    wait: float
    load: float = 0.0

    @property
    def total(self) -> float:
        """All of them."""
        return self.boot + self.compute + self.send + self.wait + self.load


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a rank failed: one line, its traceback, and the exception, encoded.

    A rank that left by `sys.exit`, `is_exit`, has come to its end; others may yet.
    """

    summary: str
    traceback: str = ""
    error: Buffers = ()
    is_exit: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """A rank's end: its value (still encoded) or its failure, and its seconds."""

    rank: int
    value: Buffers
    failure: Failure | None
    phases: Phases


@dataclass(frozen=True, slots=True)
class Farewell:
    """What a rank used, its outcome included; small, so that it is one request.

    Attributes
    ----------
    rank, usage
        Who, and what.
    dropped
        How many frames were dropped, by reason.
    traffic
        Each dest, and the messages and bytes of payload that it was sent.
    """

    rank: int
    usage: Usage
    dropped: Mapping[str, int] = field(default_factory=dict)
    traffic: Sequence[tuple[int, int, int]] = ()


@dataclass(frozen=True, slots=True)
class Traced:
    """When a rank did what, in seconds since the job's start; before its farewell."""

    rank: int
    spans: Sequence[Span]


@dataclass(frozen=True, slots=True)
class Ended:
    """A rank's process is gone, or there has never been one."""

    rank: int
    how: str
    has_run: bool = True


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the job has come."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Printed:
    """What a rank has printed that does not run on this machine."""

    out: str
    err: str


Event = Outcome | Farewell | Traced | Ended | Progress | Printed


def enclosed(obj: Any) -> Buffers:
    """Return `obj` encoded, to be enclosed in an event without another copy."""
    return [PickleBuffer(buffer) for buffer in encode(obj)]


class ControlLine:
    """A rank's line to the driver; safe to use from several threads."""

    def __init__(
        self,
        sender: int,
        size: int,
        cloud: Cloud,
        key: JobKey,
        *,
        is_mourning: bool = False,
    ) -> None:
        self._sender = sender
        self._driver = size
        self._context = _MOURNING if is_mourning else CONTEXT
        self._transport = HybridTransport(sender, size + 1, cloud, key)
        self._lock = Lock()

    def tell(self, *events: Event) -> None:
        """Send events, small ones in one request.

        Raises `UnpicklableError` if part of one cannot travel.
        """
        bodies: list[Body] = [encode(event) for event in events]
        dests = (self._driver,)
        messages = [Message(self._sender, dests, self._context, 0, b) for b in bodies]
        with self._lock:
            self._transport.send(messages)

    def close(self) -> None:
        """Give back what is held; what was told stays told."""
        self._transport.close()


@dataclass(frozen=True, slots=True)
class _Told:
    """What was told, or why nothing could be; the answer to a request or not."""

    events: list[Event]
    error: Exception | None = None
    is_answer: bool = True


class ControlDesk:
    """The driver's end: the events of all ranks, each once, and those of this machine.

    The cloud is asked by a thread, one request at a time and only while somebody
    waits: a cloud that hangs cannot hold the driver beyond the time it gives.
    """

    def __init__(self, size: int, cloud: Cloud, key: JobKey) -> None:
        self._transport = HybridTransport(size, size + 1, cloud, key)
        self._waits: SimpleQueue[float | None] = SimpleQueue()
        self._events: SimpleQueue[_Told] = SimpleQueue()
        self._is_asking = False  # of the thread that calls `events`, and only its
        self._thread = Thread(target=self._ask, name="desk", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many frames to the driver were dropped, by reason."""
        return {flaw.value: n for flaw, n in self._transport.dropped.items()}

    def put(self, event: Event) -> None:
        """Add an event that was seen here; from any thread, without a request."""
        self._events.put(_Told([event], is_answer=False))

    def events(self, wait: float) -> list[Event]:
        """Return what has been told, waiting up to `wait` seconds for the first."""
        if not self._is_asking:
            self._is_asking = True
            self._waits.put(min(wait, MAX_WAIT))
        try:
            told = self._events.get(timeout=min(wait, _LONG))
        except Empty:
            return []
        if told.is_answer:
            self._is_asking = False
        if told.error is not None:
            raise told.error
        return told.events

    def close(self) -> None:
        """Give back what is held: now, or once the cloud has answered or given up."""
        self._waits.put(None)
        if not self._is_asking:
            self._thread.join(_GOODBYE)

    def join(self, seconds: float) -> None:
        """Wait for the thread that asks, after the cloud has been closed."""
        self._thread.join(seconds)

    def _ask(self) -> None:
        while (wait := self._waits.get()) is not None:
            try:
                messages = self._transport.receive(wait)
                told = _Told([decode(message.body) for message in messages])
            except Exception as error:
                told = _Told([], error)
            self._events.put(told)
        with suppress(ServerlessDistError):
            self._transport.close()
