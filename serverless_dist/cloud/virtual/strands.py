"""What happens in virtual time: strands of work, events, and waits for them."""

from collections.abc import Callable
from types import ModuleType  # noqa: TC003 - for those who look at the hints
from typing import Any, Protocol


class Event:
    """Something that happens at a time, unless it is cancelled before."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], None]) -> None:
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """Let it not happen; once it has, this does nothing."""
        self.action = None


class Scheduler(Protocol):
    """Who decides what runs next; see `VirtualTime`."""

    @property
    def current(self) -> "Strand | None":
        """The strand that runs; None: none does."""
        ...

    @property
    def is_closed(self) -> bool:
        """Whether all strands have to end."""
        ...

    def now(self) -> float:
        """Return the seconds since the beginning."""
        ...

    def waiter(self) -> "Waiter":
        """Return a wait of the strand that runs."""
        ...

    def call_in(self, seconds: float, action: Callable[[], None]) -> Event:
        """Have `action`, which never waits, called in `seconds`."""
        ...

    def give_turn(self, strand: "Strand", after: float = 0.0) -> None:
        """Let a strand run in `after` seconds, after those whose turn it is then."""
        ...

    def park(self, waiter: "Waiter", strand: "Strand | None", what: str) -> None:
        """Let others run until the waiter is over."""
        ...


def _nothing() -> None:
    """Do nothing: the strand has no greenlet yet."""


class Strand:
    """Work on its way in virtual time; see `VirtualTime.start`.

    Attributes
    ----------
    name
        What errors call it.
    share
        Of a vCPU, where computing is measured. Strands that it starts have the same.
    main
        What `__main__` is while it runs; None: whatever it is. Strands that it starts
        have the same.
    awaits
        What it waits for, for people.
    """

    __slots__ = (
        "_ended",
        "_time",
        "awaits",
        "greenlet",
        "is_done",
        "main",
        "name",
        "share",
        "turn",
    )

    def __init__(self, time: "Scheduler", name: str, share: float) -> None:
        self.name = name
        self.share = share
        self.main: ModuleType | None = None
        self.awaits = ""
        self.greenlet: Any = None
        self.turn: Callable[[], None] = _nothing
        self.is_done = False
        self._time = time
        self._ended: list[Waiter] = []

    def __repr__(self) -> str:
        state = "done" if self.is_done else f"waits for {self.awaits or 'its turn'}"
        return f"<Strand {self.name}: {state}>"

    def is_alive(self) -> bool:
        """Return whether it has not ended yet."""
        return not self.is_done

    def join(self, timeout: float | None = None) -> None:
        """Return when it has ended, or `timeout` seconds have passed."""
        if not self.is_done:
            waiter = self._time.waiter()
            self._ended.append(waiter)
            waiter.wait(timeout, f"the end of {self.name}")

    def end(self) -> None:
        """Let those who wait for the end go on."""
        self.is_done = True
        for waiter in self._ended:
            waiter.wake()


class Waiter:
    """One wait of one strand, which ends when somebody calls `wake`."""

    __slots__ = ("_strand", "_time", "_timer", "is_over", "is_woken")

    def __init__(self, time: "Scheduler", strand: Strand | None) -> None:
        self._time = time
        self._strand = strand
        self._timer: Event | None = None
        self.is_over = False
        self.is_woken = False

    def wake(self, after: float = 0.0) -> bool:
        """End the wait in `after` seconds; return whether it was not over yet."""
        if self.is_over:
            return False
        self.is_woken = True
        self._end(after)
        return True

    def wait(self, timeout: float | None, what: str) -> bool:
        """Wait, once; return whether it was woken, not late.

        Parameters
        ----------
        timeout
            Seconds; None: for ever.
        what
            What it waits for, for people.
        """
        if not self.is_over:
            if timeout is not None:
                self._timer = self._time.call_in(timeout, self._end)
            self._time.park(self, self._strand, what)
        return self.is_woken

    def _end(self, after: float = 0.0) -> None:
        self.is_over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._strand is not None:
            self._time.give_turn(self._strand, after)
