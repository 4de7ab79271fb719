"""The driver: a thread that feeds the lifecycle and does what it says.

One thread owns the lifecycle, so there is nothing to lock. Other threads append what
they want to a queue and wake it; workers' messages come by the hub. All messages at
hand are handled before anything is sent, so what goes to a worker goes in one body.
"""

import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from math import inf
from threading import Lock, Thread
from typing import Self

from serverless_dist.cloud import Usage
from serverless_dist.cloud.prices import dollars
from serverless_dist.config import Config
from serverless_dist.errors import CloudError, UsageError
from serverless_dist.runtime.versions import mismatch, versions
from serverless_dist.tasks.client import Client
from serverless_dist.tasks.gangs import Gangs
from serverless_dist.tasks.instructions import (
    Begin,
    End,
    Event,
    Halt,
    Instruction,
    Lost,
    Remove,
    Start,
    Tell,
)
from serverless_dist.tasks.invitation import Invitation
from serverless_dist.tasks.lifecycle import Counts, Lifecycle
from serverless_dist.tasks.messages import (
    DRIVER,
    Answer,
    Bye,
    Died,
    Finished,
    Message,
    Order,
    pack,
    unpack,
)
from serverless_dist.tasks.placement import Capacity
from serverless_dist.tasks.sites import Site, open_site
from serverless_dist.tasks.worker import unpack_usage

POOL = "pool"
_HELPERS = 16  # threads: workers are started side by side
_LONGEST_WAIT = 1.0  # seconds after which releases are looked at, urgent or not
_GOODBYE = 2.0  # seconds that idle workers have to say what they used
_log = logging.getLogger(__name__)


def check_invocation(name: str) -> str:
    """Return `name` if tasks can be invoked so, else raise a `UsageError`."""
    if name not in (POOL, "task"):
        msg = f"there is no invocation {name!r}: use {POOL} or task"
        raise UsageError(msg)
    return name


class Driver:
    """A session: its workers, its store, and the client of this process.

    Parameters
    ----------
    cloud
        Where workers are reached: ``"local"``, ``"emulated"`` or ``"aws"``.
    workers
        How many tasks run at a time.
    config
        Settings of the cloud.
    """

    def __init__(self, cloud: str, workers: int, config: Config) -> None:
        self._posted: deque[tuple[int, Event]] = deque()
        self._ends: deque[tuple[float, int, str]] = deque()
        self._is_asleep = self._is_closing = False
        self._usage = Usage()
        self._counting = Lock()
        self._condemned: set[int] = set()
        self._orders: defaultdict[int, list[Order]] = defaultdict(list)
        is_pool = check_invocation(config.invocation) == POOL
        with ExitStack() as stack:
            self._site: Site = open_site(cloud, workers, config)
            stack.callback(self._site.close)
            key = self._site.key
            self._lifetime = config.worker_seconds or self._site.lifetime
            self.client = Client(
                DRIVER,
                key.job,
                self._site.store,
                self._post,
                ships_modules=self._site.ships_modules,
                slots=workers,
            )
            self._crew = self._site.open_crew(self._tell_end)
            stack.callback(self._crew.close)
            self._helpers = ThreadPoolExecutor(_HELPERS, "serverless_dist driver")
            stack.callback(self._helpers.shutdown)
            self._gangs = Gangs(cloud, config, self.client, self._gang_ended)
            stack.callback(self._gangs.close)
            self._lifecycle = Lifecycle(
                Capacity(
                    slots=workers,
                    most=self._site.capacity,
                    idle_seconds=self._site.idle_seconds,
                    reuse=is_pool,
                ),
                lambda theirs: mismatch(versions(), theirs),
            )
            if is_pool:
                self._lifecycle.warm_up()
            self._thread = Thread(
                target=self._serve, name="serverless_dist driver", daemon=True
            )
            self._thread.start()
            stack.callback(self._join)
            self._stack = stack.pop_all()

    def __repr__(self) -> str:
        return f"<Driver on {self._site.name}: {self._lifecycle!r}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def counts(self) -> Counts:
        """How far the tasks have come."""
        return self._lifecycle.counts

    @property
    def usage(self) -> Usage:
        """What the driver has used, and all workers that have said so and ended."""
        return self._usage + self._site.usage()

    @property
    def dollars(self) -> float:
        """What AWS would have charged so far, in us-east-1."""
        gb_seconds = self.counts.megabyte_seconds / 1_024
        return dollars(self.usage.billed, gb_seconds)["total"]

    def close(self) -> None:
        """End all workers and remove what is left; twice is no error."""
        self._stack.close()

    # From other threads.

    def _post(self, message: Message, *, urgent: bool) -> None:
        self._posted.append((DRIVER, message))
        if urgent and self._is_asleep:
            self._is_asleep = False
            self._site.hub.wake()

    def _tell_end(self, worker: int, how: str) -> None:
        self._lose(worker, how, self._site.grace)

    def _lose(self, worker: int, how: str, grace: float = 0.0) -> None:
        self._ends.append((time.monotonic() + grace, worker, how))
        self._site.hub.wake()

    def _gang_ended(self, finished: Finished, usage: Usage) -> None:
        self._add_usage(usage)
        self._post(finished, urgent=True)

    def _add_usage(self, usage: Usage) -> None:
        with self._counting:
            self._usage += usage

    # The driver's own thread.

    def _serve(self) -> None:
        try:
            while not self._is_closing:
                self._site.check()
                self._turn()
            self._say_goodbye()
            self.client.fail(UsageError("the session was shut down"))
        except Exception as error:
            _log.exception("the driver of remote tasks has failed")
            msg = f"the driver of remote tasks has failed: {error}"
            self.client.fail(CloudError(msg, retryable=False))

    def _turn(self) -> None:
        """Take in what has come and do what follows."""
        ends = self._ripe_ends()
        for worker, message in self._receive(is_last=bool(ends)):
            self._take(worker, message)
        while self._posted:
            self._take(*self._posted.popleft())
        for worker, how in ends:
            self._site.release(worker, is_certain=worker not in self._condemned)
            self._crew.forget(worker)
            self._condemned.discard(worker)
            self._orders.pop(worker, None)
            self._take(worker, Lost(how))
        if not self._is_closing:
            self._carry_out(self._lifecycle.place(time.monotonic()))
        self._send()

    def _ripe_ends(self) -> list[tuple[int, str]]:
        """Return which workers have ended, once their last words may have come."""
        now = time.monotonic()
        ripe = []
        for _ in range(len(self._ends)):  # others append meanwhile
            end = self._ends.popleft()
            if end[0] <= now:
                ripe.append(end[1:])
            else:
                self._ends.append(end)
        return ripe

    def _receive(self, *, is_last: bool) -> Iterator[tuple[int, Event]]:
        """Return what workers have sent, waiting for something to happen."""
        hub = self._site.hub
        self._is_asleep = True  # from now on, who posts wakes
        wait = 0.0 if self._posted or is_last else self._patience()
        bodies = hub.receive(wait)
        self._is_asleep = False
        while bodies:
            for worker, body in bodies:
                for message in unpack(body):
                    yield worker, message
            bodies = hub.receive(0.0) if is_last else []

    def _patience(self) -> float:
        now = time.monotonic()
        ends = min([when for when, _, _ in self._ends.copy()], default=inf)
        when = min(self._lifecycle.next_check(), ends, now + _LONGEST_WAIT)
        return max(0.0, when - now)

    def _take(self, client: int, event: Event) -> None:
        if type(event) is Died:
            self._tell_end(client, event.how)
            return
        if type(event) is Bye:
            self._add_usage(unpack_usage(event.usage))
            if self._crew.is_gone(client):
                self._lose(client, "has ended")
        self._carry_out(self._lifecycle.handle(client, event, time.monotonic()))

    def _carry_out(self, instructions: Iterable[Instruction]) -> None:
        for each in instructions:
            if type(each) is Tell:
                if each.client == DRIVER:
                    self._deliver(each.order)
                else:
                    self._orders[each.client].append(each.order)
            else:
                self._carry_out_rarely(each)

    def _deliver(self, order: Order) -> None:
        # The driver's own client runs nothing: there is nothing else to tell it.
        if isinstance(order, Answer):
            self.client.deliver(order)

    def _carry_out_rarely(self, instruction: Instruction) -> None:
        match instruction:
            case Start(worker):
                if not self._help(self._start, worker):
                    self._lose(worker, "was not started: the interpreter ends")
            case End(worker):
                self._condemned.add(worker)
                self._help(self._crew.end, worker)
            case Remove(keys):
                self._help(self._remove, keys)
            case Begin():
                self._gangs.begin(instruction)
            case Halt(attempt):
                self._gangs.halt(attempt)

    def _help(self, function: Callable[..., None], *args: object) -> bool:
        """Call a function from another thread; False: the interpreter ends."""
        try:
            self._helpers.submit(function, *args)
        except RuntimeError:
            return False
        return True

    def _send(self) -> None:
        """Send each worker its orders, in one body."""
        if self._orders:
            bodies = {w: [(pack(orders),)] for w, orders in self._orders.items()}
            self._orders.clear()
            self._site.hub.send(bodies)

    def _start(self, worker: int) -> None:
        """Start a worker, from a thread of its own: it may take an HTTP request."""
        try:
            place = self._site.place_for(worker)
            if place is None:
                self._lose(worker, "found no free mailbox")
                return
            invitation = Invitation(
                key=self._site.key,
                worker=worker,
                place=place,
                started=time.time() + self._site.skew,
                lifetime=self._lifetime,
            )
            self._crew.start(invitation)
            self._add_usage(self._site.start_usage)
        except Exception as error:
            self._lose(worker, f"was not started: {error}")

    def _remove(self, keys: Sequence[bytes]) -> None:
        """Forget values, from a thread of its own: 100 MB take the kernel 10 ms."""
        try:
            self._site.store.delete(keys)
        except CloudError as error:
            _log.warning("%s values stay until the session ends: %s", len(keys), error)

    # The end.

    def _join(self) -> None:
        self._is_closing = True
        self._site.hub.wake()
        self._thread.join(_GOODBYE + _LONGEST_WAIT)

    def _say_goodbye(self) -> None:
        """Let idle workers end by themselves, and say what they used."""
        self._carry_out(self._lifecycle.stop_idle())
        self._send()
        until = time.monotonic() + _GOODBYE
        while self._lifecycle.is_waiting_for_ends and time.monotonic() < until:
            self._turn()
