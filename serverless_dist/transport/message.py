"""Messages between ranks, and the seam that carries them."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from serverless_dist.wire import Body, Flaw


@dataclass(slots=True)  # made for every message: to freeze it takes thrice as long
class Message:
    """A body on its way from `source` to one rank, or to several (a multicast).

    `context` keeps communicators apart, `tag` the messages of one of them; both are
    from 0 to 2**63 - 1. A received message has exactly one buffer in its body, which
    the receiver owns: it may write to it, and nobody else ever will. Nobody changes
    the fields of a message; use `dataclasses.replace`.
    """

    source: int
    dests: tuple[int, ...]
    context: int
    tag: int
    body: Body

    @property
    def nbytes(self) -> int:
        """The size of the body in bytes."""
        size = 0
        for buffer in self.body:
            # Most are bytes, whose length is told twice as fast.
            size += len(buffer) if type(buffer) is bytes else memoryview(buffer).nbytes
        return size


class Transport(Protocol):
    """Messages exactly once, and in order per (source, context).

    The law of threads: one thread at a time calls `send`, and one thread at a time
    `receive`; the callers see to it. The two may run at the same time, and `wake` at
    any time. `close` comes last, when no other call runs.

    The law of failures: an exception from `receive` is final. What was taken along
    with it is lost, so the transport is broken: the caller must not call `receive`
    again, only `close`. An exception from `send` says that messages of this call, or
    of earlier ones, may never arrive.
    """

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
        a hint: messages of other sources may be returned as well. Where it decides
        what is looked for, a call that names sources returns after about 0.1 s even
        with nothing, so that the caller can say anew whom it waits for.

        Where to look costs money, a call with `wait` 0 may take some milliseconds:
        two looks that find nothing are never closer together.
        """
        ...

    def wake(self) -> None:
        """Make the `receive` that another thread is in return soon, maybe with nothing.

        If none is running, the next one does. Never harms; several may count as one.
        """
        ...

    def close(self) -> None:
        """Flush what was sent and give back what is held; twice is no error."""
        ...


class Channel(Transport, Protocol):
    """A transport that may be sent what is none of its messages."""

    @property
    def dropped(self) -> Counter[Flaw]:
        """How many frames were dropped, by reason."""
        ...
