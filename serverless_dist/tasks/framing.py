"""Bodies on a byte stream, each with its length (8 bytes, little-endian) before it."""

import struct

from serverless_dist.errors import ProtocolError
from serverless_dist.wire import Body

_LENGTH = struct.Struct("<Q")
_LARGE = 1 << 18  # bytes of a body that is collected in memory of its own


def framed(body: Body) -> bytes:
    """Return what is written for a body.

    >>> framed((b"ab", b"c")) == bytes([3, 0, 0, 0, 0, 0, 0, 0]) + b"abc"
    True
    """
    size = sum(memoryview(buffer).nbytes for buffer in body)
    return b"".join((_LENGTH.pack(size), *body))


class BodyReader:
    """Bytes in, bodies out. Pure.

    >>> reader = BodyReader(limit=10)
    >>> data = framed((b"one",)) + framed((b"two",))
    >>> reader.feed(data[:12]), reader.feed(data[12:])
    ([b'one'], [b'two'])

    Attributes
    ----------
    limit
        Bytes that the next body may have, so that a stranger's word costs no memory.
        As long as it is set, one body at a time comes out: what follows may have
        another limit. None: as many as they like, and all that are complete.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self._rest = b""
        self._large: bytearray | None = None
        self._filled = 0

    def __repr__(self) -> str:
        return f"<BodyReader {len(self._rest) + self._filled} bytes of the next body>"

    def feed(self, data: bytes) -> list[bytes | bytearray]:
        """Take bytes in; return the bodies that are complete.

        Raises
        ------
        ProtocolError
            A body that has begun will be too long.
        """
        bodies: list[bytes | bytearray] = []
        if self._large is not None:
            data = self._fill(self._large, data)
            if self._filled < len(self._large):
                return bodies
            bodies.append(self._large)
            self._large, self._filled = None, 0
        if self._rest:
            data = self._rest + data
        start, end = 0, len(data)
        while end - start >= 8:
            (size,) = _LENGTH.unpack_from(data, start)
            stop = start + 8 + size
            if stop > end:
                start += self._begin(size, data, start)
                break
            bodies.append(data[start + 8 : stop])
            start = stop
            if self.limit is not None:
                break
        self._rest = data[start:]
        return bodies

    def _begin(self, size: int, data: bytes, start: int) -> int:
        """Return how many bytes were taken of a body that is not complete."""
        if self.limit is not None and size > self.limit:
            msg = f"a body of {size:,} bytes has begun where {self.limit:,} may come"
            raise ProtocolError(msg)
        if size < _LARGE:
            return 0
        self._large = bytearray(size)
        self._fill(self._large, data[start + 8 :])
        return len(data) - start

    def _fill(self, large: bytearray, data: bytes) -> bytes:
        """Copy what belongs to the large body; return the rest."""
        part = data[: len(large) - self._filled]
        large[self._filled : self._filled + len(part)] = part
        self._filled += len(part)
        return data[len(part) :]
