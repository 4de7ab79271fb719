"""A cloud in this process, never kinder than the real one.

Its queues are those of `memory_queue`; bytes are copied at the seam, and what the
cloud refuses is refused here. All classes are thread-safe.
"""

import logging
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Sequence
from random import Random
from threading import Lock, Thread, current_thread

from serverless_dist.cloud.batches import TOPIC_MAX_BODY
from serverless_dist.cloud.checks import check_entries, check_key, check_range
from serverless_dist.cloud.clock import SystemClock
from serverless_dist.cloud.limits import LAMBDA_TIMEOUT, VISIBILITY_TIMEOUT
from serverless_dist.cloud.memory_queue import MemoryQueue
from serverless_dist.cloud.services import Buffer, Clock, Entry, Queue
from serverless_dist.errors import CloudError, UsageError

logger = logging.getLogger(__name__)


class MemoryTopic:
    """A topic over the given mailboxes."""

    def __init__(self, mailboxes: Sequence[Queue]) -> None:
        self._mailboxes = mailboxes

    def __repr__(self) -> str:
        return f"<MemoryTopic to {len(self._mailboxes)} mailboxes>"

    @property
    def max_body(self) -> int:
        """The largest body in bytes that `publish` accepts."""
        return TOPIC_MAX_BODY

    def publish(self, entries: Sequence[Entry]) -> None:
        """Copy every entry to each of its targets, or none: a `UsageError`."""
        check_entries(entries, self.max_body, len(self._mailboxes))
        bodies: dict[int, list[bytes]] = {}
        for entry in entries:
            body = bytes(entry.body)  # one copy, whatever the number of targets
            for target in set(entry.targets):
                bodies.setdefault(target, []).append(body)
        for target, copies in bodies.items():
            self._mailboxes[target].send(copies)


class MemoryBlobs:
    """An object store in this process.

    >>> blobs = MemoryBlobs()
    >>> blobs.put("runs/1", b"0123456789")
    True
    >>> blobs.get("runs/1", start=8, stop=12)
    b'89'
    >>> blobs.list("runs/")
    ['runs/1']
    """

    def __init__(self) -> None:
        self._data: dict[str, bytes] = {}
        self._keys: list[str] = []  # sorted, so that a prefix is found at once
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"<MemoryBlobs {len(self._data)} keys>"

    def put(self, key: str, data: Buffer, *, if_absent: bool = False) -> bool:
        """Store a copy; with `if_absent` return False if the key was there."""
        check_key(key)
        copy = bytes(data)
        with self._lock:
            if key not in self._data:
                insort(self._keys, key)
            elif if_absent:
                return False
            self._data[key] = copy
        return True

    def swap(self, key: str, old: Buffer | None, new: Buffer) -> bool:
        """Replace the blob if it still holds `old`; return whether it was replaced."""
        if old is None:
            return self.put(key, new, if_absent=True)
        check_key(key)
        expected, copy = bytes(old), bytes(new)
        with self._lock:
            if self._data.get(key) != expected:
                return False
            self._data[key] = copy
        return True

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> bytes | None:
        """Return the bytes from `start` up to `stop`, or None if there is no key."""
        check_key(key)
        check_range(start, stop)
        with self._lock:
            data = self._data.get(key)
        return None if data is None else data[start:stop]

    def list(self, prefix: str) -> Sequence[str]:
        """Return all keys that begin with `prefix`, sorted."""
        with self._lock:
            first = bisect_left(self._keys, prefix)
            stop = bisect_right(
                self._keys, prefix, lo=first, key=lambda key: key[: len(prefix)]
            )
            return self._keys[first:stop]

    def delete(self, keys: Sequence[str]) -> None:
        """Remove the keys; one that is not there is no error."""
        with self._lock:
            for key in keys:
                if self._data.pop(key, None) is not None:
                    del self._keys[bisect_left(self._keys, key)]


class MemoryFunctions:
    """Functions that run `handler` in threads of this process."""

    def __init__(self, handler: Callable[[bytes], bytes]) -> None:
        self._handler = handler
        self._threads: set[Thread] = set()
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"<MemoryFunctions {len(self._threads)} running>"

    def invoke(self, payload: bytes) -> None:
        """Start the handler in a thread; if it fails, only the log tells."""
        thread = Thread(target=self._run, args=(bytes(payload),), daemon=True)
        with self._lock:  # or it might end before it is known
            thread.start()
            self._threads.add(thread)

    def call(self, payload: bytes) -> bytes:
        """Run the handler and return its answer; its failure is a `CloudError`."""
        try:
            return bytes(self._handler(bytes(payload)))
        except Exception as error:
            msg = f"the handler failed with {type(error).__name__}: {error}"
            raise CloudError(msg, retryable=False) from error

    def close(self) -> None:
        """Wait for the invoked handlers, as long as a function may run at most."""
        with self._lock:
            running = list(self._threads)
        for thread in running:
            thread.join(LAMBDA_TIMEOUT)

    def _run(self, payload: bytes) -> None:
        try:
            self._handler(payload)
        except Exception:
            logger.exception("an invoked handler failed")
        finally:
            with self._lock:
                self._threads.discard(current_thread())


class MemoryCloud:
    """A fabric in this process: mailboxes, one topic that reaches them, blobs.

    Parameters
    ----------
    mailboxes
        How many queues there are.
    clock
        The time to go by; the machine's if None.
    seed
        Decides the order in which each queue delivers.
    visibility
        Seconds that a received body stays hidden.
    """

    def __init__(
        self,
        mailboxes: int = 8,
        *,
        clock: Clock | None = None,
        seed: int = 0,
        visibility: float = VISIBILITY_TIMEOUT,
    ) -> None:
        if mailboxes < 1:
            msg = f"a cloud of {mailboxes} mailboxes cannot carry anything: ask for 1"
            raise UsageError(msg)
        seeds = Random(seed)
        self._clock = SystemClock() if clock is None else clock
        self._mailboxes = tuple(
            MemoryQueue(self._clock, seed=seeds.getrandbits(64), visibility=visibility)
            for _ in range(mailboxes)
        )
        self._topic = MemoryTopic(self._mailboxes)
        self._blobs = MemoryBlobs()

    def __repr__(self) -> str:
        return f"<MemoryCloud {len(self._mailboxes)} mailboxes, {self._blobs!r}>"

    @property
    def clock(self) -> Clock:
        """The time that its services go by."""
        return self._clock

    @property
    def mailboxes(self) -> Sequence[MemoryQueue]:
        """The queues, by index."""
        return self._mailboxes

    @property
    def topic(self) -> MemoryTopic:
        """The topic that reaches all mailboxes."""
        return self._topic

    @property
    def blobs(self) -> MemoryBlobs:
        """The object store."""
        return self._blobs

    def close(self) -> None:
        """Give back nothing: memory is all it holds."""
