"""The time of the machine."""

import time
from collections.abc import Callable
from threading import Condition, Thread

from serverless_dist.cloud.services import RLock, Work

# It goes on while the machine sleeps. macOS's `CLOCK_MONOTONIC` does so too, but not
# Linux's, and not `time.monotonic` of either.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The machine's own time; the same for all of its processes."""

    def __repr__(self) -> str:
        return f"<SystemClock at {self.now():.3f}>"

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed."""
        time.sleep(seconds)

    def wait(self, condition: Condition, seconds: float) -> None:
        """Return when the (held) condition is notified or `seconds` have passed."""
        condition.wait(seconds)

    def condition(self, lock: RLock | None = None) -> Condition:
        """Return a condition; None as `lock`: with a reentrant lock of its own."""
        return Condition(lock)

    def start(self, work: Callable[[], object], name: str) -> Work:
        """Have `work`, which raises nothing, done in a thread."""
        thread = Thread(target=work, name=name, daemon=True)
        thread.start()
        return thread


class SteadyClock(SystemClock):
    """A clock that nobody sets: good for durations, not for dates."""

    def __repr__(self) -> str:
        return f"<SteadyClock at {self.now():.3f}>"

    def now(self) -> float:
        """Return the seconds since some moment of the past."""
        return time.clock_gettime(_STEADY)
