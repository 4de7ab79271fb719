"""Waiting for descriptors: a glance where that pays, then a sleep in the kernel.

Two processes that ping-pong are twice to five times as fast when they do not sleep: to
wake a core that idles takes tens of microseconds. So a wait first looks for a moment,
and gives way after each look, because its peer may need the very core it is on. Where
others want the cores, giving way takes milliseconds; then the next waits sleep at
once, twice as many each time. Where ranks outnumber cores, all do.
"""

import os
import select
import time
from collections.abc import Callable

_GLANCE = (
    100e-6  # seconds; to wake a sleeper and hear from it, or both sleep ever after
)
_LATE = 300e-6  # seconds of a glance after which others want the core
_FEWEST, _MOST = 64, 8_192  # waits without a glance after one that was late
_LONGEST = 1e6  # seconds; what the kernel takes is limited

Event = tuple[int, int]


class Watch:
    """Descriptors to be read from.

    Parameters
    ----------
    ranks
        The number of processes that share this one's cores.
    clock
        Returns the time in seconds.
    give_way
        Lets another process have the core; None: `os.sched_yield`.
    """

    def __init__(
        self,
        ranks: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        give_way: Callable[[], None] | None = None,
    ) -> None:
        self._poll = select.poll()
        self._glances = ranks <= len(os.sched_getaffinity(0))
        self._clock = clock
        self._give_way = give_way or os.sched_yield
        self._without = 0  # waits that are to go without a glance
        self._penalty = _FEWEST

    def __repr__(self) -> str:
        return f"<Watch, {self._without} waits without a glance>"

    @property
    def is_glancing(self) -> bool:
        """Whether the next wait looks before it sleeps."""
        return self._glances and not self._without

    def add(self, descriptor: int) -> None:
        """Watch one more."""
        self._poll.register(descriptor, select.POLLIN)

    def remove(self, descriptor: int) -> None:
        """Watch it no more."""
        self._poll.unregister(descriptor)

    def wait(self, seconds: float) -> list[Event]:
        """Return what can be read, waiting up to `seconds` for the first."""
        if seconds <= 0:
            return self._poll.poll(0)
        if self._without:
            self._without -= 1
        elif self._glances:
            events = self._glance()
            if events:
                return events
        return self._poll.poll(int(min(seconds, _LONGEST) * 1000) + 1)

    def _glance(self) -> list[Event]:
        poll, clock = self._poll.poll, self._clock
        started = clock()
        while True:
            events = poll(0)
            passed = clock() - started
            if events or passed > _GLANCE:
                break
            self._give_way()
        if passed > _LATE:
            self._without = self._penalty
            self._penalty = min(2 * self._penalty, _MOST)
        elif events:
            self._penalty = _FEWEST
        return events
