"""A clock that jumps: hours pass in a test that takes milliseconds."""

from collections.abc import Callable
from threading import Condition, Lock, Thread

from serverless_dist.cloud.services import RLock, Work


class HandClock:
    """A `Clock` whose time goes on only when someone sleeps, waits or advances it.

    A sleep or a wait jumps to its end at once, so nothing ever blocks; a wait gives
    the condition up for a moment, so that other threads are not shut out.

    >>> clock = HandClock()
    >>> clock.sleep(900.0)
    >>> clock
    <HandClock at 900.0>
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"<HandClock at {self.now()}>"

    def now(self) -> float:
        """Return the time."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; the past stays past."""
        with self._lock:
            self._now += max(seconds, 0.0)

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self.advance(seconds)

    def wait(self, condition: Condition, seconds: float) -> None:
        """Return at once: notified, or with `seconds` passed."""
        if not condition.wait(0):
            self.advance(seconds)

    def condition(self, lock: RLock | None = None) -> Condition:
        """Return a condition; None as `lock`: with a reentrant lock of its own."""
        return Condition(lock)

    def start(self, work: Callable[[], object], name: str) -> Work:
        """Have `work` done in a thread."""
        thread = Thread(target=work, name=name, daemon=True)
        thread.start()
        return thread
