"""Messages between ranks, and the seam that carries them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from serverless_dist.wire import Body


@dataclass(frozen=True, slots=True)
class Message:
    """A body on its way from `source` to one rank, or to several (a multicast).

    `context` keeps communicators apart, `tag` the messages of one of them. A
    received message has exactly one buffer in its body, which the receiver owns.
    """

    source: int
    dests: tuple[int, ...]
    context: int
    tag: int
    body: Body


class Transport(Protocol):
    """Messages exactly once, and in order per (source, context)."""

    @property
    def rank(self) -> int:
        """The number of this rank."""
        ...

    @property
    def size(self) -> int:
        """The number of ranks."""
        ...

    def send(self, messages: Sequence[Message]) -> None:
        """Hand over the messages; never waits for a receiver.

        All messages of one call are packed together as the channel allows, so one
        call with many messages is cheaper than many calls. A rank never sends to
        itself through a transport.
        """
        ...

    def receive(self, wait: float, expect: Collection[int] = ()) -> Sequence[Message]:
        """Return what has arrived, waiting up to `wait` seconds for the first.

        `expect` names the sources that the caller waits for (empty: any). It is
        a hint: messages of other sources may be returned as well.
        """
        ...

    def close(self) -> None:
        """Flush what was sent and give back what is held; twice is no error."""
        ...
