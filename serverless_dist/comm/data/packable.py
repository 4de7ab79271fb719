"""Packing by hand: the methods ``Pack``, ``Unpack`` and so on of a `Datatype`."""

import sys
from typing import Any

import numpy as np

from serverless_dist.comm.data.packing import pack, unpack
from serverless_dist.comm.data.typemap import Layout
from serverless_dist.comm.data.views import view_bytes
from serverless_dist.comm.exceptions import (
    ERR_ARG,
    ERR_TRUNCATE,
    ERR_TYPE,
    ERR_UNSUPPORTED_DATAREP,
    MPIError,
)


class Packable:
    """The methods of a `Datatype` that pack elements into bytes and unpack them."""

    __slots__ = ()

    @property
    def _layout(self) -> Layout:
        raise NotImplementedError

    def Pack(self, inbuf: Any, outbuf: Any, position: int, comm: object) -> int:
        """Pack all elements of a buffer into bytes.

        Parameters
        ----------
        inbuf
            The elements.
        outbuf
            Where the bytes go.
        position
            From where in it.
        comm
            Makes no difference.

        Returns
        -------
        int
            The position after the bytes.
        """
        data = self._packed(view_bytes(inbuf))
        return _put(data, view_bytes(outbuf, writable=True), position)

    def Unpack(self, inbuf: Any, position: int, outbuf: Any, comm: object) -> int:
        """Unpack bytes to as many elements as a buffer holds.

        Parameters
        ----------
        inbuf
            The bytes.
        position
            From where in it.
        outbuf
            Where the elements go.
        comm
            Makes no difference.

        Returns
        -------
        int
            The position after the bytes.
        """
        memory = view_bytes(outbuf, writable=True)
        data = _take(
            view_bytes(inbuf), position, self._number(memory) * self._layout.size
        )
        unpack(self._layout, memory, 0, data)
        return position + data.nbytes

    def Pack_size(self, count: int, comm: object) -> int:
        """Return how many bytes `count` elements have when packed."""
        return count * self._layout.size

    def Pack_external(
        self, datarep: str, inbuf: Any, outbuf: Any, position: int
    ) -> int:
        """Pack all elements of a buffer into bytes for other machines.

        Parameters
        ----------
        datarep
            ``"external32"``: big-endian; but sizes are this machine's.
        inbuf
            The elements.
        outbuf
            Where the bytes go.
        position
            From where in it.

        Returns
        -------
        int
            The position after the bytes.
        """
        data = _swapped(datarep, self._layout, self._packed(view_bytes(inbuf)))
        return _put(data, view_bytes(outbuf, writable=True), position)

    def Unpack_external(
        self, datarep: str, inbuf: Any, position: int, outbuf: Any
    ) -> int:
        """Unpack what `Pack_external` has packed.

        Parameters
        ----------
        datarep
            ``"external32"``.
        inbuf
            The bytes.
        position
            From where in it.
        outbuf
            Where the elements go.

        Returns
        -------
        int
            The position after the bytes.
        """
        memory = view_bytes(outbuf, writable=True)
        data = _take(
            view_bytes(inbuf), position, self._number(memory) * self._layout.size
        )
        unpack(self._layout, memory, 0, _swapped(datarep, self._layout, data))
        return position + data.nbytes

    def Pack_external_size(self, datarep: str, count: int) -> int:
        """Return how many bytes `count` elements have in a representation."""
        _check_representation(datarep)
        return count * self._layout.size

    def _number(self, memory: memoryview) -> int:
        """Return how many elements lie in a buffer, the first at its start."""
        layout = self._layout
        low, high = layout.true_bounds
        if layout.extent <= 0 or low < 0:
            msg = f"elements of {layout.extent} bytes from {low} do not fill a buffer"
            raise MPIError(ERR_TYPE, msg)
        fitting = max((memory.nbytes - high) // layout.extent + 1, 0)
        return min(memory.nbytes // layout.extent, fitting)

    def _packed(self, memory: memoryview) -> memoryview:
        return pack(self._layout, memory, 0, self._number(memory))


def _put(data: memoryview, memory: memoryview, position: int) -> int:
    """Write `data` into `memory` from `position` on; return the end."""
    end = position + data.nbytes
    if not 0 <= position <= end <= memory.nbytes:
        msg = (
            f"{data.nbytes} bytes do not fit from {position} in a buffer of "
            f"{memory.nbytes}: pack into a larger one"
        )
        raise MPIError(ERR_TRUNCATE, msg)
    memory[position:end] = data
    return end


def _take(memory: memoryview, position: int, nbytes: int) -> memoryview:
    if not 0 <= position <= position + nbytes <= memory.nbytes:
        msg = (
            f"there are no {nbytes} bytes from {position} in a buffer of "
            f"{memory.nbytes}: unpack fewer elements"
        )
        raise MPIError(ERR_ARG, msg)
    return memory[position : position + nbytes]


def _swapped(datarep: str, layout: Layout, data: memoryview) -> memoryview:
    """Return packed bytes of native order in big-endian order, or the reverse."""
    _check_representation(datarep)
    if not data.nbytes or sys.byteorder == "big":
        return data
    native = np.frombuffer(data, _packed_dtype(layout))
    return native.byteswap().view(np.uint8).data


def _check_representation(datarep: str) -> None:
    if datarep != "external32":
        msg = f"the data representation is 'external32', not {datarep!r}"
        raise MPIError(ERR_UNSUPPORTED_DATAREP, msg)


def _packed_dtype(layout: Layout) -> "np.dtype[Any]":
    """Return the dtype of one packed element, or of an equal part of it."""
    if layout.dtype is not None or layout.recipe is None:
        return layout.dtype or np.dtype(np.uint8)
    if layout.recipe.combiner != "STRUCT":
        return _packed_dtype(layout.recipe.parts[0])
    lengths = layout.recipe.params["blocklengths"]
    fields = []
    for k, (part, length) in enumerate(zip(layout.recipe.parts, lengths, strict=True)):
        dtype = _packed_dtype(part)
        number = part.size // dtype.itemsize * length if dtype.itemsize else 0
        fields.append((f"f{k}", dtype, (number,)))
    return np.dtype(fields)
