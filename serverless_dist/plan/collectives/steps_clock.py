"""All ranks of an algorithm in virtual time: steps, and a channel that takes time.

One loop over events, in the order of time, without transport or threads: tens of
thousands of ranks take seconds. A rank that goes on does so until it has to wait; what
it sends meanwhile is on its way before others have come as far in time, so whatever
happens at some time is known when the loop gets there.

Ranks compute nothing: what takes time is the channel. Nobody is slow but by chance, and
no message comes twice.
"""

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import Any, Protocol

from serverless_dist.cloud import Usage
from serverless_dist.comm.steps import Exchange, Recv, Send, Steps
from serverless_dist.errors import ProtocolError


class Letter:
    """A message to one rank.

    Attributes
    ----------
    source
        Who sends it.
    lacking
        How many of its parts have not come; 0: it is here.
    place
        The bytes that lie elsewhere and are to be fetched; -1: it is all here.
    data
        What it says.
    """

    __slots__ = ("data", "lacking", "place", "source")

    def __init__(self, source: int, data: Any) -> None:
        self.source = source
        self.data = data
        self.lacking = 1
        self.place = -1


class Post:
    """What a rank sends at once to some others in one message."""

    __slots__ = ("dests", "letters", "nbytes")

    def __init__(
        self, dests: tuple[int, ...], letters: list[Letter], nbytes: int
    ) -> None:
        self.dests = dests
        self.letters = letters
        self.nbytes = nbytes


class Channel(Protocol):
    """What messages travel by, and how long that takes."""

    def post(self, rank: int, posts: Sequence[Post], now: float) -> float:
        """Send at `now`; return when the sender may go on."""

    def wait(self, rank: int, now: float) -> None:
        """Let a rank look for messages from `now` on."""

    def happen(self, rank: int, now: float) -> None:
        """Do what was scheduled for a rank."""

    def end(self, rank: int) -> None:
        """Count what a rank does once it wants no more."""

    def usage(self) -> Usage:
        """Return what was counted."""


class _Rank:
    """A rank on its way through its steps."""

    __slots__ = ("awaited", "end", "kind", "received", "steps", "wires")

    def __init__(self, steps: Steps[Any]) -> None:
        self.steps = steps
        self.awaited: Sequence[int] = ()
        self.kind: type = Send  # of step; its first answer is None, as a send's is
        self.received: list[Any] = []
        self.wires: dict[int, list[Letter]] = {}  # by source: sent and not received
        self.end = -1.0


class Ranks(Protocol):
    """What a channel asks of those who use it."""

    def schedule(self, rank: int, time: float) -> None:
        """Let the channel's `happen` be called at a time."""

    def go_on(self, rank: int, now: float) -> None:
        """Let a rank go on: messages have come for it."""

    def missing(self, rank: int) -> list[int]:
        """Return the sources of what a rank waits for and does not have."""


class StepsClock:
    """Runs the steps of all ranks; see `run`.

    Parameters
    ----------
    steps
        Those of each rank.
    measure
        Returns the bytes of a message's data.
    """

    def __init__(
        self, steps: Sequence[Steps[Any]], measure: Callable[[Any], int]
    ) -> None:
        self._ranks = [_Rank(each) for each in steps]
        self._measure = measure
        self._events: list[tuple[float, int, int]] = []
        self._number = 0
        self._channel: Channel

    def __repr__(self) -> str:
        return f"<StepsClock of {len(self._ranks)} ranks>"

    def schedule(self, rank: int, time: float) -> None:
        """Let the channel's `happen` be called at a time."""
        self._number += 1
        heappush(self._events, (time, self._number, rank))

    def run(self, channel: Channel) -> list[float]:
        """Run all ranks to their ends; return when each of them came to it.

        Raises
        ------
        ProtocolError
            Ranks wait for each other for ever; the message names them all.
        """
        self._channel = channel
        for rank in range(len(self._ranks)):
            self.go_on(rank, 0.0)
        events, happen = self._events, channel.happen
        while events:
            time, _, rank = heappop(events)
            happen(rank, time)
        self._check_ended()
        return [state.end for state in self._ranks]

    def go_on(self, rank: int, now: float) -> None:
        """Let a rank take steps until it ends or has to wait."""
        state = self._ranks[rank]
        while self._is_complete(state):
            try:
                step = state.steps.send(self._answer(state))
            except StopIteration:
                state.end = now
                self._channel.end(rank)
                return
            state.kind = type(step)
            if isinstance(step, Exchange):
                state.awaited = step.recvs
                if step.sends:
                    now = self._post(rank, step.sends, now)
            elif isinstance(step, Recv):
                state.awaited = (step.source,)
            else:
                state.awaited = ()
                now = self._post(rank, (step,), now)
        self._channel.wait(rank, now)

    def missing(self, rank: int) -> list[int]:
        """Return the sources of what a rank waits for and does not have."""
        state = self._ranks[rank]
        wires = state.wires
        return [
            source
            for source in state.awaited[len(state.received) :]
            if not (source in wires and not wires[source][0].lacking)
        ]

    def _answer(self, state: _Rank) -> Any:
        received, state.received = state.received, []
        if state.kind is Exchange:
            return received
        return received[0] if received else None

    def _is_complete(self, state: _Rank) -> bool:
        """Take what the step waits for; return whether that is all of it."""
        received, awaited, wires = state.received, state.awaited, state.wires
        while len(received) < len(awaited):
            source = awaited[len(received)]
            wire = wires.get(source)
            if not wire or wire[0].lacking:
                return False
            received.append(wire.pop(0).data)
            if not wire:
                del wires[source]
        return True

    def _post(self, rank: int, sends: Sequence[Send], now: float) -> float:
        """Hand messages to the channel, and those to oneself to nobody."""
        posts = []
        for send in sends:
            dests = (send.dest,) if type(send.dest) is int else send.dests
            letters = [self._write(rank, dest, send.data) for dest in dests]
            if rank in dests:
                letters[dests.index(rank)].lacking = 0
                letters = [letter for letter in letters if letter.lacking]
                dests = tuple(dest for dest in dests if dest != rank)
            if dests:
                posts.append(Post(dests, letters, self._measure(send.data)))
        return self._channel.post(rank, posts, now) if posts else now

    def _write(self, source: int, dest: int, data: Any) -> Letter:
        if not 0 <= dest < len(self._ranks):
            msg = f"rank {source} sends to rank {dest} of {len(self._ranks)}"
            raise ProtocolError(msg)
        letter = Letter(source, data)
        wires = self._ranks[dest].wires
        if source in wires:
            wires[source].append(letter)
        else:
            wires[source] = [letter]
        return letter

    def _check_ended(self) -> None:
        stuck = [
            f"rank {rank} waits for rank {self.missing(rank)[0]}"
            for rank, state in enumerate(self._ranks)
            if state.end < 0
        ]
        if stuck:
            count = f"{len(stuck)} of {len(self._ranks)} ranks are stuck"
            msg = f"{count}: {'; '.join(stuck)}"
            raise ProtocolError(msg)
