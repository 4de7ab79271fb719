"""One process's end of all its communicators: it posts messages and awaits them.

The laws:

1. A message to oneself never leaves the process; it is copied all the same.
2. A wait ends with what it is for, or at the job's deadline with a `DeadlineError`
   that names rank, peer, tag and how long. Where the program has no other thread and
   only this rank itself could send what it waits for, it is a `UsageError` at once.
3. Any thread may call anything at any time. Of the threads that wait, one reads the
   transport for all: it looks for what any of them, and any posted receive, lacks.
   When it stops, another goes on.
4. What has become possible is decided under the lock and done outside it: the lock is
   never held while the transport sends, receives or is woken, or while user code runs.
5. While a non-blocking collective is under way and nobody waits, a thread of the
   endpoint reads, so that it goes on while the rank computes.
6. A transport that has failed stays failed: all who wait, then or later, are told why.
"""

import math
import os
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count

from serverless_dist.cloud import Clock
from serverless_dist.cloud.clock import SteadyClock
from serverless_dist.comm.constants import ANY_SOURCE
from serverless_dist.comm.engine.background import Background, Pending
from serverless_dist.comm.engine.matching import TAG_BITS, TAG_MASK, Matching, Receive
from serverless_dist.comm.engine.times import PhaseTimes, Stopwatch
from serverless_dist.comm.engine.traffic import Traffic
from serverless_dist.errors import DeadlineError, ProtocolError, UsageError
from serverless_dist.transport import Message, Transport

PATIENCE = 20.0  # seconds of one call of the transport: it need not know "for ever"
ACKNOWLEDGEMENTS = 5
"""The context of acknowledgements; those of communicators are paired, even and odd."""

_STEADY = SteadyClock()
_COURTESY = 1.0  # seconds that a thread may take to come back from the transport

OWN_THREAD = "serverless_dist"
"""What the names of this package's own threads begin with."""

_MOST_UNACKNOWLEDGED = 1 << 22  # their numbers travel in the upper bits of a tag


class Acknowledged:
    """A synchronous send: done once its receiver has asked for the message."""

    __slots__ = ("dest", "is_done", "tag")

    def __init__(self, dest: int, tag: int) -> None:
        self.dest = dest
        self.tag = tag
        self.is_done = False

    def sources(self) -> Collection[int]:
        """Return the receiver."""
        return (self.dest,)

    def describe(self) -> str:
        """Return what it waits for."""
        return f"for a receive of tag {self.tag} by rank {self.dest}"


class Endpoint:
    """A rank's end of the transport.

    Parameters
    ----------
    transport
        Carries messages to and from the other ranks.
    deadline
        The time, by `clock`, at which every wait ends.
    clock
        What waits and deadlines go by.
    channel
        What the transport is, for the choice of algorithms.
    algorithms
        The algorithm to use, by collective; others are chosen by cost.
    stopwatch
        Measures sending and waiting; None: one of its own.

    Attributes
    ----------
    awaited
        What callers of `wait` wait for right now.
    acting
        How many threads do what has become possible, even if they are in `wait`.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        deadline: float = math.inf,
        clock: Clock = _STEADY,
        channel: str = "direct",
        algorithms: Mapping[str, str] | None = None,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self._transport = transport
        self._deadline = deadline
        self._clock = clock
        self._lock = threading.RLock()  # `is_done` may look into the matching
        self._changed = clock.condition(self._lock)
        self._sending = clock.condition()  # held while the transport sends
        self._matching = Matching()
        self._numbers = count()
        self._unacknowledged: dict[int, Acknowledged] = {}
        self._ready: deque[Callable[[], None]] = deque()
        self._is_read = False  # a thread is in the transport's receive
        self._followers: list[Pending] = []  # what other threads wait for meanwhile
        self._asked: set[int] = set()  # the sources of those who did not wait
        self._failure: Exception | None = None
        self.awaited: list[Pending] = []
        self.acting = 0
        self._is_closing = False
        self._background = Background(self._work, self.tell, clock)
        self.rank = transport.rank
        self.size = transport.size
        self.channel = channel
        # Of one machine, all ranks share the cores; to count them takes a system call.
        self.cores = os.cpu_count() if channel == "direct" else None
        self.algorithms = dict(algorithms or {})
        self.stopwatch = stopwatch or Stopwatch(clock.now)
        self._traffic = Traffic()

    @property
    def times(self) -> PhaseTimes:
        """The seconds that this rank has spent sending and waiting."""
        return self.stopwatch.times

    @property
    def traffic(self) -> Sequence[tuple[int, int, int]]:
        """Each other rank, and the messages and bytes of payload that it was sent."""
        return self._traffic.pairs()

    @property
    def waiting(self) -> int:
        """The number of messages that have arrived and that nobody has taken."""
        return len(self._matching)

    def __repr__(self) -> str:
        return f"<Endpoint rank {self.rank} of {self.size}: {self.waiting} waiting>"

    def post(self, messages: Sequence[Message]) -> None:
        """Hand over all messages at once, those to this rank by a short cut."""
        outgoing = []
        own = []
        for message in messages:
            if message.dests == (self.rank,):
                own.append(message)
            elif self.rank in message.dests:
                own.append(message)
                others = tuple(dest for dest in message.dests if dest != self.rank)
                outgoing.append(replace(message, dests=others))
            else:
                outgoing.append(message)
        if own:
            self._deliver_own(own)
        if outgoing:
            with self._sending:
                started = self.stopwatch.start()
                self._transport.send(outgoing)
                self.stopwatch.sent(started)
                self._traffic.count(outgoing)

    def post_synchronous(self, message: Message) -> Acknowledged:
        """Hand over a message to one rank; the result is done when it is received.

        The number of the send travels in the upper bits of the tag.
        """
        number = next(self._numbers) % _MOST_UNACKNOWLEDGED + 1
        (dest,) = message.dests
        send = self._unacknowledged[number] = Acknowledged(dest, message.tag)
        self.post([replace(message, tag=message.tag | number << TAG_BITS)])
        return send

    def expect(
        self, receives: Sequence[Receive], then: Callable[[], None] | None = None
    ) -> bool:
        """Post receives; return whether all of them have their messages already.

        If not, `then` is called, outside the lock and once, when the last has come.
        """
        with self._lock:
            missing = [
                receive for receive in receives if not self._matching.post(receive)
            ]
            if missing and then is not None:
                self._call_after(missing, then)
            if len(missing) == len(receives):
                return not missing
            found = [receive.message for receive in receives if receive.message]
        for message in found:
            self._acknowledge(message)
        return not missing

    def withdraw(self, receive: Receive) -> bool:
        """Stop waiting for a message; False: it has come."""
        with self._lock:
            return self._matching.withdraw(receive)

    def find(self, context: int, source: int, tag: int) -> Message | None:
        """Return the first message that has arrived and fits; it stays."""
        with self._lock:
            return self._matching.find(context, source, tag)

    def take(self, context: int, source: int, tag: int) -> Message | None:
        """Remove and return the first message that has arrived and fits."""
        with self._lock:
            message = self._matching.take(context, source, tag)
        if message is not None:
            self._acknowledge(message)
        return message

    def wait(self, pending: Pending) -> None:
        """Return once `pending` is done.

        Raises
        ------
        DeadlineError
            The job's deadline came first.
        UsageError
            Only this rank itself could have ended the wait.
        """
        self._settle()
        if pending.is_done:
            return
        phase = self.stopwatch.start()
        self.awaited.append(pending)
        try:
            self._work(pending)
        finally:
            self.awaited.remove(pending)
            self.stopwatch.waited(phase)

    def poll(self, pending: Pending | None = None) -> None:
        """Take in what has arrived, of what `pending` or any receive lacks."""
        self._settle()
        if pending is None or not pending.is_done:
            self._turn(pending, 0.0)

    def tell(self) -> None:
        """Let waiting threads see that something is done that no message tells."""
        with self._lock:
            if self._followers:
                self._changed.notify_all()
            is_read = self._is_read
        if is_read:
            self._transport.wake()

    def keep_going(self, pending: Pending) -> None:
        """Read in the background until `pending` is done."""
        self._background.add(pending)

    def close(self) -> None:
        """Stop reading, then close the transport, which sends what is left.

        Threads that still wait are told that there is nothing to wait for any more.
        """
        self._background.close()
        with self._lock:
            if self._failure is None:
                msg = f"rank {self.rank} has ended: it receives nothing any more"
                self._failure = ProtocolError(msg)
        self.tell()
        with self._lock:
            self._is_closing = True
            self._changed.wait_for(lambda: not self._is_read, _COURTESY)
        self._transport.close()

    def _work(self, pending: Pending) -> None:
        """Read, or wait for who does, until `pending` is done."""
        started = now = self._clock.now()
        while not pending.is_done:
            if now >= self._deadline:
                waited = f"rank {self.rank} waited {now - started:.1f} s"
                msg = f"{waited} {pending.describe()}"
                raise DeadlineError(msg)
            self._turn(pending, min(self._deadline - now, PATIENCE))
            now = self._clock.now()

    def _turn(self, pending: Pending | None, wait: float) -> None:
        """Read the transport once, or wait for the thread that does."""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            if self._ready or (pending is not None and pending.is_done):
                wait = 0.0
            if self._is_read:
                self._follow(pending, wait)
                return
            if pending is not None and wait:
                self._check_hope(pending)
            expect = self._expected(pending)
            self._is_read = True
        try:
            arrived = self._transport.receive(wait, expect)
        except BaseException as error:
            self._end_reading((), error)
            raise
        self._end_reading(arrived, None)
        if self._ready:
            self._settle()

    def _follow(self, pending: Pending | None, wait: float) -> None:
        """Under the lock: have the thread that reads look for this as well."""
        if pending is None or not wait:
            named = () if pending is None else pending.sources()
            self._asked.update(named or (ANY_SOURCE,))
            return
        self._followers.append(pending)
        self._changed.wait(wait)
        self._followers.remove(pending)

    def _end_reading(
        self, arrived: Sequence[Message], failure: BaseException | None
    ) -> None:
        with self._lock:
            self._is_read = False
            if isinstance(failure, Exception):
                self._failure = failure
            for message in arrived:
                self._deliver(message)
            if self._followers or self._is_closing:
                self._changed.notify_all()

    def _deliver_own(self, messages: Sequence[Message]) -> None:
        copies = [
            replace(message, dests=(self.rank,), body=(bytearray().join(message.body),))
            for message in messages
        ]
        with self._lock:
            for message in copies:
                self._deliver(message)
            is_watched = self._is_read or self._followers
        if is_watched:
            self.tell()

    def _deliver(self, message: Message) -> None:
        """Under the lock: give the message to whom it is for."""
        if message.context == ACKNOWLEDGEMENTS:
            send = self._unacknowledged.pop(message.tag, None)
            if send is not None:
                send.is_done = True
            return
        receive = self._matching.add(message)
        if receive is not None:
            if message.tag > TAG_MASK:
                self._ready.append(partial(self._acknowledge, message))
            if receive.then is not None:
                receive.then()

    def _call_after(self, missing: Sequence[Receive], then: Callable[[], None]) -> None:
        """Under the lock: have `then` called when all that is missing has come."""
        left = len(missing)

        def count_down() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self._ready.append(then)

        for receive in missing:
            receive.then = count_down

    def _acknowledge(self, message: Message) -> None:
        """Tell the sender of a synchronous message that it has been asked for.

        At once: the receiver may never call anything again.
        """
        if message.tag > TAG_MASK:
            number = message.tag >> TAG_BITS
            dests = (message.source,)
            self.post([Message(self.rank, dests, ACKNOWLEDGEMENTS, number, (b"",))])

    def _settle(self) -> None:
        """Do what has become possible."""
        while self._ready:
            try:
                action = self._ready.popleft()
            except IndexError:  # another thread was faster
                return
            self.acting += 1
            try:
                action()
            finally:
                self.acting -= 1

    def _expected(self, pending: Pending | None) -> Collection[int]:
        """Under the lock: return whose messages are lacked; empty: anybody's."""
        lacked = {*self._matching.sources, *self._asked}
        self._asked.clear()
        for each in (pending, *self._followers):
            named = () if each is None else each.sources()
            lacked.update(named or (ANY_SOURCE,))
        if ANY_SOURCE in lacked:
            return ()
        lacked.update(send.dest for send in self._unacknowledged.values())
        return lacked - {self.rank}

    def _check_hope(self, pending: Pending) -> None:
        """Raise if no thread of the program's is left that could end the wait."""
        named = pending.sources()
        is_own = all(source == self.rank for source in named)
        if not is_own or not (named or self.size == 1):
            return
        names = [thread.name for thread in threading.enumerate()]
        if sum(not name.startswith(OWN_THREAD) for name in names) == 1:
            msg = (
                f"rank {self.rank} waits {pending.describe()}, which only it could "
                f"send itself: send a message before waiting for it"
            )
            raise UsageError(msg)
