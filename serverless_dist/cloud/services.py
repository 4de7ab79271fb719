"""What we ask of a cloud: five seams, none with more than five methods.

The rules that every implementation keeps, and every caller may rely on:

1. A queue delivers at least once, in any order. A received body stays hidden for
   the visibility time-out and comes back unless its receipt was deleted.
2. A topic copies each entry to the mailboxes it names, at least once each.
3. Blobs are strongly consistent: what was put is got and listed at once.
4. Bytes are copied at the seam: changing a buffer after the call changes nothing.
5. Batches, limits on entries, retries and text encodings live behind the seam. A
   failure that reaches the caller is a `CloudError`, a mistake a `UsageError`.
6. Nothing here creates a queue, a topic or a filter: they are provisioned ahead.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition
from typing import Any, Protocol

Buffer = bytes | bytearray | memoryview
RLock = Any
"""What `threading.RLock` returns: in Python 3.11 it is no class."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One received body and the receipt that deletes it."""

    body: bytes
    receipt: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One body to publish and the mailboxes (by index) it is for."""

    body: Buffer
    targets: tuple[int, ...]


class Stopped(BaseException):
    """Ends whoever waits by a clock that was closed; nobody keeps it to himself."""


class Work(Protocol):
    """Something under way beside the caller; a thread is one."""

    def is_alive(self) -> bool:
        """Return whether it has not ended yet."""
        ...

    def join(self, timeout: float | None = None) -> None:
        """Return when it has ended, or `timeout` seconds have passed."""
        ...


class Clock(Protocol):
    """Time in seconds, and what waits for it.

    Whoever waits for others by this clock also starts them by it, and takes its
    conditions, locks included, from it: so that time can go on while all wait.
    """

    def now(self) -> float:
        """Return the time."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed."""
        ...

    def wait(self, condition: Condition, seconds: float) -> None:
        """Return when the (held) condition is notified or `seconds` have passed."""
        ...

    def condition(self, lock: RLock | None = None) -> Condition:
        """Return a condition; None as `lock`: with a reentrant lock of its own."""
        ...

    def start(self, work: Callable[[], object], name: str) -> Work:
        """Have `work`, which raises nothing, done beside the caller."""
        ...


class Queue(Protocol):
    """A standard queue (SQS): at least once, any order."""

    @property
    def max_body(self) -> int:
        """The largest body in bytes that `send` accepts."""
        ...

    def send(self, bodies: Sequence[Buffer]) -> None:
        """Store all bodies; a body over `max_body` is a `UsageError`, none is sent."""
        ...

    def receive(self, limit: int, wait: float) -> list[Delivery]:
        """Return up to `limit` bodies (at most 10) in one request.

        Waits up to `wait` seconds (at most 20) for the first one; an empty list
        means that none came. Each stays hidden until the visibility time-out.
        """
        ...

    def delete(self, receipts: Sequence[str]) -> None:
        """Forget the bodies behind these receipts; a stale receipt does nothing."""
        ...


class Topic(Protocol):
    """A topic (SNS) that copies each entry to the mailboxes that it names."""

    @property
    def max_body(self) -> int:
        """The largest body in bytes that `publish` accepts."""
        ...

    def publish(self, entries: Sequence[Entry]) -> None:
        """Copy every entry to each of its targets; several share a request."""
        ...


class Blobs(Protocol):
    """An object store (S3): strongly consistent, keys are text with slashes."""

    def put(self, key: str, data: Buffer, *, if_absent: bool = False) -> bool:
        """Store `data`; with `if_absent` return False if the key was there."""
        ...

    def swap(self, key: str, old: Buffer | None, new: Buffer) -> bool:
        """Replace the blob if it still holds `old`; return whether it was replaced.

        None as `old`: store it if there is none. No other write comes between the
        comparison and the replacement. Contents are compared, so who wants to know
        that nothing has happened in between never writes the same twice. If an answer
        was lost and somebody else has replaced `new` by then, this is False.
        """
        ...

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> bytes | None:
        """Return the bytes from `start` up to `stop`, or None if there is no such key.

        A range past the end is cut short, as a slice is.
        """
        ...

    def list(self, prefix: str) -> Sequence[str]:
        """Return all keys that begin with `prefix`, sorted."""
        ...

    def delete(self, keys: Sequence[str]) -> None:
        """Remove the keys; one that is not there is no error."""
        ...


class Functions(Protocol):
    """Something that runs our handler elsewhere (Lambda)."""

    def invoke(self, payload: bytes) -> None:
        """Start the handler and return at once; it may be started twice."""
        ...

    def call(self, payload: bytes) -> bytes:
        """Run the handler and return its answer; its failure is a `CloudError`."""
        ...


class Cloud(Protocol):
    """One provisioned fabric: a pool of mailboxes, a topic that reaches them, blobs.

    Mailbox i is the target i of the topic.
    """

    @property
    def clock(self) -> Clock:
        """The time that its services go by."""
        ...

    @property
    def mailboxes(self) -> Sequence[Queue]:
        """The queues, by index."""
        ...

    @property
    def topic(self) -> Topic:
        """What reaches all mailboxes."""
        ...

    @property
    def blobs(self) -> Blobs:
        """The object store."""
        ...

    def close(self) -> None:
        """Give back sockets, threads and files; closing twice is no error."""
        ...
