"""MPI's own memory: `buffer`, and the functions on memory and addresses.

>>> memory = Alloc_mem(4)
>>> memory[:] = b"abcd"
>>> memory[1:3].tobytes()
b'bc'
"""

import operator
from typing import Any, NoReturn, Self

import numpy as np

from serverless_dist.comm.data.addresses import (
    BOTTOM,
    BUFFER_AUTOMATIC,
    IN_PLACE,
    NOTHING,
    Address,
    BottomType,
    BufferAutomaticType,
    InPlaceType,
)
from serverless_dist.comm.data.views import address_of, view_address, view_bytes

__all__ = [
    "BOTTOM",
    "BUFFER_AUTOMATIC",
    "IN_PLACE",
    "Aint_add",
    "Aint_diff",
    "Alloc_mem",
    "BottomType",
    "BufferAutomaticType",
    "Free_mem",
    "Get_address",
    "InPlaceType",
    "buffer",
    "memory",
]


# Of the ways to have a class whose instances are buffers, before Python 3.12 only
# a subclass of a buffer class works; numpy's is the one that can be any memory.
class buffer(np.ndarray[tuple[int], np.dtype[np.uint8]]):
    """A piece of memory as bytes; it is a buffer itself.

    ``buffer(obj)`` is the memory of `obj`, read-only if that is; ``buffer()`` has no
    bytes. It is compared and hashed by identity, and does no arithmetic.
    """

    _obj: Any = None
    _is_null = False
    __array_ufunc__ = None  # type: ignore[assignment]
    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__
    __ne__ = object.__ne__

    def __new__(cls, *buf: Any) -> Self:
        """Return the memory of `buf`, or that of nothing."""
        if buf:
            return cls._over(view_bytes(*buf), *buf)
        nothing = cls._over(NOTHING, None)
        nothing.release()
        return nothing

    @classmethod
    def _over(cls, view: memoryview, obj: Any) -> Self:
        memory = np.asarray(view).view(cls)
        memory._obj = obj
        return memory

    @staticmethod
    def allocate(nbytes: int, clear: bool = False) -> "buffer":
        """Return new memory of `nbytes` bytes, all zero if `clear`."""
        nbytes = operator.index(nbytes)
        if nbytes < 0:
            msg = f"memory of {nbytes} bytes cannot be allocated: give a size from 0"
            raise ValueError(msg)
        memory = (np.zeros if clear else np.empty)(nbytes, np.uint8)
        return buffer._over(memory.data, memory)

    @staticmethod
    def frombuffer(obj: Any, readonly: bool = False) -> "buffer":
        """Return the memory of `obj`, which has to be writable unless `readonly`."""
        view = view_bytes(obj, writable=not readonly)
        return buffer._over(view.toreadonly() if readonly else view, obj)

    @staticmethod
    def fromaddress(
        address: int,
        nbytes: int,
        readonly: bool = False,
    ) -> "buffer":
        """Return the memory at an address, which has to stay valid.

        Parameters
        ----------
        address
            Where it begins.
        nbytes
            How many bytes it has.
        readonly
            Whether to refuse to change it.
        """
        if nbytes < 0:
            msg = f"memory cannot have {nbytes} bytes: give a size from 0"
            raise ValueError(msg)
        if nbytes and not address:
            msg = f"there are no {nbytes} bytes at address 0: give a valid address"
            raise ValueError(msg)
        view = view_address(address, nbytes)
        return buffer._over(view.toreadonly() if readonly else view, None)

    @property
    def address(self) -> int:
        """Where the memory begins; 0 if there is none."""
        return 0 if self._is_null else address_of(self.data)

    @property
    def obj(self) -> Any:
        """The object whose memory this is; None if it is nobody's."""
        return self._obj

    @property
    def readonly(self) -> bool:
        """Whether the memory must not be changed."""
        return not self.flags.writeable

    @property
    def format(self) -> str:
        """The format of an item, always a byte's."""
        return "B"

    def cast(self, format: str, shape: Any = ...) -> memoryview:  # noqa: A002
        """Return the memory as items of `format`, in an array of `shape`."""
        view: Any = self.data
        items: memoryview = view.cast(format, *([] if shape is ... else [shape]))
        return items

    def tobytes(self, order: str | None = None) -> bytes:
        """Return a copy of the bytes; `order` makes no difference."""
        return super().tobytes()

    def toreadonly(self) -> "buffer":
        """Return the same memory, not to be changed."""
        return buffer._over(self.data.toreadonly(), self._obj)

    def release(self) -> None:
        """Let go of the memory: this becomes ``buffer()``."""
        # What unpickling does to an array: it gets other memory in place of its own.
        state: Any = (1, (0,), np.dtype(np.uint8), False, b"")
        self.__setstate__(state)
        self._obj, self._is_null = None, True

    def __getitem__(self, item: Any) -> Any:
        if not isinstance(item, slice):
            return int(super().__getitem__(_index(item)))
        piece: Any = super().__getitem__(_unstrided(item))
        piece._obj = self
        return piece

    def __setitem__(self, item: Any, value: Any) -> None:
        if self.readonly:
            msg = "this memory is read-only: write to memory that is writable"
            raise TypeError(msg)
        if not isinstance(item, slice):
            super().__setitem__(_index(item), value)
            return
        piece = super().__getitem__(_unstrided(item))
        if hasattr(value, "__index__") and not hasattr(value, "__len__"):
            np.asarray(piece)[...] = value
            return
        data = view_bytes(value)
        if data.nbytes != len(piece):
            msg = f"{data.nbytes} bytes do not fit in {len(piece)}: give as many"
            raise ValueError(msg)
        piece.data[:] = data

    def __delitem__(self, item: Any) -> NoReturn:
        msg = "bytes cannot be deleted from memory: take a slice of it"
        raise NotImplementedError(msg)


def _index(item: Any) -> int:
    if not hasattr(item, "__index__"):
        msg = f"memory is indexed by an int or a slice, not by {item!r}"
        raise TypeError(msg)
    return operator.index(item)


def _unstrided(item: slice) -> slice:
    if item.step not in (None, 1):
        msg = f"a slice of memory has no step, not {item.step}: take it whole"
        raise IndexError(msg)
    return item


memory = buffer


def Alloc_mem(size: int, info: object = None) -> buffer:
    """Return new memory of `size` bytes; `info` makes no difference."""
    return buffer.allocate(size)


def Free_mem(mem: buffer) -> None:
    """Let go of memory that `Alloc_mem` has given."""
    mem.release()


def Get_address(location: Any) -> int:
    """Return the address of a buffer; 0 for `BOTTOM` and None."""
    if location is None:
        return 0
    if isinstance(location, Address):
        return int(location)
    return address_of(view_bytes(location))


def Aint_add(base: int, disp: int) -> int:
    """Return the address `disp` bytes after the address `base`."""
    return operator.index(base) + operator.index(disp)


def Aint_diff(addr1: int, addr2: int) -> int:
    """Return how many bytes `addr1` lies after `addr2`."""
    return operator.index(addr1) - operator.index(addr2)
