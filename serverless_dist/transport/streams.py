"""Messages on a byte stream between two processes of one machine. Pure.

::

    length of header (4 bytes) | length of body (8 bytes) | header: msgpack | body

The first header of a stream is a sealed frame that proves the job's key; the kernel
keeps what follows whole and in order, so messages carry no signature of their own.
"""

import struct
from dataclasses import dataclass

import msgpack

from serverless_dist.transport.message import Message
from serverless_dist.wire import Body, Frame, JobKey, Kind, seal, unseal

_LENGTHS = struct.Struct("<IQ")


def greeting(key: JobKey, source: int, dest: int) -> bytes:
    """Return the bytes that open a stream from `source` to `dest`."""
    frame = Frame(source, 0, 0, (dest,), (0,), 0, 1, Kind.DATA, memoryview(b""))
    sealed = seal(key, frame)
    return _LENGTHS.pack(len(sealed), 0) + sealed


def pack_message(message: Message) -> Body:
    """Return the message as buffers to be written one after the other."""
    header = msgpack.packb([message.context, message.tag])
    size = sum(memoryview(buffer).nbytes for buffer in message.body)
    return (_LENGTHS.pack(len(header), size) + header, *message.body)


@dataclass(slots=True)
class _Unfinished:
    header: bytes
    body: bytearray
    filled: int


class StreamReader:
    """Bytes in, messages out, for the receiving end `rank` of one stream.

    Large bodies are read straight into their own memory: ask `target` where the next
    bytes should go, and tell `filled` how many went there.
    """

    def __init__(self, rank: int, key: JobKey) -> None:
        self._rank = rank
        self._key = key
        self._source: int | None = None
        self._pending = bytearray()
        self._body: _Unfinished | None = None
        self.is_refused = False

    def __repr__(self) -> str:
        return f"<StreamReader from {self._source}: {len(self._pending)} pending>"

    @property
    def target(self) -> memoryview | None:
        """Where the rest of a large body goes; None: use `feed`."""
        if self._body is None:
            return None
        return memoryview(self._body.body)[self._body.filled :]

    def filled(self, count: int) -> list[Message]:
        """Take note that `count` bytes were written to `target`."""
        unfinished = self._body
        if unfinished is None:
            return []
        unfinished.filled += count
        if unfinished.filled < len(unfinished.body):
            return []
        self._body = None
        return self._complete(unfinished.header, unfinished.body)

    def feed(self, data: bytes) -> list[Message]:
        """Take bytes in; return the messages that are complete."""
        self._pending += data
        pending = memoryview(self._pending)
        messages: list[Message] = []
        start = 0
        while self._body is None and not self.is_refused:
            if len(pending) - start < _LENGTHS.size:
                break
            header_size, body_size = _LENGTHS.unpack_from(pending, start)
            body_start = start + _LENGTHS.size + header_size
            if self._source is None and (header_size > 512 or body_size):
                self.is_refused = True  # no greeting is that long
                break
            if len(pending) < body_start:
                break
            header = bytes(pending[start + _LENGTHS.size : body_start])
            start = min(body_start + body_size, len(pending))
            body = bytearray(body_size)
            body[: start - body_start] = pending[body_start:start]
            if start - body_start < body_size:
                self._body = _Unfinished(header, body, start - body_start)
            else:
                messages += self._complete(header, body)
        pending.release()
        del self._pending[:start]
        return messages

    def _complete(self, header: bytes, body: bytearray) -> list[Message]:
        if self._source is None:
            self._greet(header)
            return []
        context, tag = msgpack.unpackb(header)
        return [Message(self._source, (self._rank,), context, tag, (body,))]

    def _greet(self, sealed: bytes) -> None:
        frame = unseal(self._key, sealed)
        if isinstance(frame, Frame) and frame.dests == (self._rank,):
            self._source = frame.source
        else:
            self.is_refused = True
