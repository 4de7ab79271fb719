"""Crates: one object that holds what one `send` call carries for several ranks. Pure.

::

    length of the index (4 bytes) | index: msgpack [[dests], size] a frame | frames

A reader gets the head of the object, finds its frames in the index and reads what
is missing by byte range: P objects serve P x P messages. The index is not signed
and need not be: it only says where the frames lie, and each frame is signed.
"""

import struct
from collections.abc import Sequence

import msgpack

_LENGTH = struct.Struct("<I")


def fill(frames: Sequence[tuple[tuple[int, ...], bytes]]) -> bytes:
    """Return a crate with these frames, each with the ranks it is for."""
    index = msgpack.packb([[dests, len(frame)] for dests, frame in frames])
    return b"".join((_LENGTH.pack(len(index)), index, *(frame for _, frame in frames)))


def index_stop(head: bytes) -> int:
    """Return how many bytes of the crate that begins with `head` hold its index."""
    return _LENGTH.size + sum(_LENGTH.unpack_from(head)) if len(head) >= 4 else 4


def spans(head: bytes, rank: int) -> list[tuple[int, int]]:
    """Return (start, stop) of each frame for `rank`, in order.

    `head` holds at least the index; something that is no crate has no frames.

    >>> spans(fill([((1,), b"one"), ((1, 2), b"both")]), 2)
    [(17, 21)]
    """
    start = index_stop(head)
    try:
        entries = msgpack.unpackb(head[_LENGTH.size : start])
        found = []
        for dests, size in entries:
            if type(size) is not int or size < 0:
                return []
            if rank in dests:
                found.append((start, start + size))
            start += size
    except (ValueError, TypeError, msgpack.UnpackException):
        return []
    return found
