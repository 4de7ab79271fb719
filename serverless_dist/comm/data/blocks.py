"""A `Block`: some elements of a datatype in a user's memory."""

from typing import Any

import numpy as np

from serverless_dist.comm.data.datatype import Datatype
from serverless_dist.comm.data.packing import pack, unpack
from serverless_dist.comm.data.typemap import Layout
from serverless_dist.comm.data.views import flatten
from serverless_dist.comm.exceptions import ERR_TRUNCATE, ERR_TYPE, MPIError


class Block:
    """Some elements of a datatype in a user's memory.

    Parameters
    ----------
    memory
        The bytes of the user's buffer.
    offset
        Where in them the first element is; from there its datatype counts.
    count
        How many elements there are.
    layout
        The datatype of an element. It stays as it is when its handle is freed.
    """

    __slots__ = ("count", "layout", "memory", "offset")

    def __init__(
        self, memory: memoryview, offset: int, count: int, layout: Layout
    ) -> None:
        self.memory = memory
        self.offset = offset
        self.count = count
        self.layout = layout

    def __repr__(self) -> str:
        name = self.layout.name or "of a derived datatype"
        return f"<Block of {self.count} {name}>"

    @property
    def nbytes(self) -> int:
        """How many bytes the elements have when packed."""
        return self.count * self.layout.size

    @property
    def datatype(self) -> Datatype:
        """A handle of the datatype."""
        return Datatype.of_layout(self.layout)

    def read(self) -> memoryview:
        """Return the packed bytes; the user's own memory where they are one run."""
        return pack(self.layout, self.memory, self.offset, self.count)

    def write(self, data: Any) -> None:
        """Unpack `data`, which may be less than the block holds.

        Parameters
        ----------
        data
            A buffer of packed bytes; of several dimensions, if it is contiguous.

        Raises
        ------
        MPIError
            ERR_TRUNCATE if there are more bytes; nothing is written then.
        """
        view = data if type(data) is memoryview else memoryview(data)
        if view.nbytes > self.nbytes:
            msg = (
                f"a message of {view.nbytes} bytes does not fit in a buffer of "
                f"{self.nbytes}: receive it with a larger count"
            )
            raise MPIError(ERR_TRUNCATE, msg)
        if view.format != "B" or view.ndim != 1:
            view = flatten(view, writable=False)
        unpack(self.layout, self.memory, self.offset, view)

    def array(self) -> np.ndarray[Any, Any]:
        """Return the packed elements as numpy's; aliases memory that is one run.

        Of a derived datatype, the items are those of its basic type. Pairs (FLOAT_INT
        ...) are records of ``value`` and ``index`` without padding.

        Raises
        ------
        MPIError
            ERR_TYPE if the datatype mixes basic types.
        """
        if self.layout.dtype is None:
            msg = (
                "the datatype mixes basic types, which only an operator of Op.Create "
                "can combine: create one, or use a datatype of one basic type"
            )
            raise MPIError(ERR_TYPE, msg)
        return np.frombuffer(self.read(), self.layout.dtype)

    def items(self) -> np.ndarray[Any, Any]:
        """Return the packed elements as records of bytes, each one whole element."""
        size = self.layout.size
        if not size:
            return np.zeros(0, "V1")
        return np.frombuffer(self.read(), f"V{size}")
