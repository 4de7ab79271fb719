"""Parts of a buffer's spec: its memory, counts, displacements and datatypes."""

import operator
from collections.abc import Sequence
from typing import Any

from serverless_dist.comm.data.addresses import BottomType
from serverless_dist.comm.data.blocks import Block
from serverless_dist.comm.data.datatype import Datatype, layout_of, layout_of_items
from serverless_dist.comm.data.typemap import Layout
from serverless_dist.comm.data.typetable import LAYOUTS
from serverless_dist.comm.data.views import (
    flatten,
    view_address,
    view_bytes,
    view_items,
)
from serverless_dist.comm.exceptions import ERR_BUFFER, ERR_TYPE, MPIError

ABSOLUTE = memoryview(bytearray())
"""Stands for all memory, from address 0."""

_BYTE = LAYOUTS["BYTE"]


def parse(
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


def read_memory(
    buffer: Any, datatype: Any, *, writable: bool
) -> tuple[memoryview, Layout | None]:
    """Return the bytes of a buffer, and its layout; None is that of DATATYPE_NULL."""
    if is_bottom(buffer):
        return ABSOLUTE, layout_of(datatype)
    if datatype is None:
        return read_plain(buffer, writable=writable)
    return view_bytes(buffer, writable=writable), layout_of(datatype)


def read_plain(buffer: Any, *, writable: bool) -> tuple[memoryview, Layout]:
    """Return the bytes of a buffer, and the layout of what it says of itself."""
    view = view_items(buffer)
    return flatten(view, writable=writable), layout_of_items(view)


def is_bottom(buffer: Any) -> bool:
    """Return whether memory counts from address 0."""
    return buffer is None or type(buffer) is BottomType


def whole_count(nbytes: int, layout: Layout | None, blocks: int) -> int:
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


def offset_of(displacement: int, nbytes: int, layout: Layout | None) -> int:
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


def checked_block(
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
    if memory is ABSOLUTE:
        start = offset + low
        return Block(view_address(start, high - low), offset - start, count, layout)
    if offset + low < 0 or offset + high > memory.nbytes:
        msg = (
            f"{count} elements from byte {offset} lie in bytes {offset + low} to "
            f"{offset + high} of a buffer of {memory.nbytes}: give fewer"
        )
        raise MPIError(ERR_BUFFER, msg)
    return Block(memory, offset, count, layout)


def integers(value: Any, n: int, *, distance: int) -> list[int]:
    """Return `n` integers: those of a sequence, or one repeated, or its multiples."""
    if _is_integral(value):
        number = operator.index(value)
        return [number * k if distance else number for k in range(n)]
    return sequence(value, n)


def _is_integral(value: Any) -> bool:
    if not hasattr(value, "__index__"):
        return False
    try:
        len(value)
    except TypeError:
        return True
    return False


def sequence(values: Any, n: int) -> list[int]:
    """Return the integers of a sequence, which has to have `n`."""
    if len(values) != n:
        msg = f"{n} ranks need a list of {n} numbers, not of {len(values)}"
        raise ValueError(msg)
    return [operator.index(value) for value in values]


def layouts_of(types: Any, n: int) -> list[Layout | None]:
    """Return the layouts of a sequence of datatypes, which has to have `n`."""
    if len(types) != n:
        msg = f"{n} ranks need a list of {n} datatypes, not of {len(types)}"
        raise ValueError(msg)
    for datatype in types:
        if not isinstance(datatype, Datatype):
            msg = f"a Datatype is needed, not {datatype!r}"
            raise TypeError(msg)
    return [layout_of(datatype) for datatype in types]


def read_count(count: Any, buffer: Any) -> int:
    """Return a count that was given with a buffer."""
    number = operator.index(count)
    if number < 0:
        msg = f"a count is from 0, not {number}"
        raise ValueError(msg)
    if number and buffer is None:
        msg = f"the buffer is None, so its count is 0, not {number}"
        raise ValueError(msg)
    return number
