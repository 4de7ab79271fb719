"""How it is seen that all simulated ranks wait for what will never come."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence

from serverless_dist.comm import Endpoint
from serverless_dist.errors import ProtocolError
from serverless_dist.transport import Channel, Message
from serverless_dist.wire import Flaw

_NAMED = 20  # ranks that an error names in its first line


class Ledger:
    """Knows what is under way to each rank, and which ranks wait for something.

    When every rank that has not ended waits, and nothing is under way to any of them,
    none of them will ever go on.

    Parameters
    ----------
    size
        The number of ranks.
    fail
        Is given the error, once all are stuck.
    """

    def __init__(self, size: int, fail: Callable[[ProtocolError], None]) -> None:
        self._size = size
        self._fail = fail
        self._under_way = [0] * size
        self._total = 0
        self._ended: set[int] = set()
        self._endpoints: dict[int, Endpoint] = {}

    def __repr__(self) -> str:
        return f"<Ledger: {self._total} messages under way>"

    def meet(self, endpoint: Endpoint) -> None:
        """Take note of a rank's endpoint."""
        self._endpoints[endpoint.rank] = endpoint

    def sent(self, messages: Sequence[Message]) -> None:
        """Take note of messages on their way."""
        for message in messages:
            for dest in message.dests:
                if dest not in self._ended:
                    self._under_way[dest] += 1
                    self._total += 1

    def received(self, rank: int, count: int) -> None:
        """Take note that so many messages have come."""
        self._under_way[rank] -= count
        self._total -= count

    def ended(self, rank: int) -> None:
        """Take note that a rank receives no more."""
        self._ended.add(rank)
        self._total -= self._under_way[rank]
        self._under_way[rank] = 0

    def check(self) -> None:
        """If all ranks wait for ever, fail with what each of them waits for."""
        if self._total or len(self._endpoints) < self._size:
            return
        living = [e for r, e in self._endpoints.items() if r not in self._ended]
        if all(map(_is_stuck, living)):
            self._fail(self._error(living))

    def _error(self, living: Sequence[Endpoint]) -> ProtocolError:
        waits = [
            f"rank {endpoint.rank} waits {pending.describe()}"
            for endpoint in sorted(living, key=lambda endpoint: endpoint.rank)
            for pending in endpoint.awaited
        ]
        first, others = waits[:_NAMED], waits[_NAMED:]
        if others:
            first.append(f"{len(others)} more")
        count = f"{len(living)} of {self._size} ranks are stuck"
        error = ProtocolError(f"{count}, and nothing is under way: {'; '.join(first)}")
        if others:
            error.add_note("; ".join(others))
        return error


def _is_stuck(endpoint: Endpoint) -> bool:
    awaited = endpoint.awaited
    if endpoint.acting:
        return False
    return bool(awaited) and not any(pending.is_done for pending in awaited)


class WatchedTransport:
    """A transport whose messages a ledger knows of; see `Transport`."""

    def __init__(self, transport: Channel, ledger: Ledger) -> None:
        self._transport = transport
        self._ledger = ledger
        self.rank = transport.rank
        self.size = transport.size

    @property
    def dropped(self) -> Counter[Flaw]:
        """How many frames were dropped, by reason."""
        return self._transport.dropped

    def send(self, messages: Sequence[Message]) -> None:
        """Hand over the messages."""
        self._ledger.sent(messages)
        self._transport.send(messages)

    def receive(self, wait: float, expect: Collection[int] = ()) -> Sequence[Message]:
        """Return what has arrived, unless nothing ever will."""
        if wait:
            self._ledger.check()
        messages = self._transport.receive(wait, expect)
        self._ledger.received(self.rank, len(messages))
        return messages

    def wake(self) -> None:
        """Make `receive` return soon."""
        self._transport.wake()

    def close(self) -> None:
        """Receive no more."""
        self._ledger.ended(self.rank)
        self._transport.close()
