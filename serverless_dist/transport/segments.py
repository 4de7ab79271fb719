"""Bodies in shared memory, the sender's side: what is written once and read in place.

A segment is an anonymous file in memory (memfd), so nothing is left of it when the
processes that have it are gone, however they went::

    one byte for each rank that it is lent to (4096 in all) | the body

1. The sender sets a borrower's byte before it tells of the loan; the borrower clears it
   when nothing in its process refers to the body any more. Nobody else writes there.
2. A segment is written to only when all its bytes are clear: a body that somebody
   holds never changes. A sole borrower owns the body and may write to it in place;
   of several, each copies it and gives it back at once.
3. Pages are dear, since the kernel clears each one: segments are used again. Those
   that nobody borrows hold at most `IDLE_BYTES`; each send sees to it.
4. A rank has a limited number of segments, for each takes descriptors. Where there is
   none to be had, `store` says so, and the body goes through the socket.
"""

import fcntl
import mmap
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Generic, Protocol, TypeVar

import numpy as np

from serverless_dist.transport.vectors import MAX_PIECES, advance, pieces
from serverless_dist.wire import Body

HEAD = 4_096  # bytes before the body: one page, so that the body begins on one
IDLE_BYTES = 128 << 20
_DESCRIPTORS = 256  # of segments that one rank may hold for all others together
_MOST = 64  # segments of one rank
_SLACK = 4  # a body takes a segment at most so many times its size


class Reusable(Protocol):
    """What the choice of a segment looks at."""

    @property
    def capacity(self) -> int:
        """The largest body in bytes that it takes."""
        ...

    @property
    def written(self) -> int:
        """How many bytes of memory it takes up: the largest body so far."""
        ...

    @property
    def last_use(self) -> int:
        """When it was used last: the larger, the later."""
        ...

    @property
    def is_free(self) -> bool:
        """Whether nobody has what is in it."""
        ...


S = TypeVar("S", bound=Reusable)


@dataclass(frozen=True, slots=True)
class Choice(Generic[S]):
    """Which segment a body goes to; neither `reuse` nor `may_create`: to none."""

    reuse: S | None
    may_create: bool
    retire: Sequence[S]


def choose(
    segments: Collection[S], size: int, *, limit: int, idle_bytes: int
) -> Choice[S]:
    """Decide where a body goes, and which segments to give up. Pure.

    Parameters
    ----------
    segments
        All there are.
    size
        The body's size in bytes.
    limit
        The number of segments that there may be.
    idle_bytes
        The bytes that segments may take up that nobody uses.
    """
    free = free_by_use(segments)
    fitting = [s for s in free if size <= s.capacity <= _SLACK * size]
    reuse = min(fitting, key=lambda s: s.capacity, default=None)
    idle = [s for s in free if s is not reuse]
    retire = surplus(idle, idle_bytes)
    if reuse is None and len(segments) - len(retire) >= limit:
        retire = retire or idle[-1:]
    may_create = reuse is None and len(segments) - len(retire) < limit
    return Choice(reuse, may_create, retire)


def free_by_use(segments: Collection[S]) -> list[S]:
    """Return those that nobody borrows, the last used first."""
    return sorted((s for s in segments if s.is_free), key=lambda s: -s.last_use)


def surplus(idle: list[S], idle_bytes: int) -> list[S]:
    """Return what does not fit into so many bytes, of segments by their last use."""
    for place, segment in enumerate(idle):
        idle_bytes -= segment.written
        if idle_bytes < 0:
            return idle[place:]
    return []


class Segment:
    """One piece of shared memory that this process writes to.

    Attributes
    ----------
    number
        Its name on the streams of this rank.
    known
        The ranks that have its descriptor.
    """

    def __init__(self, number: int, size: int) -> None:
        self.number = number
        self.known: set[int] = set()
        self.capacity = 1 << (size - 1).bit_length()
        self.written = 0
        self.last_use = 0
        self._lent = 0
        self.descriptor = os.memfd_create(
            "serverless-dist", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
        )
        try:
            os.ftruncate(self.descriptor, HEAD + self.capacity)
            # A reader's mapping may rely on the size: it cannot shrink under it.
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, seals)
            self._map = mmap.mmap(self.descriptor, HEAD + self.capacity)
        except BaseException:
            os.close(self.descriptor)
            raise

    def __repr__(self) -> str:
        state = "free" if self.is_free else "lent"
        return f"<Segment {self.number} of {self.capacity} bytes, {state}>"

    @property
    def is_free(self) -> bool:
        """Whether all have given it back."""
        return not self._map[: self._lent].strip(b"\0")

    def fill(self, body: Body, size: int) -> None:
        """Write the body; raise `OSError` if there is no memory for it."""
        if size <= self.written:
            # The pages are there: twice as fast as a write, and cannot fail.
            self._copy(body)
        else:
            self._write(body)
            self.written = size

    def lend(self, borrowers: int) -> None:
        """Take note that so many ranks will each have to give it back."""
        self._lent = borrowers
        self._map[:borrowers] = b"\1" * borrowers

    def give_back(self, place: int) -> None:
        """Take note that the borrower at `place` has not got it."""
        self._map[place] = 0

    def close(self) -> None:
        """Give up this process's part; who has borrowed it keeps the memory."""
        os.close(self.descriptor)
        self._map.close()

    def _copy(self, body: Body) -> None:
        target = np.frombuffer(self._map, np.uint8)
        start = HEAD
        for buffer in body:
            source = np.frombuffer(buffer, np.uint8)
            target[start : start + source.nbytes] = source
            start += source.nbytes

    def _write(self, body: Body) -> None:
        rest = pieces(body)
        position = HEAD
        while rest:
            views = [view for view, _ in islice(rest, MAX_PIECES)]
            done = os.pwritev(self.descriptor, views, position)
            position += done
            advance(rest, done)


class SegmentPool:
    """The segments of one rank.

    Parameters
    ----------
    size
        The number of ranks, each of which holds descriptors of all others' segments.
    """

    def __init__(self, size: int) -> None:
        self._limit = max(2, min(_MOST, _DESCRIPTORS // size))
        self._segments: dict[int, Segment] = {}
        self._written = 0
        self._numbers = count()
        self._uses = count(1)

    def __repr__(self) -> str:
        idle = sum(s.written for s in self._segments.values() if s.is_free)
        return f"<SegmentPool {len(self._segments)} segments, {idle} bytes idle>"

    def store(
        self, body: Body, size: int, borrowers: int
    ) -> tuple[Segment | None, Sequence[Segment]]:
        """Write a body and lend it; return its segment, and those to be retired.

        Parameters
        ----------
        body, size
            The body and the number of its bytes.
        borrowers
            The number of ranks that get it, from place 0 on.
        """
        choice = choose(
            self._segments.values(), size, limit=self._limit, idle_bytes=IDLE_BYTES
        )
        self._drop(choice.retire)
        chosen = choice.reuse
        if chosen is None and choice.may_create and borrowers <= HEAD:
            chosen = self._create(size)
        if chosen is None:
            return None, choice.retire
        before = chosen.written
        try:
            chosen.fill(body, size)
        except OSError:  # no memory: what it has is worth more than its reuse
            self._drop([chosen])
            return None, [*choice.retire, chosen]
        self._written += chosen.written - before
        chosen.lend(borrowers)
        chosen.last_use = next(self._uses)
        return chosen, choice.retire

    def _create(self, size: int) -> Segment | None:
        """Return a new segment, or None if there are no descriptors to be had."""
        try:
            segment = Segment(next(self._numbers), size)
        except OSError:
            return None
        self._segments[segment.number] = segment
        return segment

    def trim(self) -> Sequence[Segment]:
        """Return the segments to be retired since too much is idle."""
        if self._written <= IDLE_BYTES:  # all of it together: most often
            return []
        free = free_by_use(self._segments.values())
        retired = surplus(free, IDLE_BYTES)
        self._drop(retired)
        return retired

    def _drop(self, segments: Sequence[Segment]) -> None:
        for segment in segments:
            del self._segments[segment.number]
            self._written -= segment.written

    def close(self) -> None:
        """Give up all segments; who has borrowed one keeps the memory."""
        for segment in self._segments.values():
            segment.close()
        self._segments.clear()
