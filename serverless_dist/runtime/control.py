"""What ranks tell the process that started them.

They send it messages over the mailbox after the last rank's, whatever channel they
use among themselves: small ones by queue, large ones by object. Two numbers follow
those of the ranks: `size` is the driver, `size` + 1 the thread beside it that sees
processes end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pickle import PickleBuffer
from threading import Lock
from typing import Any

from serverless_dist.cloud import Cloud, Usage
from serverless_dist.transport import Message
from serverless_dist.transport.hybrid import HybridTransport
from serverless_dist.wire import Body, JobKey, decode, encode

Buffers = Sequence[Any]
"""An encoded object inside an event: each buffer travels out of band."""

CONTEXT = -1  # no communicator's
MAILBOXES = 1  # of the driver, besides one for each rank


@dataclass(frozen=True, slots=True)
class Phases:
    """Seconds of one rank: start and import, computing, sending, waiting."""

    boot: float
    compute: float
    send: float
    wait: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.boot + self.compute + self.send + self.wait


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a rank failed: one line, its traceback, and the exception, encoded."""

    summary: str
    traceback: str = ""
    error: Buffers = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """A rank's end: its value (still encoded) or its failure, and its seconds."""

    rank: int
    value: Buffers
    failure: Failure | None
    phases: Phases


@dataclass(frozen=True, slots=True)
class Farewell:
    """What a rank used, its outcome included; small, so that it is one request."""

    rank: int
    usage: Usage


@dataclass(frozen=True, slots=True)
class Ended:
    """A rank's process is gone."""

    rank: int
    how: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the job has come."""

    done: int
    total: int


Event = Outcome | Farewell | Ended | Progress


def enclosed(obj: Any) -> Buffers:
    """Return `obj` encoded, to be enclosed in an event without another copy."""
    return [PickleBuffer(buffer) for buffer in encode(obj)]


class ControlLine:
    """A sender's line to the driver; safe to use from several threads."""

    def __init__(self, sender: int, size: int, cloud: Cloud, key: JobKey) -> None:
        self._sender = sender
        self._driver = size
        self._transport = HybridTransport(sender, size + 2, cloud, key)
        self._lock = Lock()

    @classmethod
    def of_watcher(cls, size: int, cloud: Cloud, key: JobKey) -> "ControlLine":
        """Return the line of the thread that sees processes end."""
        return cls(size + 1, size, cloud, key)

    def tell(self, event: Event) -> None:
        """Send an event; raises `UnpicklableError` if part of it cannot travel."""
        body: Body = encode(event)
        message = Message(self._sender, (self._driver,), CONTEXT, 0, body)
        with self._lock:
            self._transport.send([message])

    def close(self) -> None:
        """Give back what is held; what was told stays told."""
        self._transport.close()


class ControlDesk:
    """The driver's end: the events of all lines, each once."""

    def __init__(self, size: int, cloud: Cloud, key: JobKey) -> None:
        self._transport = HybridTransport(size, size + 2, cloud, key)

    def events(self, wait: float) -> list[Event]:
        """Return what has been told, waiting up to `wait` seconds for the first."""
        received: list[Any] = [
            decode(message.body) for message in self._transport.receive(wait)
        ]
        return received

    def close(self) -> None:
        """Give back what is held."""
        self._transport.close()
