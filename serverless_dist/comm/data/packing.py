"""Packing: from where a layout's bytes lie in memory to one after the other, and back.

Memory is given as its bytes and the offset in it from which a layout counts. Elements
that lie one after the other without gaps are never copied by `pack`.
"""

import math
from typing import Any

import numpy as np

from serverless_dist.comm.data.typemap import Indices, Layout


def pack(layout: Layout, memory: memoryview, offset: int, count: int) -> memoryview:
    """Return the bytes of `count` elements; a view of `memory` where they are one run.

    Parameters
    ----------
    layout
        How the bytes of an element lie.
    memory
        The bytes that hold the elements.
    offset
        The address of the first element, in bytes from the start of `memory`.
    count
        How many elements there are.
    """
    run = _single_run(layout, offset, count)
    if run is not None:
        return memory[run]
    items, index = _locate(layout, memory, offset, count)
    packed = np.ascontiguousarray(items[index])
    return packed.data.cast("B")


def unpack(layout: Layout, memory: memoryview, offset: int, data: memoryview) -> None:
    """Write packed bytes to where a layout has them; a part of an element, if so.

    Parameters
    ----------
    layout
        How the bytes of an element lie.
    memory
        The writable bytes that hold the elements.
    offset
        The address of the first element, in bytes from the start of `memory`.
    data
        The bytes.
    """
    if not data.nbytes:
        return
    count, rest = divmod(data.nbytes, layout.size)
    run = _single_run(layout, offset, count)
    if run is not None:
        memory[run] = data[: data.nbytes - rest]
    elif count:
        items, index = _locate(layout, memory, offset, count)
        packed = np.frombuffer(data[: data.nbytes - rest], items.dtype)
        items[index] = packed.reshape(items[index].shape)
    if rest:
        _unpack_part(layout, memory, offset + count * layout.extent, data[-rest:])


def _unpack_part(
    layout: Layout, memory: memoryview, offset: int, data: memoryview
) -> None:
    """Write the first bytes of one element."""
    done = 0
    for start, length in layout.runs.tolist():
        part = data[done : done + length]
        memory[offset + start : offset + start + part.nbytes] = part
        done += part.nbytes
        if done == data.nbytes:
            return


def _single_run(layout: Layout, offset: int, count: int) -> slice | None:
    """Return where in memory the elements lie, if they are one run of bytes."""
    if layout.is_dense:
        return slice(offset, offset + count * layout.size)
    if not count or not layout.size:
        return slice(0, 0)
    if len(layout.runs) > 1 or (count > 1 and layout.extent != layout.size):
        return None
    start = offset + int(layout.runs[0, 0])
    return slice(start, start + count * layout.size)


def _locate(
    layout: Layout, memory: memoryview, offset: int, count: int
) -> tuple[np.ndarray[Any, Any], Any]:
    """Return a view of memory, and the index with which it is all the bytes.

    Parameters
    ----------
    layout
        How the bytes of an element lie.
    memory
        The bytes that hold the elements.
    offset
        The address of the first element, in bytes from the start of `memory`.
    count
        How many elements there are, at least one.
    """
    regular = _regular(layout)
    if regular is not None:
        number, step, length = regular
        unit = _unit(length)
        shape = (count, number, length // unit)
        start = offset + int(layout.runs[0, 0])
        strides = (layout.extent, step, unit)
        view: np.ndarray[Any, Any] = np.ndarray(
            shape, f"u{unit}", memory, start, strides
        )
        return view, ...
    if layout.units is None:
        layout.units = _units(layout)
    unit, within = layout.units
    low, high = layout.span(count)
    items = np.frombuffer(memory, f"u{unit}", (high - low) // unit, offset + low)
    starts = layout.true_bounds[0] - low + np.arange(count) * layout.extent
    return items, (starts // unit)[:, None] + within


def _units(layout: Layout) -> tuple[int, Indices]:
    """Return the size of a unit, and the places of an element's from its first byte."""
    offsets, lengths = layout.runs[:, 0], layout.runs[:, 1]
    offsets = offsets - layout.true_bounds[0]
    unit = _unit(
        math.gcd(layout.extent, *map(int, map(np.gcd.reduce, (offsets, lengths))))
    )
    numbers = lengths // unit
    firsts = np.repeat(offsets // unit - np.cumsum(numbers) + numbers, numbers)
    return unit, firsts + np.arange(len(firsts))


def _regular(layout: Layout) -> tuple[int, int, int] | None:
    """Return number, distance and length of runs that are all alike, else None."""
    offsets, lengths = layout.runs[:, 0], layout.runs[:, 1]
    if layout.extent <= 0 or (lengths != lengths[0]).any():
        return None
    if len(offsets) == 1:
        return 1, 0, int(lengths[0])
    step = int(offsets[1] - offsets[0])
    if step <= 0 or (np.diff(offsets) != step).any():
        return None
    return len(offsets), step, int(lengths[0])


def _unit(length: int) -> int:
    """Return the largest size of an integer that divides `length`."""
    return math.gcd(length, 8) or 8
