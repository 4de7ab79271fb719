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
from collections.abc import Sequence
from typing import Any

from serverless_dist.comm.blocks import Block
from serverless_dist.comm.datatype import Datatype, layout_of, layout_of_items
from serverless_dist.comm.exceptions import ERR_BUFFER, ERR_TYPE, MPIError
from serverless_dist.comm.memory import (
    BottomType,
    flatten,
    view_address,
    view_bytes,
    view_items,
)
from serverless_dist.comm.typemap import Layout
from serverless_dist.comm.typetable import LAYOUTS

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

_ABSOLUTE = memoryview(bytearray())  # stands for all memory, from address 0
_BYTE = LAYOUTS["BYTE"]


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
        plain, known = _plain_memory(spec, writable=writable)
        return Block(plain, 0, _infer_count(plain.nbytes, known, blocks), known)
    buffer, count, displacement, datatype = _parse(spec, (tuple, list))
    memory, layout = _memory(buffer, datatype, writable=writable)
    offset = 0
    if displacement is not None:
        offset = _offset(operator.index(displacement), memory.nbytes, layout)
    if count is None:
        number = _infer_count(memory.nbytes - offset, layout, blocks)
    else:
        number = _count(count, buffer) * blocks
    return _checked(memory, offset, number, layout)


def _count(count: Any, buffer: Any) -> int:
    number = operator.index(count)
    if number < 0:
        msg = f"a count is from 0, not {number}"
        raise ValueError(msg)
    if number and buffer is None:
        msg = f"the buffer is None, so its count is 0, not {number}"
        raise ValueError(msg)
    return number


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
        buffer, counts, displacements, datatype = _parse(spec, tuple)
    memory, layout = _memory(buffer, datatype, writable=writable)
    if counts is None:
        each, rest = divmod(_infer_count(memory.nbytes, layout, 1), max(n, 1))
        numbers = [each + (rank < rest) for rank in range(n)]
    else:
        numbers = _integers(counts, n, distance=0)
    if displacements is None:
        places = list(itertools.accumulate(numbers, initial=0))[:n]
    else:
        places = _integers(displacements, n, distance=1)
    extent = 0 if layout is None else layout.extent
    return [
        _checked(memory, place * extent, number, layout)
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
    is_bottom = _is_bottom(buffer)
    if is_bottom and (counts is None or displacements is None):
        msg = "memory from BOTTOM needs counts and displacements: give them"
        raise ValueError(msg)
    memory = _ABSOLUTE if is_bottom else view_bytes(buffer, writable=writable)
    if counts is None and displacements is None:
        counts, displacements = [1] * n, [0] * n
    rows = zip(
        _sequence(counts, n), _sequence(displacements, n), _types(types, n), strict=True
    )
    return [_checked(memory, place, number, layout) for number, place, layout in rows]


def _parse(
    spec: Sequence[Any], pairs: type[Any] | tuple[type[Any], ...]
) -> tuple[Any, Any, Any, Any]:
    """Return buffer, count, displacement and type; the latter None if not given.

    Parameters
    ----------
    spec
        A list or tuple.
    pairs
        What (count, displacement) may be given as.
    """
    count: Any = None
    displacement, datatype = None, None
    if len(spec) == 2:
        buffer, count = spec
        if isinstance(count, (Datatype, str)):
            count, datatype = None, count
    elif len(spec) == 3:
        buffer, count, datatype = spec
    elif len(spec) == 4:
        buffer, count, displacement, datatype = spec
        return buffer, count, displacement, datatype
    else:
        msg = f"a buffer in a list has 2 to 4 items, not {len(spec)}"
        raise ValueError(msg)
    if isinstance(count, pairs):
        count, displacement = count
    return buffer, count, displacement, datatype


def _memory(
    buffer: Any, datatype: Any, *, writable: bool
) -> tuple[memoryview, Layout | None]:
    """Return the bytes of a buffer, and its layout; None is that of DATATYPE_NULL."""
    if _is_bottom(buffer):
        return _ABSOLUTE, layout_of(datatype)
    if datatype is None:
        return _plain_memory(buffer, writable=writable)
    return view_bytes(buffer, writable=writable), layout_of(datatype)


def _plain_memory(buffer: Any, *, writable: bool) -> tuple[memoryview, Layout]:
    """Return the bytes of a buffer, and the layout of what it says of itself."""
    view = view_items(buffer)
    return flatten(view, writable=writable), layout_of_items(view)


def _is_bottom(buffer: Any) -> bool:
    return buffer is None or type(buffer) is BottomType


def _infer_count(nbytes: int, layout: Layout | None, blocks: int) -> int:
    """Return how many elements there are in so many bytes, for `blocks` blocks."""
    if not nbytes:
        return 0
    extent = _extent(layout)
    number, rest = divmod(nbytes, extent)
    if rest:
        msg = (
            f"{nbytes} bytes are no whole number of elements of {extent} bytes: "
            "give the count"
        )
        raise ValueError(msg)
    if blocks > 1 and number % blocks:
        msg = f"{number} elements cannot be shared by {blocks} ranks: give the count"
        raise ValueError(msg)
    return number


def _offset(displacement: int, nbytes: int, layout: Layout | None) -> int:
    """Return the bytes before the element that a displacement names."""
    if not displacement:
        return 0
    extent = _extent(layout)
    if not 0 <= displacement * extent <= nbytes:
        msg = (
            f"a displacement in this buffer is from 0 to {nbytes // extent}, "
            f"not {displacement}"
        )
        raise ValueError(msg)
    return displacement * extent


def _extent(layout: Layout | None) -> int:
    """Return how far elements lie apart, which has to be forwards."""
    if layout is None:
        msg = "elements of DATATYPE_NULL have no size: give another datatype"
        raise ValueError(msg)
    if layout.extent <= 0:
        msg = f"elements {layout.extent} bytes apart cannot be counted: give a count"
        raise ValueError(msg)
    return layout.extent


def _checked(
    memory: memoryview, offset: int, count: int, layout: Layout | None
) -> Block:
    """Return a block, of which all elements lie in `memory`.

    Parameters
    ----------
    memory
        The bytes of the buffer.
    offset
        Where the first element is.
    count
        How many there are.
    layout
        That of an element; None is that of DATATYPE_NULL.
    """
    if layout is None:
        if count:
            msg = f"{count} elements of DATATYPE_NULL are nothing: give a datatype"
            raise MPIError(ERR_TYPE, msg)
        return Block(memory, 0, 0, _BYTE)
    if not count:
        return Block(memory, 0, 0, layout)
    low, high = layout.span(count)
    if memory is _ABSOLUTE:
        start = offset + low
        return Block(view_address(start, high - low), offset - start, count, layout)
    if offset + low < 0 or offset + high > memory.nbytes:
        msg = (
            f"{count} elements from byte {offset} lie in bytes {offset + low} to "
            f"{offset + high} of a buffer of {memory.nbytes}: give fewer"
        )
        raise MPIError(ERR_BUFFER, msg)
    return Block(memory, offset, count, layout)


def _split(whole: Block, n: int) -> list[Block]:
    """Return `n` equal blocks that follow each other."""
    if not n:
        return []
    memory, layout, count = whole.memory, whole.layout, whole.count // n
    step = count * layout.extent
    return [Block(memory, whole.offset + k * step, count, layout) for k in range(n)]


def _integers(value: Any, n: int, *, distance: int) -> list[int]:
    """Return `n` integers: those of a sequence, or one repeated, or its multiples."""
    if _is_integral(value):
        number = operator.index(value)
        return [number * k if distance else number for k in range(n)]
    return _sequence(value, n)


def _is_integral(value: Any) -> bool:
    if not hasattr(value, "__index__"):
        return False
    try:
        len(value)
    except TypeError:
        return True
    return False


def _sequence(values: Any, n: int) -> list[int]:
    if len(values) != n:
        msg = f"{n} ranks need a list of {n} numbers, not of {len(values)}"
        raise ValueError(msg)
    return [operator.index(value) for value in values]


def _types(types: Any, n: int) -> list[Layout | None]:
    if len(types) != n:
        msg = f"{n} ranks need a list of {n} datatypes, not of {len(types)}"
        raise ValueError(msg)
    for datatype in types:
        if not isinstance(datatype, Datatype):
            msg = f"a Datatype is needed, not {datatype!r}"
            raise TypeError(msg)
    return [layout_of(datatype) for datatype in types]
