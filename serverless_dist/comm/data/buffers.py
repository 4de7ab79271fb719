"""What users pass as a buffer, as mpi4py understands it: a `Block` of memory and type.

A buffer is anything with Python's buffer protocol (bytes, bytearray, array, numpy's
arrays ...) or with DLPack's on the host, or a list or tuple of 2 to 4 items::

    [buffer, type]      [buffer, count]      [buffer, (count, displacement)]
    [buffer, count, type]                    [buffer, (count, displacement), type]
    [buffer, count, displacement, type]

A type is a `Datatype` or a code such as ``"d"``; without one it is what the buffer says
of itself. Counts and displacements are in elements of the type. The forms for several
ranks have counts and displacements for each; see `send_vector`. ``None`` or `BOTTOM` as
buffer is memory at address 0, from which a type may have absolute addresses.

Mistakes in a spec are TypeError, ValueError, KeyError (an unknown type code) or
BufferError (not contiguous, read-only, of foreign byte order), as in mpi4py.
"""

import itertools
import operator
from typing import Any

from serverless_dist.comm.data.blocks import Block
from serverless_dist.comm.data.specs import (
    ABSOLUTE,
    checked_block,
    integers,
    is_bottom,
    layouts_of,
    offset_of,
    parse,
    read_count,
    read_memory,
    read_plain,
    sequence,
    whole_count,
)
from serverless_dist.comm.data.views import view_bytes

__all__ = [
    "Block",
    "check_alike",
    "recv_block",
    "recv_blocks",
    "recv_vector",
    "recv_vector_w",
    "send_block",
    "send_blocks",
    "send_vector",
    "send_vector_w",
]


def send_block(spec: Any) -> Block:
    """Return the elements to send of one buffer."""
    return _block(spec, 1, writable=False)


def recv_block(spec: Any) -> Block:
    """Return the place for the elements to receive, which has to be writable."""
    return _block(spec, 1, writable=True)


def send_blocks(spec: Any, n: int) -> list[Block]:
    """Return `n` equal blocks: a count is that of each; without one, all is shared."""
    return _split(_block(spec, n, writable=False), n)


def recv_blocks(spec: Any, n: int) -> list[Block]:
    """Return `n` equal writable blocks, as `send_blocks` does."""
    return _split(_block(spec, n, writable=True), n)


def send_vector(spec: Any, n: int) -> list[Block]:
    """Return a block for each of `n` ranks.

    Counts may be one int for all, a sequence, or None: the elements are shared as
    evenly as possible, lower ranks have more. Displacements may be None (one after the
    other), one int (the distance), or a sequence.
    """
    return _vector(spec, n, writable=False)


def recv_vector(spec: Any, n: int) -> list[Block]:
    """Return a writable block for each of `n` ranks, as `send_vector` does."""
    return _vector(spec, n, writable=True)


def send_vector_w(spec: Any, n: int) -> list[Block]:
    """Return a block for each of `n` ranks, each of its own datatype.

    The forms are ``[buffer, types]`` (one element each, all at the start),
    ``[buffer, (counts, displacements), types]`` and
    ``[buffer, counts, displacements, types]``, with displacements in bytes.
    """
    return _vector_w(spec, n, writable=False)


def recv_vector_w(spec: Any, n: int) -> list[Block]:
    """Return a writable block for each of `n` ranks, as `send_vector_w` does."""
    return _vector_w(spec, n, writable=True)


def _block(spec: Any, blocks: int, *, writable: bool) -> Block:
    """Return the elements of one spec, those of `blocks` equal blocks together."""
    if not isinstance(spec, (list, tuple)):
        plain, known = read_plain(spec, writable=writable)
        return Block(plain, 0, whole_count(plain.nbytes, known, blocks), known)
    buffer, count, displacement, datatype = parse(spec, (tuple, list))
    memory, layout = read_memory(buffer, datatype, writable=writable)
    offset = 0
    if displacement is not None:
        offset = offset_of(operator.index(displacement), memory.nbytes, layout)
    if count is None:
        number = whole_count(memory.nbytes - offset, layout, blocks)
    else:
        number = read_count(count, buffer) * blocks
    return checked_block(memory, offset, number, layout)


def check_alike(sent: Block, received: Block) -> None:
    """Refuse, with ValueError, blocks of a reduction that differ in type or count."""
    if sent.layout is not received.layout:
        msg = "both buffers of a reduction need the same datatype: give it to both"
        raise ValueError(msg)
    if sent.count != received.count:
        msg = (
            f"both buffers of a reduction need the same count, but {sent.count} "
            f"elements are sent and {received.count} received"
        )
        raise ValueError(msg)


def _vector(spec: Any, n: int, *, writable: bool) -> list[Block]:
    buffer, counts, displacements, datatype = spec, None, None, None
    if isinstance(spec, (list, tuple)):
        buffer, counts, displacements, datatype = parse(spec, tuple)
    memory, layout = read_memory(buffer, datatype, writable=writable)
    if counts is None:
        each, rest = divmod(whole_count(memory.nbytes, layout, 1), max(n, 1))
        numbers = [each + (rank < rest) for rank in range(n)]
    else:
        numbers = integers(counts, n, distance=0)
    if displacements is None:
        places = list(itertools.accumulate(numbers, initial=0))[:n]
    else:
        places = integers(displacements, n, distance=1)
    extent = 0 if layout is None else layout.extent
    return [
        checked_block(memory, place * extent, number, layout)
        for number, place in zip(numbers, places, strict=True)
    ]


def _vector_w(spec: Any, n: int, *, writable: bool) -> list[Block]:
    counts, displacements = None, None
    if len(spec) == 2:
        buffer, types = spec
    elif len(spec) == 3:
        buffer, (counts, displacements), types = spec
    elif len(spec) == 4:
        buffer, counts, displacements, types = spec
    else:
        msg = f"a buffer in a list has 2 to 4 items, not {len(spec)}"
        raise ValueError(msg)
    is_absolute = is_bottom(buffer)
    if is_absolute and (counts is None or displacements is None):
        msg = "memory from BOTTOM needs counts and displacements: give them"
        raise ValueError(msg)
    memory = ABSOLUTE if is_absolute else view_bytes(buffer, writable=writable)
    if counts is None and displacements is None:
        counts, displacements = [1] * n, [0] * n
    rows = zip(
        sequence(counts, n),
        sequence(displacements, n),
        layouts_of(types, n),
        strict=True,
    )
    return [
        checked_block(memory, place, number, layout) for number, place, layout in rows
    ]


def _split(whole: Block, n: int) -> list[Block]:
    """Return `n` equal blocks that follow each other."""
    if not n:
        return []
    memory, layout, count = whole.memory, whole.layout, whole.count // n
    step = count * layout.extent
    return [Block(memory, whole.offset + k * step, count, layout) for k in range(n)]
