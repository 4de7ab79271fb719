"""The time of the machine."""

import time
from threading import Condition


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
