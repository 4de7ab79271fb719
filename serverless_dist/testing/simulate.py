"""Run all ranks of an algorithm in one thread, and count what it costs.

No transport, no clock: a message arrives when it is sent. What remains is the
algorithm itself: whether it ends, what it returns, and what it asks of a network.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from serverless_dist.comm.steps import Exchange, Recv, Send, Step, Steps
from serverless_dist.errors import ProtocolError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Simulation(Generic[T]):
    """What an algorithm returned, and what it cost.

    Attributes
    ----------
    results
        The result of each rank.
    rounds
        The longest chain of messages that depend on each other.
    messages
        How many were sent; a multicast counts once for each receiver, a message to
        oneself does not count.
    bytes
        What they carried.
    posts
        How often a rank sent something to others, all of an exchange being one post.
    most_sends, most_receives, most_bytes
        The most messages that one rank sent, and received, and the most bytes that one
        rank sent or received.
    """

    results: tuple[T, ...]
    rounds: int
    messages: int
    bytes: int
    posts: int
    most_sends: int
    most_receives: int
    most_bytes: int


@dataclass(slots=True)
class _Rank:
    """A rank on its way: `depth` is the longest chain of messages behind it."""

    steps: Steps[Any]
    depth: int = 0
    sends: int = 0
    receives: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    awaited: deque[int] = field(default_factory=deque)
    received: list[Any] = field(default_factory=list)
    step: Step | None = None
    is_done: bool = False
    result: Any = None


def data_bytes(data: Any) -> int:
    """Return what data weigh: text and bytes their length, a list all it holds.

    Numbers weigh 8 bytes each, None nothing.

    >>> data_bytes([b"four", "four", 4.0, None])
    16
    """
    match data:
        case None:
            return 0
        case bytes() | bytearray() | str():
            return len(data)
        case list() | tuple():
            return sum(map(data_bytes, data))
        case np.ndarray():
            return data.nbytes
        case int() | float():
            return 8
    msg = f"give simulate a measure: nobody knows what a {type(data).__name__} weighs"
    raise TypeError(msg)


def simulate(
    algorithm: Callable[[int, int], Steps[T]],
    size: int,
    *,
    measure: Callable[[Any], int] = data_bytes,
) -> Simulation[T]:
    """Run `algorithm` on `size` ranks; messages of one sender arrive in order.

    Parameters
    ----------
    algorithm
        Called with each rank and the size; returns the rank's steps.
    size
        The number of ranks; tens of thousands are fine.
    measure
        Returns the bytes of the data of one message.

    Raises
    ------
    ProtocolError
        Ranks wait for each other for ever, a message is sent to a rank that does not
        exist, or one is never received. The message names the ranks.

    Examples
    --------
    >>> from serverless_dist.comm.algorithms.barrier import dissemination
    >>> simulate(dissemination, 5).rounds
    3
    >>> def impolite(rank, size):
    ...     yield Recv(1 - rank)
    ...     yield Send(1 - rank, "after you")
    >>> simulate(impolite, 2)
    Traceback (most recent call last):
        ...
    serverless_dist.errors.ProtocolError: 2 of 2 ranks are stuck: rank 0 waits for \
rank 1; rank 1 waits for rank 0
    """
    return _Simulator(algorithm, size, measure).run()


class _Simulator(Generic[T]):
    def __init__(
        self,
        algorithm: Callable[[int, int], Steps[T]],
        size: int,
        measure: Callable[[Any], int],
    ) -> None:
        self._ranks = [_Rank(algorithm(rank, size)) for rank in range(size)]
        self._measure = measure
        # By dest and source: data, bytes and depth of what was sent and not received.
        # Lists, not deques: there may be a million, and few are ever long.
        self._wires: list[dict[int, list[tuple[Any, int, int]]]]
        self._wires = [{} for _ in range(size)]
        self._runnable = deque(range(size))
        self._posts = self._rounds = 0

    def run(self) -> Simulation[T]:
        while self._runnable:
            self._advance(self._runnable.popleft())
        self._check_ended()
        self._check_received()
        ranks = self._ranks
        return Simulation(
            results=tuple(state.result for state in ranks),
            rounds=self._rounds,
            messages=sum(state.sends for state in ranks),
            bytes=sum(state.bytes_out for state in ranks),
            posts=self._posts,
            most_sends=max((state.sends for state in ranks), default=0),
            most_receives=max((state.receives for state in ranks), default=0),
            most_bytes=max(
                (max(state.bytes_out, state.bytes_in) for state in ranks), default=0
            ),
        )

    def _advance(self, rank: int) -> None:
        """Take steps until the rank ends or has to wait."""
        state = self._ranks[rank]
        while self._collect(rank, state):
            try:
                step = state.steps.send(_answer(state))
            except StopIteration as stop:
                state.is_done, state.result = True, stop.value
                return
            state.step, state.received = step, []
            match step:
                case Send():
                    self._post(rank, state, (step,))
                case Recv(source):
                    state.awaited.append(source)
                case Exchange(sends, recvs):
                    self._post(rank, state, sends)
                    state.awaited.extend(recvs)

    def _collect(self, rank: int, state: _Rank) -> bool:
        """Receive what the step waits for; return whether that is all of it."""
        wires = self._wires[rank]
        while state.awaited:
            source = state.awaited[0]
            wire = wires.get(source)
            if not wire:
                return False
            data, size, depth = wire.pop(0)
            if not wire:
                del wires[source]
            state.awaited.popleft()
            state.received.append(data)
            state.depth = max(state.depth, depth)
            if source != rank:
                state.receives += 1
                state.bytes_in += size
        return True

    def _post(self, rank: int, state: _Rank, sends: tuple[Send, ...]) -> None:
        before = state.sends
        for send in sends:
            size = self._measure(send.data)
            for dest in send.dests:
                if dest != rank:
                    state.sends += 1
                    state.bytes_out += size
                self._deliver(
                    rank, dest, (send.data, size, state.depth + (dest != rank))
                )
        self._posts += state.sends > before

    def _deliver(self, rank: int, dest: int, sent: tuple[Any, int, int]) -> None:
        if not 0 <= dest < len(self._ranks):
            msg = f"rank {rank} sends to rank {dest} of {len(self._ranks)}"
            raise ProtocolError(msg)
        self._rounds = max(self._rounds, sent[-1])
        wires = self._wires[dest]
        if rank in wires:
            wires[rank].append(sent)
            return
        wires[rank] = [sent]
        awaited = self._ranks[dest].awaited
        if awaited and awaited[0] == rank:
            self._runnable.append(dest)

    def _check_ended(self) -> None:
        stuck = [
            f"rank {rank} waits for rank {state.awaited[0]}"
            for rank, state in enumerate(self._ranks)
            if not state.is_done
        ]
        if stuck:
            count = f"{len(stuck)} of {len(self._ranks)} ranks are stuck"
            msg = f"{count}: {'; '.join(stuck)}"
            raise ProtocolError(msg)

    def _check_received(self) -> None:
        lost = sorted(
            (source, dest, len(wire))
            for dest, wires in enumerate(self._wires)
            for source, wire in wires.items()
        )
        if lost:
            each = [
                f"{n} from rank {source} to rank {dest}" for source, dest, n in lost
            ]
            msg = f"messages were never received: {'; '.join(each)}"
            raise ProtocolError(msg)


def _answer(state: _Rank) -> Any:
    """Return the value of the step that the rank has just completed."""
    match state.step:
        case Recv():
            return state.received[0]
        case Exchange():
            return state.received
    return None
