"""What is written on a byte stream between two processes of one machine. Pure.

::

    kind (1 byte) | size of what follows (8) | context (8) | tag (8) | what follows

=========  =======================================================================
kind       what follows
=========  =======================================================================
greeting   a sealed frame that proves the job's key; it comes first and once
data       the body of a message
segment    where the body of a message lies in shared memory that the reader knows
fresh      the same, and the memory's descriptor travels with the first byte
retired    the number of shared memory that the writer will not use again
=========  =======================================================================

The kernel keeps the bytes whole and in order, so nothing but the greeting is signed.
A rank opens one stream to each other rank, ever: a second greeting of the same source
is somebody else's, who repeats what was overheard, and is refused.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from serverless_dist.errors import ProtocolError
from serverless_dist.transport.message import Message
from serverless_dist.wire import Flaw, Frame, JobKey, Kind, seal, unseal

_HEADER = struct.Struct("<BQQQ")
_HEADER_SIZE = _HEADER.size
_PLACE = struct.Struct("<QQQQ")
_NUMBER = struct.Struct("<Q")
_LONGEST_GREETING = 512


class _Kind(IntEnum):
    GREETING = 1
    DATA = 2
    SEGMENT = 3
    FRESH = 4
    RETIRED = 5


_DATA = _Kind.DATA.value  # a plain integer is compared three times as fast


@dataclass(frozen=True, slots=True)
class Loan:
    """A message whose body lies in shared memory, until the reader gives it back.

    The body is the first `size` bytes of segment `number`; byte `place` of its head
    says whether the reader still has it. It is lent to `borrowers` ranks in all.
    `is_fresh`: a descriptor has come along.
    """

    context: int
    tag: int
    number: int
    place: int
    size: int
    borrowers: int
    is_fresh: bool


@dataclass(frozen=True, slots=True)
class Retired:
    """The writer will not use segment `number` again."""

    number: int


Event = Message | Loan | Retired


def pack_greeting(key: JobKey, source: int, dest: int) -> bytes:
    """Return the bytes that open a stream from `source` to `dest`."""
    frame = Frame(source, 0, 0, (dest,), (0,), 0, 1, Kind.DATA, memoryview(b""))
    sealed = seal(key, frame)
    return _HEADER.pack(_Kind.GREETING, len(sealed), 0, 0) + sealed


def pack_header(message: Message, size: int) -> bytes:
    """Return what goes before the body of `message`, which has `size` bytes."""
    return _HEADER.pack(_DATA, size, message.context, message.tag)


def pack_loan(loan: Loan) -> bytes:
    """Return the bytes that tell of a body in shared memory."""
    kind = _Kind.FRESH if loan.is_fresh else _Kind.SEGMENT
    header = _HEADER.pack(kind, _PLACE.size, loan.context, loan.tag)
    return header + _PLACE.pack(loan.number, loan.place, loan.size, loan.borrowers)


def pack_retired(number: int) -> bytes:
    """Return the bytes that tell of a segment that will not be used again."""
    return _HEADER.pack(_Kind.RETIRED, _NUMBER.size, 0, 0) + _NUMBER.pack(number)


@dataclass(slots=True)
class _Unfinished:
    context: int
    tag: int
    body: bytearray
    filled: int


class StreamReader:
    """Bytes in, events out, for the receiving end `rank` of one stream.

    Large bodies are read straight into their own memory: ask `target` where the next
    bytes should go, and tell `filled` how many went there.

    Parameters
    ----------
    rank
        The rank that reads.
    key
        The job's key, which the greeting must prove.
    greeted
        The sources that have greeted this rank so far, on any stream.

    Attributes
    ----------
    source
        Who writes; None until the greeting has come.
    flaw
        Why the greeting was refused; the stream is of no use then.
    """

    def __init__(self, rank: int, key: JobKey, greeted: set[int]) -> None:
        self._rank = rank
        self._dests = (rank,)
        self._key = key
        self._greeted = greeted
        self._pending = b""
        self._unfinished: _Unfinished | None = None
        self.source: int | None = None
        self.flaw: Flaw | None = None

    def __repr__(self) -> str:
        return f"<StreamReader from {self.source}: {len(self._pending)} pending>"

    @property
    def target(self) -> memoryview | None:
        """Where the rest of a large body goes; None: use `feed`."""
        unfinished = self._unfinished
        if unfinished is None:
            return None
        return memoryview(unfinished.body)[unfinished.filled :]

    def filled(self, count: int) -> list[Event]:
        """Take note that `count` bytes were written to `target`."""
        unfinished = self._unfinished
        if unfinished is None or self.source is None:
            return []
        unfinished.filled += count
        if unfinished.filled < len(unfinished.body):
            return []
        self._unfinished = None
        context, tag, body = unfinished.context, unfinished.tag, (unfinished.body,)
        return [Message(self.source, self._dests, context, tag, body)]

    def feed(self, data: bytes) -> list[Event]:
        """Take bytes in; return what is complete.

        Raises
        ------
        ProtocolError
            A peer that has proved the key does not keep to the format.
        """
        if self._pending:
            data = self._pending + data
        events: list[Event] = []
        source = self.source
        start = 0
        if source is None:
            start = self._admit(data)
            source = self.source
        if source is not None:
            start = self._parse(source, data, start, events)
        self._pending = data[start:]
        return events

    def _parse(self, source: int, data: bytes, start: int, events: list[Event]) -> int:
        """Add what is complete to `events`; return where the rest begins."""
        end = len(data)
        while end - start >= _HEADER_SIZE:
            kind, size, context, tag = _HEADER.unpack_from(data, start)
            begin = start + _HEADER_SIZE
            stop = begin + size
            if kind != _DATA:
                if stop > end and size <= _PLACE.size:
                    break
                events.append(self._notice(kind, data[begin:stop], context, tag))
            elif stop <= end:
                body = (bytearray(data[begin:stop]),)
                events.append(Message(source, self._dests, context, tag, body))
            else:
                unfinished = bytearray(size)
                unfinished[: end - begin] = data[begin:]
                self._unfinished = _Unfinished(context, tag, unfinished, end - begin)
                return end
            start = stop
        return start

    def _notice(self, kind: int, data: bytes, context: int, tag: int) -> Event:
        if kind in (_Kind.SEGMENT, _Kind.FRESH) and len(data) == _PLACE.size:
            is_fresh = kind == _Kind.FRESH
            number, place, length, borrowers = _PLACE.unpack(data)
            return Loan(context, tag, number, place, length, borrowers, is_fresh)
        if kind == _Kind.RETIRED and len(data) == _NUMBER.size:
            return Retired(*_NUMBER.unpack(data))
        msg = (
            f"rank {self._rank} cannot read its stream from rank {self.source}: no "
            f"notice of kind {kind} has {len(data)} bytes"
        )
        raise ProtocolError(msg)

    def _admit(self, data: bytes) -> int:
        """Look for the greeting; return where what follows it begins."""
        if len(data) < _HEADER.size:
            return 0
        kind, size, _, _ = _HEADER.unpack_from(data)
        if kind != _Kind.GREETING or size > _LONGEST_GREETING:
            self.flaw = Flaw.MALFORMED
            return 0
        stop = _HEADER.size + int(size)
        if len(data) < stop:
            return 0
        frame = unseal(self._key, data[_HEADER.size : stop])
        if isinstance(frame, Flaw):
            self.flaw = frame
        elif frame.dests != self._dests:
            self.flaw = Flaw.MISDIRECTED
        elif frame.source in self._greeted:
            self.flaw = Flaw.DUPLICATE
        else:
            self.source = frame.source
            self._greeted.add(frame.source)
        return stop
