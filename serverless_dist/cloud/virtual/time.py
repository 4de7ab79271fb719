"""Virtual time: many strands of real code, of which one runs at a time.

The laws:

1. A strand runs until it waits: for time to pass, a condition, or the end of another.
   The next to run is the one whose time comes first, and of those at the same time the
   one whose turn was settled first. So strands that do the same do it in the same
   order and at the same times, on every machine.
2. Time stands still while a strand runs. Where computing is measured, the processor
   time that a strand has used, divided by its share of a vCPU, passes before anybody
   sees what it does next.
3. When nobody is left whose time will come, those who still wait wait for ever: that
   is an error at once, which names them.
4. All strands live in one thread. Who calls from no strand, as a test does, lets time
   pass for all until what it waits for has come.
"""

import heapq
import sys
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from itertools import count
from threading import Condition, get_ident

from greenlet import getcurrent, greenlet

from serverless_dist.cloud.services import RLock, Stopped, Work
from serverless_dist.cloud.virtual.condition import VirtualCondition
from serverless_dist.cloud.virtual.strands import Event, Strand, Waiter
from serverless_dist.errors import ProtocolError, UsageError

_NAMED = 20  # strands that an error names


class VirtualTime:
    """A `Clock` whose time goes from one event to the next; see the laws above.

    Parameters
    ----------
    measure
        Returns the processor time of this thread in seconds, as `time.thread_time`
        does; None: computing takes no time.

    Attributes
    ----------
    thread
        The one that all strands live in.

    Examples
    --------
    >>> time = VirtualTime()
    >>> def walk(name, pace):
    ...     for _ in range(2):
    ...         time.sleep(pace)
    ...         print(f"{time.now():.0f}: {name}")
    >>> for name, pace in [("hare", 1.0), ("tortoise", 3.0)]:
    ...     strand = time.start(lambda name=name, pace=pace: walk(name, pace), name)
    >>> time.run()
    1: hare
    2: hare
    3: tortoise
    6: tortoise
    """

    def __init__(self, measure: Callable[[], float] | None = None) -> None:
        self._now = 0.0
        self._measure = measure
        self._mark = 0.0  # the processor time from which on the strand has not paid
        self._events: list[tuple[float, int, Event | Callable[[], None]]] = []
        self._numbers = count()
        self._hub = getcurrent()
        self.thread = get_ident()
        self._current: Strand | None = None
        self._living: dict[Strand, None] = {}
        self._failure: BaseException | None = None
        self.is_closed = False

    def __repr__(self) -> str:
        return f"<VirtualTime {self._now:.3f} s, {len(self._living)} strands>"

    @property
    def current(self) -> Strand | None:
        """The strand that runs; None: none does."""
        return self._current

    def now(self) -> float:
        """Return the seconds since the beginning."""
        return self._now if self._measure is None else self._now + self._lag()

    def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed."""
        self._check_thread()
        until = self.now() + (seconds if seconds > 0 else 0.0)
        events = self._events
        strand = self._current
        if strand is not None and not self.is_closed:
            is_next = not events or events[0][0] > until
            if is_next and self._failure is None:
                self._now = until
                self._pay()
                return
            heapq.heappush(events, (until, next(self._numbers), strand.turn))
            strand.awaits = "time to pass"
            self._switch()
            return
        waiter = self.waiter()
        waiter.wait(until - self._now, "time to pass")

    def settle(self) -> None:
        """Let the time pass that the strand has computed for."""
        if self._measure is not None and self._lag() > 0:
            self.sleep(0.0)

    def wait(self, condition: Condition, seconds: float) -> None:
        """Return when the (held) condition is notified or `seconds` have passed."""
        condition.wait(seconds)

    def condition(self, lock: RLock | None = None) -> Condition:
        """Return a condition whose waits go by this time.

        It is a lock of its own, which a strand may hold while it waits for other
        things. With a `lock` it uses that one, which nobody may hold while he waits
        for anything but this condition.
        """
        return VirtualCondition(self, lock)

    def start(self, work: Callable[[], object], name: str) -> Strand:
        """Have `work` done from now on, beside others.

        What it raises comes out of `run`.
        """
        share = 1.0 if self._current is None else self._current.share
        return self.start_with(work, name, share)

    def start_with(self, work: Callable[[], object], name: str, share: float) -> Strand:
        """Have `work` done with that share of a vCPU."""
        strand = Strand(self, name, share)
        if self._current is not None:
            strand.main = self._current.main
        strand.greenlet = greenlet(lambda: self._do(strand, work), self._hub)
        strand.turn = partial(self._resume, strand)
        strand.greenlet.gr_context = copy_context()
        self._living[strand] = None
        self.give_turn(strand)
        return strand

    def call_in(self, seconds: float, action: Callable[[], None]) -> Event:
        """Have `action`, which never waits, called in `seconds`."""
        event = Event(action)
        when = self.now() + seconds
        heapq.heappush(self._events, (when, next(self._numbers), event))
        return event

    def run(self, until: Work | None = None) -> None:
        """Return when all strands have ended, or that one has; the others are stopped.

        Raises
        ------
        ProtocolError
            Some strands wait for ever. The message names them.
        BaseException
            What a strand has raised.
        """
        main = sys.modules["__main__"]
        try:
            while self._living and (until is None or until.is_alive()):
                if not self._step():
                    raise ProtocolError(self._stuck())
        finally:
            self.close()
            sys.modules["__main__"] = main

    def fail(self, error: BaseException) -> None:
        """Have `run` raise an error as soon as the strand that runs has to wait."""
        if self._failure is None:
            self._failure = error

    def close(self) -> None:
        """End all strands where they are; closing twice is no error."""
        self.is_closed = True
        for strand in list(self._living):
            if strand.greenlet:  # has begun
                self._current = strand
                strand.greenlet.throw(Stopped)
            self._living.pop(strand, None)
            strand.end()
        self._events.clear()
        self._current = None

    def waiter(self) -> Waiter:
        """Return a wait of the strand that runs."""
        return Waiter(self, self._current)

    def give_turn(self, strand: Strand, after: float = 0.0) -> None:
        """Let a strand run in `after` seconds, after those whose turn it is then."""
        when = self.now() + after
        heapq.heappush(self._events, (when, next(self._numbers), strand.turn))

    def park(self, waiter: Waiter, strand: Strand | None, what: str) -> None:
        """Let others run until the waiter is over."""
        self._check_thread()
        if strand is not None:
            # Nothing may come between a look at what others do and the wait for it: so
            # what the strand has computed is paid for when the wait is over.
            until = self.now()
            strand.awaits = what
            self._switch()
            if until > self._now:
                self.sleep(until - self._now)
            return
        while not waiter.is_over:
            if not self._step():
                msg = f"nothing will happen any more: the caller waits for {what}"
                raise ProtocolError(msg)

    def _check_thread(self) -> None:
        if get_ident() != self.thread:
            msg = (
                "a thread that a simulated rank has started waits or communicates: only"
                " the rank itself can, as all of them are simulated in one thread"
            )
            error = UsageError(msg)
            self.fail(error)
            raise error

    def _do(self, strand: Strand, work: Callable[[], object]) -> None:
        try:
            self._pay()
            work()
            self.settle()
        except Stopped:
            pass
        except BaseException as error:
            self.fail(error)
        self._living.pop(strand, None)
        strand.end()

    def _step(self) -> bool:
        """Let the next thing happen; return whether there was one."""
        events = self._events
        while events:
            when, _, happening = heapq.heappop(events)
            if isinstance(happening, Event):
                action = happening.action
                if action is None:
                    continue
                happening.action = None
            else:
                action = happening
            if when > self._now:
                self._now = when
            action()
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            return True
        return False

    def _resume(self, strand: Strand) -> None:
        """From the hub: let a strand run until it waits or ends."""
        before, self._current = self._current, strand
        strand.awaits = ""
        if strand.main is not None:
            sys.modules["__main__"] = strand.main
        strand.greenlet.switch()
        self._current = before

    def _switch(self) -> None:
        """From a strand: wait for the turn that was settled."""
        if self.is_closed:
            raise Stopped
        self._hub.switch()
        if self.is_closed:
            raise Stopped
        self._pay()

    def _lag(self) -> float:
        """Return for how long the strand has computed since it has last paid."""
        if self._measure is None or self._current is None:
            return 0.0
        return max(0.0, self._measure() - self._mark) / self._current.share

    def _pay(self) -> None:
        if self._measure is not None:
            self._mark = self._measure()

    def _stuck(self) -> str:
        waits = [f"{s.name} waits for {s.awaits}" for s in self._living]
        more = len(waits) - _NAMED
        named = "; ".join([*waits[:_NAMED], *([f"{more} more"] if more > 0 else [])])
        return f"{len(waits)} strands are stuck: {named}"
