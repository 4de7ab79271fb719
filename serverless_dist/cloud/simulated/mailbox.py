"""What a queue of the simulated cloud holds: shared by all who use it."""

from collections import OrderedDict, deque
from typing import Protocol

from serverless_dist.cloud.limits import VISIBILITY_TIMEOUT
from serverless_dist.cloud.services import Delivery


class Poll(Protocol):
    """One who waits for a body."""

    def respond(self) -> bool:
        """Let him have what there is; return whether he was still waiting."""
        ...


class Mailbox:
    """Bodies that wait, bodies in flight, and those who wait for some. No I/O.

    Parameters
    ----------
    visibility
        Seconds that a body stays hidden once it was taken.
    """

    __slots__ = ("_hidden", "_number", "_visibility", "_visible", "polls")

    def __init__(self, visibility: float = VISIBILITY_TIMEOUT) -> None:
        self._visibility = visibility
        self._visible: deque[bytes] = deque()
        # By receipt, with the time at which it comes back: in the order of that time.
        self._hidden: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._number = 0
        self.polls: deque[Poll] = deque()

    def __repr__(self) -> str:
        return f"<Mailbox {len(self._visible)} visible, {len(self._hidden)} hidden>"

    def arrive(self, body: bytes) -> None:
        """Take a body in, and let one who waits have it."""
        self._visible.append(body)
        while self.polls and not self.polls.popleft().respond():
            pass

    def has_some(self, now: float) -> bool:
        """Return whether a body is visible."""
        while self._hidden:
            receipt, (body, until) = next(iter(self._hidden.items()))
            if until > now:
                break
            del self._hidden[receipt]
            self._visible.append(body)
        return bool(self._visible)

    def take(self, limit: int, now: float) -> list[Delivery]:
        """Hide up to `limit` bodies and hand them out."""
        deliveries: list[Delivery] = []
        while self._visible and len(deliveries) < limit:
            body = self._visible.popleft()
            self._number += 1
            receipt = str(self._number)
            self._hidden[receipt] = (body, now + self._visibility)
            deliveries.append(Delivery(body, receipt))
        return deliveries

    def forget(self, receipt: str) -> None:
        """Forget the body behind a receipt; a stale one does nothing."""
        self._hidden.pop(receipt, None)

    def next_return(self) -> float | None:
        """Return when the next hidden body comes back; None: there is none."""
        for _, until in self._hidden.values():
            return until
        return None
