"""Where the bytes of a datatype lie: the geometry behind `Datatype`.

A `Layout` is a typemap: runs of bytes at offsets from an address, in the order in which
they are packed, and the bounds that say how far apart successive elements lie. All that
makes a new layout from old ones is a function here, and pure.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Runs = np.ndarray[tuple[int, int], np.dtype[np.int64]]
"""Rows (offset, length), in bytes and in packing order."""

Indices = np.ndarray[Any, np.dtype[np.int64]]


class Layout:
    """A typemap, and how it was made.

    Parameters
    ----------
    runs
        Where its bytes lie.
    bounds
        Lower and upper bound, in bytes.
    dtype
        The one basic type, or pair, that all of it consists of; None if it is mixed.
        Where it is a pair, it is one without padding.
    alignment
        The strictest alignment of its basic types, in bytes.
    is_resized
        Whether its bounds were given; then they are not padded.
    """

    __slots__ = (
        "__weakref__",
        "alignment",
        "attributes",
        "code",
        "constant",
        "dtype",
        "extent",
        "is_dense",
        "is_resized",
        "lb",
        "name",
        "recipe",
        "runs",
        "size",
        "ub",
        "units",
    )

    def __init__(
        self,
        runs: Runs,
        bounds: tuple[int, int],
        dtype: "np.dtype[Any] | None",
        alignment: int,
        *,
        is_resized: bool = False,
    ) -> None:
        self.runs = runs
        self.lb, self.ub = bounds
        self.extent = self.ub - self.lb
        self.size = int(runs[:, 1].sum())
        self.dtype = dtype
        self.alignment = alignment
        self.is_resized = is_resized
        # Whether any number of elements is one run from the very address.
        self.is_dense = len(runs) == 1 and runs[0, 0] == 0 and self.extent == self.size
        self.name = ""
        self.constant = ""
        self.code: tuple[str, str, str] | None = None
        self.recipe: Recipe | None = None
        self.attributes: dict[int, Any] = {}
        self.units: tuple[int, Indices] | None = None  # kept by the packing

    def __repr__(self) -> str:
        return f"<Layout {self.name or 'derived'}: {self.size} of {self.extent} bytes>"

    @property
    def true_bounds(self) -> tuple[int, int]:
        """Where its first byte lies, and where its last one ends."""
        if not len(self.runs):
            return 0, 0
        offsets = self.runs[:, 0]
        return int(offsets.min()), int((offsets + self.runs[:, 1]).max())

    def span(self, count: int) -> tuple[int, int]:
        """Return where the first byte of `count` elements lies, and the last ends."""
        if self.is_dense or not count:
            return 0, count * self.size
        low, high = self.true_bounds
        last = (count - 1) * self.extent
        return min(low, low + last), max(high, high + last)


class Recipe:
    """How a layout was made: the method, its parameters, and of which layouts.

    Parameters
    ----------
    combiner
        The method of `Datatype` is called ``Create_`` and this.
    params
        What that method was called with, without the datatypes.
    parts
        The layouts that it was made of.
    """

    __slots__ = ("combiner", "params", "parts")

    def __init__(
        self, combiner: str, params: dict[str, Any], parts: Sequence[Layout]
    ) -> None:
        self.combiner = combiner
        self.params = params
        self.parts = tuple(parts)


def basic(dtype: "np.dtype[Any]", alignment: int) -> Layout:
    """Return the layout of one item of a numpy dtype without fields."""
    size = dtype.itemsize
    return Layout(_as_runs([(0, size)]), (0, size), dtype, alignment)


def pair(value: Layout, index: Layout) -> Layout:
    """Return the layout of C's ``struct { value; index; }``."""
    assert value.dtype is not None
    assert index.dtype is not None
    both = struct([1, 1], [0, _pad(value.size, index.alignment)], [value, index])
    both.dtype = np.dtype([("value", value.dtype), ("index", index.dtype)])
    return both


def copy(base: Layout, bounds: tuple[int, int] | None = None) -> Layout:
    """Return the layout of `base`; with other bounds, if given."""
    return Layout(
        base.runs,
        bounds or (base.lb, base.ub),
        base.dtype,
        base.alignment,
        is_resized=base.is_resized or bounds is not None,
    )


def blocks(
    base: Layout, lengths: Sequence[int] | Indices, offsets: Sequence[int] | Indices
) -> Layout:
    """Return blocks of successive elements.

    Parameters
    ----------
    base
        The layout of an element.
    lengths
        How many elements each block has.
    offsets
        Where each block begins, in bytes.
    """
    counts = np.asarray(lengths, np.int64)
    starts = np.asarray(offsets, np.int64)
    has_any = counts > 0
    counts, starts = counts[has_any], starts[has_any]
    return Layout(
        _place(base, counts, starts),
        _bounds(base, counts, starts),
        base.dtype,
        base.alignment,
        is_resized=base.is_resized,
    )


def struct(
    lengths: Sequence[int], offsets: Sequence[int], bases: Sequence[Layout]
) -> Layout:
    """Return blocks of elements of several layouts, padded as C pads a struct.

    Parameters
    ----------
    lengths
        How many elements each block has.
    offsets
        Where each block begins, in bytes.
    bases
        The layout of the elements of each block.
    """
    members = [
        blocks(base, [length], [offset])
        for length, offset, base in zip(lengths, offsets, bases, strict=True)
        if length
    ]
    if not members:
        return Layout(_as_runs([]), (0, 0), None, 1)
    low = min(member.lb for member in members)
    high = max(member.ub for member in members)
    alignment = max(member.alignment for member in members)
    is_resized = any(member.is_resized for member in members)
    if not is_resized:
        high = low + _pad(high - low, alignment)
    dtypes = {member.dtype for member in members}
    return Layout(
        _joined(np.concatenate([member.runs for member in members])),
        (low, high),
        dtypes.pop() if len(dtypes) == 1 else None,
        alignment,
        is_resized=is_resized,
    )


def grid(
    base: Layout, sizes: Sequence[int], chosen: Sequence[Indices], *, is_c: bool
) -> Layout:
    """Return some elements of an array, with the bounds of the whole of it.

    Parameters
    ----------
    base
        The layout of an element.
    sizes
        The shape of the array.
    chosen
        For each dimension, the indices that are taken.
    is_c
        Whether the last index varies fastest, as in C, or the first, as in Fortran.
    """
    dimensions = list(zip(sizes, chosen, strict=True))
    offsets = np.zeros(1, np.int64)
    stride = base.extent
    for size, indices in reversed(dimensions) if is_c else dimensions:
        offsets = ((indices * stride)[:, None] + offsets).ravel()
        stride *= size
    ones = np.ones(len(offsets), np.int64)
    result = blocks(base, ones, offsets)
    whole = math.prod(sizes) * base.extent
    return copy(result, (base.lb, base.lb + whole))


def _place(base: Layout, counts: Indices, starts: Indices) -> Runs:
    """Return the runs of blocks of elements."""
    if base.is_dense:
        return _joined(np.stack([starts, counts * base.size], axis=1))
    # The start of each element: where its block starts, and its place in that.
    firsts = np.repeat(np.cumsum(counts) - counts, counts)
    places = np.arange(int(counts.sum()), dtype=np.int64) - firsts
    elements = np.repeat(starts, counts) + places * base.extent
    offsets = (elements[:, None] + base.runs[:, 0]).ravel()
    lengths = np.tile(base.runs[:, 1], len(elements))
    return _joined(np.stack([offsets, lengths], axis=1))


def _bounds(base: Layout, counts: Indices, starts: Indices) -> tuple[int, int]:
    if not len(starts):
        return 0, 0
    lasts = starts + (counts - 1) * base.extent
    low = base.lb + min(int(starts.min()), int(lasts.min()))
    high = base.ub + max(int(starts.max()), int(lasts.max()))
    return low, high


def _joined(runs: Runs) -> Runs:
    """Return `runs` with those made one that follow each other in memory."""
    runs = runs[runs[:, 1] > 0]
    if len(runs) < 2:
        return runs
    ends = runs[:, 0] + runs[:, 1]
    is_first = np.concatenate([[True], runs[1:, 0] != ends[:-1]])
    firsts = np.flatnonzero(is_first)
    lengths = np.add.reduceat(runs[:, 1], firsts)
    return np.stack([runs[firsts, 0], lengths], axis=1)


def _as_runs(rows: Sequence[tuple[int, int]]) -> Runs:
    return np.array(rows, np.int64).reshape(-1, 2)


def _pad(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment
