"""A queue in this process, never kinder than the real one.

Bodies come in a random (seeded) order, are hidden while in flight, come back when
they were not deleted in time, and are copied at the seam. Every operation costs the
same whether ten bodies wait or a hundred thousand.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from threading import Condition

from serverless_dist.cloud.batches import QUEUE_MAX_BODY
from serverless_dist.cloud.checks import check_bodies, check_receive
from serverless_dist.cloud.limits import VISIBILITY_TIMEOUT
from serverless_dist.cloud.services import Buffer, Clock, Delivery


@dataclass(slots=True)
class _Stored:
    body: bytes
    place: int  # in the list of visible bodies; meaningless while hidden
    receipt: str = ""  # the latest; empty before the first receive
    until: float = 0.0  # when it becomes visible again


class MemoryQueue:
    """A standard queue in this process; thread-safe.

    Parameters
    ----------
    clock
        The time that visibility time-outs and waits go by.
    seed
        Decides the order in which bodies come.
    visibility
        Seconds that a received body stays hidden.

    Examples
    --------
    >>> from serverless_dist.cloud.clock import SystemClock
    >>> queue = MemoryQueue(SystemClock(), seed=7)
    >>> queue.send([b"a", b"b"])
    >>> (delivery,) = queue.receive(1, 0.0)
    >>> queue
    <MemoryQueue 1 visible, 1 hidden>
    >>> queue.delete([delivery.receipt])
    >>> queue
    <MemoryQueue 1 visible, 0 hidden>
    """

    def __init__(
        self, clock: Clock, *, seed: int, visibility: float = VISIBILITY_TIMEOUT
    ) -> None:
        self._clock = clock
        self._random = Random(seed)
        self._visibility = visibility
        self._visible: list[_Stored] = []
        # By receipt. All bodies hide equally long, so the order in which they were
        # hidden is the order in which they come back.
        self._hidden: OrderedDict[str, _Stored] = OrderedDict()
        # Visible again, but their latest receipt still deletes them.
        self._returned: dict[str, _Stored] = {}
        self._name = f"{self._random.getrandbits(64):016x}"
        self._numbers = count()
        self._changed = Condition()

    def __repr__(self) -> str:
        with self._changed:
            self._uncover(self._clock.now())
            visible, hidden = len(self._visible), len(self._hidden)
        return f"<MemoryQueue {visible} visible, {hidden} hidden>"

    @property
    def max_body(self) -> int:
        """The largest body in bytes that `send` accepts."""
        return QUEUE_MAX_BODY

    def send(self, bodies: Sequence[Buffer]) -> None:
        """Store copies of all bodies, or none and raise a `UsageError`."""
        check_bodies(bodies, self.max_body)
        copies = [bytes(body) for body in bodies]
        with self._changed:
            for body in copies:
                self._show(_Stored(body, 0))
            if copies:
                self._changed.notify()

    def receive(self, limit: int, wait: float) -> list[Delivery]:
        """Return up to `limit` bodies, waiting up to `wait` seconds for the first."""
        check_receive(limit, wait)
        waited = False
        with self._changed:
            now = self._clock.now()
            deadline = now + wait
            self._uncover(now)
            while not self._visible and now < deadline:
                self._clock.wait(self._changed, self._next_change(deadline) - now)
                waited = True
                now = self._clock.now()
                self._uncover(now)
            deliveries = self._take(limit, now)
            # A send wakes one; who was woken wakes the next one, to take what is
            # left or to learn when the first hidden body comes back.
            if waited and self._hidden:
                self._changed.notify()
        return deliveries

    def delete(self, receipts: Sequence[str]) -> None:
        """Forget the bodies behind these receipts; a stale receipt does nothing."""
        with self._changed:
            for receipt in receipts:
                if self._hidden.pop(receipt, None) is None:
                    stored = self._returned.pop(receipt, None)
                    if stored is not None:
                        self._unlist(stored)

    def _next_change(self, deadline: float) -> float:
        """Return when to look again: a hidden body comes back, or the deadline."""
        for stored in self._hidden.values():
            return min(deadline, stored.until)
        return deadline

    def _uncover(self, now: float) -> None:
        """Make visible again what was hidden long enough."""
        while self._hidden:
            receipt = next(iter(self._hidden))
            if self._hidden[receipt].until > now:
                return
            self._returned[receipt] = stored = self._hidden.pop(receipt)
            self._show(stored)

    def _take(self, limit: int, now: float) -> list[Delivery]:
        """Hide up to `limit` random bodies and hand out their new receipts."""
        deliveries = []
        for _ in range(min(limit, len(self._visible))):
            stored = self._visible[int(self._random.random() * len(self._visible))]
            self._unlist(stored)
            self._returned.pop(stored.receipt, None)
            stored.receipt = f"{self._name}-{next(self._numbers)}"
            stored.until = now + self._visibility
            self._hidden[stored.receipt] = stored
            deliveries.append(Delivery(stored.body, stored.receipt))
        return deliveries

    def _show(self, stored: _Stored) -> None:
        stored.place = len(self._visible)
        self._visible.append(stored)

    def _unlist(self, stored: _Stored) -> None:
        """Take out of the visible ones: the last one fills the gap."""
        last = self._visible.pop()
        if last is not stored:
            self._visible[stored.place] = last
            last.place = stored.place
