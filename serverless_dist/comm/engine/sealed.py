"""Objects that are encoded once, by their owner, and decoded once, by their reader.

The trees of bcast, scatter, gather and allgather pass objects on that they never look
at. There a message is a bundle: a list of sealed objects, framed but neither pickled
nor copied::

    count (4 bytes) | size of each (8 bytes) | bodies, each padded to 64 bytes

The padding keeps arrays aligned in the received buffer, where they live from then on.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from serverless_dist.cloud import Buffer
from serverless_dist.comm.engine.pickling import serializer
from serverless_dist.errors import ProtocolError
from serverless_dist.wire.codec import Body

_ALIGNMENT = 64  # what the codec aligns the buffers of a body to
_COUNT = struct.Struct("<I")


@dataclass(frozen=True, slots=True, eq=False)
class Sealed:
    """An encoded object.

    >>> Sealed.of([1, 2]).open()
    [1, 2]
    """

    body: Body

    @classmethod
    def of(cls, obj: Any) -> "Sealed":
        """Encode `obj`; its memory is aliased, not copied."""
        return cls(serializer.encode(obj))

    @property
    def size(self) -> int:
        """The number of bytes of the body."""
        return sum(memoryview(buffer).nbytes for buffer in self.body)

    def open(self) -> Any:
        """Decode; arrays live in the body if it is one (received) buffer."""
        return serializer.decode(self.body)


def pack(bundle: Sequence[Sealed]) -> Body:
    """Return the bundle as one body, without copying what is in it."""
    sizes = [sealed.size for sealed in bundle]
    head = _COUNT.pack(len(sizes)) + struct.pack(f"<{len(sizes)}Q", *sizes)
    parts: list[Buffer] = [head + _padding(len(head))]
    for sealed, size in zip(bundle, sizes, strict=True):
        parts.extend(sealed.body)
        if size % _ALIGNMENT:
            parts.append(_padding(size))
    return tuple(parts)


def unpack(body: Sequence[Buffer]) -> list[Sealed]:
    """Return the bundle as views into the body, which is one buffer.

    Raises
    ------
    ProtocolError
        If the body is not what `pack` makes.
    """
    (buffer,) = body
    whole = memoryview(buffer)
    try:
        (count,) = _COUNT.unpack_from(whole)
        sizes = struct.unpack_from(f"<{count}Q", whole, _COUNT.size)
    except struct.error as error:
        msg = f"a body of {whole.nbytes} bytes is not a bundle of objects"
        raise ProtocolError(msg) from error
    start = _aligned(_COUNT.size + 8 * count)
    bundle = []
    for size in sizes:
        bundle.append(Sealed((whole[start : start + size],)))
        start += _aligned(size)
    if start != whole.nbytes:
        msg = f"a bundle of {start} bytes came as {whole.nbytes} bytes"
        raise ProtocolError(msg)
    return bundle


def _aligned(size: int) -> int:
    return size + -size % _ALIGNMENT


def _padding(size: int) -> bytes:
    return bytes(-size % _ALIGNMENT)
