"""Signed frames to messages: the receiving half of exactly once. Pure.

The law of the inbox:

1. Whatever comes is fed; nothing that is fed raises.
2. A frame that this job's key did not sign, or that is not for this rank, is dropped
   and counted.
3. A message comes out when all of its parts are in and all messages before it in its
   stream (source, context) have come out; then never again.
4. Nothing is unpickled here.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from serverless_dist.cloud import Buffer
from serverless_dist.transport.message import Message
from serverless_dist.wire import Flaw, Frame, JobKey, Kind, unseal

Stream = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A complete message in its turn, and what its body is."""

    message: Message
    kind: Kind


@dataclass(slots=True)
class _Partial:
    """The parts of one message that are here so far."""

    frame: Frame
    bodies: dict[int, memoryview] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        return len(self.bodies) == self.frame.parts

    def arrival(self) -> Arrival:
        frame = self.frame
        body = bytearray().join(self.bodies[part] for part in range(frame.parts))
        message = Message(frame.source, frame.dests, frame.context, frame.tag, (body,))
        return Arrival(message, frame.kind)


class Inbox:
    """Gives each message to `rank` once and in order, however its frames come.

    Parameters
    ----------
    rank
        Whose inbox it is.
    key
        The job's key: frames of other jobs and unsigned ones are dropped.
    max_frame
        Frames larger than this many bytes are dropped unread; None: no limit.

    Attributes
    ----------
    dropped
        How many frames were dropped, by `Flaw`.
    """

    def __init__(self, rank: int, key: JobKey, *, max_frame: int | None = None) -> None:
        self._rank = rank
        self._key = key
        self._max_frame = max_frame
        self._next: defaultdict[Stream, int] = defaultdict(int)
        self._held: dict[Stream, dict[int, _Partial]] = {}
        self.dropped: Counter[Flaw] = Counter()

    def __repr__(self) -> str:
        held = sum(len(partials) for partials in self._held.values())
        return f"<Inbox rank {self._rank}: {held} held back>"

    def feed(self, data: Buffer) -> list[Arrival]:
        """Take one frame in; return the messages whose turn has come with it."""
        frame = self._admit(data)
        if isinstance(frame, Flaw):
            self.dropped[frame] += 1
            return []
        sequence = frame.sequences[frame.dests.index(self._rank)]
        stream = (frame.source, frame.context)
        held = self._held.get(stream) or {}
        partial = held.get(sequence) or _Partial(frame)
        if sequence < self._next[stream] or frame.part in partial.bodies:
            self.dropped[Flaw.DUPLICATE] += 1
            return []
        held[sequence] = partial
        partial.bodies[frame.part] = frame.body
        arrivals = self._release(stream, held)
        if held:
            self._held[stream] = held
        else:  # most often: streams are many, few of them hold anything back
            self._held.pop(stream, None)
        return arrivals

    def _admit(self, data: Buffer) -> Frame | Flaw:
        if self._max_frame is not None and len(data) > self._max_frame:
            return Flaw.OVERSIZED
        frame = unseal(self._key, data)
        if isinstance(frame, Frame) and self._rank not in frame.dests:
            return Flaw.MISDIRECTED
        return frame

    def _release(self, stream: Stream, held: dict[int, _Partial]) -> list[Arrival]:
        arrivals = []
        sequence = self._next[stream]
        while sequence in held and held[sequence].is_complete:
            arrivals.append(held.pop(sequence).arrival())
            sequence += 1
        self._next[stream] = sequence
        return arrivals
