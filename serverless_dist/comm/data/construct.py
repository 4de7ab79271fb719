"""The constructors of `Datatype`: what MPI calls derived datatypes."""

import math
import operator
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from serverless_dist.comm.data.fortran import f90_float, f90_integer, match_size
from serverless_dist.comm.data.typeconstants import (
    DISTRIBUTE_BLOCK,
    DISTRIBUTE_CYCLIC,
    DISTRIBUTE_DFLT_DARG,
    DISTRIBUTE_NONE,
    ORDER_C,
    ORDER_F,
)
from serverless_dist.comm.data.typemap import (
    Indices,
    Layout,
    Recipe,
    blocks,
    copy,
    grid,
    struct,
)
from serverless_dist.comm.exceptions import ERR_ARG, MPIError


class Constructors:
    """The methods of a `Datatype` that make datatypes of it.

    Counts and displacements are in elements of the datatype; in the forms with an h,
    as in ``hvector``, distances are in bytes.
    """

    __slots__ = ()

    @property
    def _layout(self) -> Layout:
        raise NotImplementedError

    @classmethod
    def _of(cls, layout: Layout) -> Self:
        raise NotImplementedError

    def _derive(self, layout: Layout, combiner: str, **params: Any) -> Self:
        layout.recipe = Recipe(combiner, params, [self._layout])
        return self._of(layout)

    def Create_contiguous(self, count: int) -> Self:
        """Return `count` elements one after the other."""
        layout = blocks(self._layout, [_count(count)], [0])
        return self._derive(layout, "CONTIGUOUS", count=count)

    def Create_vector(self, count: int, blocklength: int, stride: int) -> Self:
        """Return `count` blocks of elements, `stride` elements apart."""
        return self._vector("VECTOR", count, blocklength, stride)

    def Create_hvector(self, count: int, blocklength: int, stride: int) -> Self:
        """Return `count` blocks of elements, `stride` bytes apart."""
        return self._vector("HVECTOR", count, blocklength, stride)

    def _vector(self, combiner: str, count: int, blocklength: int, stride: int) -> Self:
        unit = self._layout.extent if combiner == "VECTOR" else 1
        offsets = np.arange(_count(count), dtype=np.int64) * (stride * unit)
        lengths = np.full(count, _count(blocklength), np.int64)
        return self._derive(
            blocks(self._layout, lengths, offsets),
            combiner,
            count=count,
            blocklength=blocklength,
            stride=stride,
        )

    def Create_indexed(
        self, blocklengths: Sequence[int], displacements: Sequence[int]
    ) -> Self:
        """Return blocks of elements, each at its displacement in elements."""
        return self._indexed("INDEXED", blocklengths, displacements)

    def Create_hindexed(
        self, blocklengths: Sequence[int], displacements: Sequence[int]
    ) -> Self:
        """Return blocks of elements, each at its displacement in bytes."""
        return self._indexed("HINDEXED", blocklengths, displacements)

    def _indexed(
        self, combiner: str, lengths: Sequence[int], displacements: Sequence[int]
    ) -> Self:
        counts, places = _counts(lengths), _integers(displacements, len(lengths))
        unit = self._layout.extent if combiner == "INDEXED" else 1
        layout = blocks(self._layout, counts, [place * unit for place in places])
        return self._derive(layout, combiner, blocklengths=counts, displacements=places)

    def Create_indexed_block(
        self, blocklength: int, displacements: Sequence[int]
    ) -> Self:
        """Return blocks of one length, each at its displacement in elements."""
        return self._indexed_block("INDEXED_BLOCK", blocklength, displacements)

    def Create_hindexed_block(
        self, blocklength: int, displacements: Sequence[int]
    ) -> Self:
        """Return blocks of one length, each at its displacement in bytes."""
        return self._indexed_block("HINDEXED_BLOCK", blocklength, displacements)

    def _indexed_block(
        self, combiner: str, blocklength: int, displacements: Sequence[int]
    ) -> Self:
        places = _integers(displacements, len(displacements))
        unit = self._layout.extent if combiner == "INDEXED_BLOCK" else 1
        lengths = [_count(blocklength)] * len(places)
        layout = blocks(self._layout, lengths, [place * unit for place in places])
        return self._derive(
            layout, combiner, blocklength=blocklength, displacements=places
        )

    @classmethod
    def Create_struct(
        cls,
        blocklengths: Sequence[int],
        displacements: Sequence[int],
        datatypes: Sequence["Constructors"],
    ) -> Self:
        """Return blocks of elements of several datatypes.

        Parameters
        ----------
        blocklengths
            How many elements each block has.
        displacements
            Where each block begins, in bytes.
        datatypes
            The datatype of each block.
        """
        lengths = _counts(blocklengths)
        places = _integers(displacements, len(lengths))
        if len(datatypes) != len(lengths):
            msg = f"{len(lengths)} blocks need as many datatypes, not {len(datatypes)}"
            raise ValueError(msg)
        parts = [datatype._layout for datatype in datatypes]
        layout = struct(lengths, places, parts)
        params = {"blocklengths": lengths, "displacements": places}
        layout.recipe = Recipe("STRUCT", params, parts)
        return cls._of(layout)

    def Create_subarray(
        self,
        sizes: Sequence[int],
        subsizes: Sequence[int],
        starts: Sequence[int],
        order: int = ORDER_C,
    ) -> Self:
        """Return a part of an array, whose extent is the whole array's.

        Parameters
        ----------
        sizes
            The shape of the array.
        subsizes
            The shape of the part.
        starts
            The indices of the first element of the part.
        order
            ORDER_C or ORDER_FORTRAN.
        """
        shape = _counts(sizes)
        part, first = _integers(subsizes, len(shape)), _integers(starts, len(shape))
        for size, taken, start in zip(shape, part, first, strict=True):
            if not 0 <= start <= start + taken <= size:
                msg = f"{taken} indices from {start} are not all among {size}"
                raise MPIError(ERR_ARG, msg)
        chosen: list[Indices] = [
            np.arange(start, start + taken)
            for start, taken in zip(first, part, strict=True)
        ]
        return self._derive(
            grid(self._layout, shape, chosen, is_c=_is_c(order)),
            "SUBARRAY",
            sizes=shape,
            subsizes=part,
            starts=first,
            order=order,
        )

    def Create_darray(
        self,
        size: int,
        rank: int,
        gsizes: Sequence[int],
        distribs: Sequence[int],
        dargs: Sequence[int],
        psizes: Sequence[int],
        order: int = ORDER_C,
    ) -> Self:
        """Return the part of an array that a rank of a grid of ranks has.

        Parameters
        ----------
        size
            How many ranks there are.
        rank
            Whose part it is.
        gsizes
            The shape of the array.
        distribs
            How each dimension is shared: DISTRIBUTE_BLOCK, CYCLIC or NONE.
        dargs
            The length of a block in each dimension, or DISTRIBUTE_DFLT_DARG.
        psizes
            The shape of the grid of ranks.
        order
            ORDER_C or ORDER_FORTRAN; the ranks are always in C's order.
        """
        shape = _counts(gsizes)
        n = len(shape)
        kinds, lengths = _integers(distribs, n), _integers(dargs, n)
        parts = _integers(psizes, n)
        if math.prod(parts) != size or not 0 <= rank < size:
            msg = f"a grid of shape {parts} has no rank {rank} of {size}"
            raise MPIError(ERR_ARG, msg)
        places = np.unravel_index(rank, parts)
        chosen = [
            _share(shape[d], kinds[d], lengths[d], (int(places[d]), parts[d]))
            for d in range(n)
        ]
        return self._derive(
            grid(self._layout, shape, chosen, is_c=_is_c(order)),
            "DARRAY",
            size=size,
            rank=rank,
            gsizes=shape,
            distribs=kinds,
            dargs=lengths,
            psizes=parts,
            order=order,
        )

    def Create_resized(self, lb: int, extent: int) -> Self:
        """Return the same elements, but `extent` bytes apart from `lb`."""
        layout = copy(self._layout, (lb, lb + extent))
        return self._derive(layout, "RESIZED", lb=lb, extent=extent)

    Resized = Create_resized

    @classmethod
    def Create_f90_integer(cls, r: int) -> Self:
        """Return the smallest integer that has `r` decimal digits."""
        return cls._of(f90_integer(r))

    @classmethod
    def Create_f90_real(cls, p: int, r: int) -> Self:
        """Return the smallest real of `p` decimal digits and exponents up to `r`."""
        return cls._of(f90_float("REAL", p, r))

    @classmethod
    def Create_f90_complex(cls, p: int, r: int) -> Self:
        """Return the complex number of two reals, as of `Create_f90_real`."""
        return cls._of(f90_float("COMPLEX", p, r))

    @classmethod
    def Match_size(cls, typeclass: int, size: int) -> Self:
        """Return the datatype of a class (TYPECLASS_REAL ...) that has `size` bytes."""
        return cls._of(match_size(typeclass, size))


def _share(size: int, kind: int, length: int, place: tuple[int, int]) -> Indices:
    """Return which indices of a dimension one part has.

    Parameters
    ----------
    size
        How many indices there are.
    kind
        DISTRIBUTE_BLOCK, CYCLIC or NONE.
    length
        That of a block, or DISTRIBUTE_DFLT_DARG.
    place
        Which part it is, and of how many.
    """
    which, parts = place
    indices = np.arange(size, dtype=np.int64)
    if kind == DISTRIBUTE_NONE and parts == 1:
        return indices
    if kind not in (DISTRIBUTE_BLOCK, DISTRIBUTE_CYCLIC):
        msg = f"a dimension cannot be shared by {parts} in the way {kind}"
        raise MPIError(ERR_ARG, msg)
    if length == DISTRIBUTE_DFLT_DARG:
        length = -(-size // parts) if kind == DISTRIBUTE_BLOCK else 1
    if length < 1 or (kind == DISTRIBUTE_BLOCK and length * parts < size):
        msg = f"{parts} blocks of {length} do not hold {size} elements"
        raise MPIError(ERR_ARG, msg)
    own: Indices = indices[indices // length % parts == which]
    return own


def _is_c(order: int) -> bool:
    if order not in (ORDER_C, ORDER_F):
        msg = f"an order is ORDER_C or ORDER_FORTRAN, not {order}"
        raise MPIError(ERR_ARG, msg)
    return order == ORDER_C


def _count(value: int) -> int:
    number = operator.index(value)
    if number < 0:
        msg = f"a count of a datatype is from 0, not {number}"
        raise MPIError(ERR_ARG, msg)
    return number


def _counts(values: Sequence[int]) -> list[int]:
    return [_count(values[k]) for k in range(len(values))]


def _integers(values: Sequence[int], n: int) -> list[int]:
    if len(values) != n:
        msg = f"{n} blocks need as many displacements, not {len(values)}"
        raise ValueError(msg)
    return [operator.index(values[k]) for k in range(n)]
