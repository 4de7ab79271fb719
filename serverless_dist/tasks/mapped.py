"""Files as memory, as long as somebody uses it."""

import ctypes
import mmap
import os
from collections.abc import Callable
from ctypes import CFUNCTYPE, c_int, c_long, c_size_t, c_void_p

import numpy as np

_LIBC = ctypes.CDLL(None)
_MAP = CFUNCTYPE(
    c_void_p, c_void_p, c_size_t, c_int, c_int, c_int, c_long, use_errno=True
)(("mmap", _LIBC))
_UNMAP = CFUNCTYPE(c_int, c_void_p, c_size_t)(("munmap", _LIBC))
_FAILED = c_void_p(-1).value


def mapped(descriptor: int, size: int) -> memoryview:
    """Return a file's first bytes, read-only; the descriptor may be closed then.

    Python's own mappings keep a descriptor each, and a process has about a thousand.

    Raises
    ------
    OSError
        The kernel does not map it.
    """
    if not size:  # which the kernel does not map
        return memoryview(b"")
    return np.asarray(_Mapping(descriptor, size)).data


class _Mapping:
    """The owner of a mapping: what is made of it keeps it, and it ends with that."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._size = size
        self._address: int = _MAP(
            None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0
        )
        if self._address == _FAILED:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        self.__array_interface__ = {
            "version": 3,
            "typestr": "|u1",
            "shape": (size,),
            "data": (self._address, True),  # read-only
        }

    def __repr__(self) -> str:
        return f"<_Mapping of {self._size:,} bytes>"

    def __del__(self, unmap: Callable[[int, int], int] = _UNMAP) -> None:
        if self._address != _FAILED:
            unmap(self._address, self._size)
