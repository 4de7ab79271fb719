"""One process's end of all its communicators: it posts messages and awaits them.

The laws:

1. A message to oneself never leaves the process; it is copied all the same.
2. A wait ends with the message, or at the job's deadline with a `DeadlineError` that
   names rank, peer, tag and how long; a wait that only this rank could end, and did
   not, is a `UsageError` at once.
3. One thread at a time.
"""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from serverless_dist.comm.matching import Matching
from serverless_dist.comm.status import ANY_SOURCE
from serverless_dist.comm.times import PhaseTimes, Stopwatch
from serverless_dist.errors import DeadlineError, UsageError
from serverless_dist.transport import Message, Transport

PATIENCE = 20.0  # seconds of one call of the transport: it need not know "for ever"
MOST_NAMED = 8  # peers that an error names before it only counts them


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a wait is for, and how an error says so: "for tag 7", "in bcast ..."."""

    context: int
    tag: int
    label: str


class Endpoint:
    """A rank's end of the transport.

    Parameters
    ----------
    transport
        Carries messages to and from the other ranks.
    deadline
        The time, by `clock`, at which every wait ends.
    clock
        Returns the time in seconds.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        deadline: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._deadline = deadline
        self._clock = clock
        self._matching = Matching()
        self.rank = transport.rank
        self.size = transport.size
        self.stopwatch = Stopwatch(clock)

    @property
    def times(self) -> PhaseTimes:
        """The seconds that this rank has spent sending and waiting."""
        return self.stopwatch.times

    @property
    def waiting(self) -> int:
        """The number of messages that have arrived and that nobody has taken."""
        return len(self._matching)

    def post(self, messages: Sequence[Message]) -> None:
        """Hand over all messages at once, those to this rank by a short cut."""
        outgoing = []
        for message in messages:
            others = tuple(dest for dest in message.dests if dest != self.rank)
            if others:
                outgoing.append(replace(message, dests=others))
            if len(others) < len(message.dests):
                copy = (bytearray().join(message.body),)
                self._matching.add(replace(message, dests=(self.rank,), body=copy))
        if outgoing:
            self._transport.send(outgoing)

    def collect(self, wanted: Wanted, sources: Sequence[int]) -> list[Message]:
        """Wait for one message of each source; return them in that order.

        A source may be `ANY_SOURCE`, and the tag `ANY_TAG`.

        Raises
        ------
        DeadlineError
            The job's deadline came first.
        UsageError
            Only this rank itself could have sent what it waits for.
        """
        found: dict[int, Message] = {}
        missing: defaultdict[int, list[int]] = defaultdict(list)
        for place, source in enumerate(sources):
            message = self._matching.take(wanted.context, source, wanted.tag)
            if message is None:
                missing[source].append(place)
            else:
                found[place] = message
        started = self._clock()
        while missing:
            fresh = self._receive(wanted, missing, started) | {ANY_SOURCE}
            for source in fresh & missing.keys():
                self._match(wanted, source, missing, found)
        return [found[place] for place in range(len(sources))]

    def _match(
        self,
        wanted: Wanted,
        source: int,
        missing: dict[int, list[int]],
        found: dict[int, Message],
    ) -> None:
        places = missing[source]
        while places:
            message = self._matching.take(wanted.context, source, wanted.tag)
            if message is None:
                return
            found[places.pop(0)] = message
        del missing[source]

    def _receive(
        self, wanted: Wanted, missing: Collection[int], started: float
    ) -> set[int]:
        """File what arrives; return whom it is from."""
        if self.rank in missing or self.size == 1:
            msg = (
                f"rank {self.rank} waits {wanted.label} from itself, which cannot come "
                f"any more: send it before receiving it"
            )
            raise UsageError(msg)
        now = self._clock()
        if now >= self._deadline:
            waited = f"rank {self.rank} waited {now - started:.1f} s"
            msg = f"{waited} {wanted.label} from {_names(missing)}"
            raise DeadlineError(msg)
        wait = min(self._deadline - now, PATIENCE)
        expect = () if ANY_SOURCE in missing else tuple(missing)
        arrived = self._transport.receive(wait, expect)
        for message in arrived:
            self._matching.add(message)
        return {message.source for message in arrived}

    def __repr__(self) -> str:
        return f"<Endpoint rank {self.rank} of {self.size}: {self.waiting} waiting>"


def _names(ranks: Collection[int]) -> str:
    """Return the ranks in words.

    >>> _names([0]), _names([0, 5, 7]), _names([ANY_SOURCE])
    ('rank 0', 'ranks 0, 5 and 7', 'any rank')
    >>> _names(range(20))
    'ranks 0, 1, 2, 3, 4, 5, 6, 7 and 12 more'
    """
    if ANY_SOURCE in ranks:
        return "any rank"
    names = [str(rank) for rank in sorted(ranks)]
    if len(names) == 1:
        return f"rank {names[0]}"
    if len(names) > MOST_NAMED:
        names[MOST_NAMED:] = [f"{len(names) - MOST_NAMED} more"]
    return f"ranks {', '.join(names[:-1])} and {names[-1]}"
