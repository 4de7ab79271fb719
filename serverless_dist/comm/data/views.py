"""Views of the memory of what users pass as a buffer."""

import ctypes
from typing import Any

import numpy as np

from serverless_dist.comm.data.addresses import NOTHING, Address
from serverless_dist.comm.data.dlpack import view_dlpack


def view_bytes(obj: Any, *, writable: bool = False) -> memoryview:
    """Return the bytes of a contiguous buffer as they lie in memory, without a copy.

    Raises TypeError if `obj` is no buffer, BufferError if it is not contiguous, lies
    on a device, or is read-only though it has to be `writable`.
    """
    return flatten(view_items(obj), writable=writable)


def view_items(obj: Any) -> memoryview:
    """Return `obj` as a buffer with its own format and shape."""
    try:
        return memoryview(obj)
    except (TypeError, ValueError):
        return _view_foreign(obj)


def flatten(view: memoryview, *, writable: bool) -> memoryview:
    """Return the bytes of a contiguous buffer, in the order of its memory."""
    if writable and view.readonly:
        msg = "the buffer is read-only: receive into one that is writable"
        raise BufferError(msg)
    if not view.contiguous:
        msg = "the buffer is not contiguous: pass a contiguous one, or a copy"
        raise BufferError(msg)
    if not view.nbytes:
        return NOTHING
    if not view.c_contiguous:  # Fortran's order: the transpose is C's
        view = np.asarray(view).T.data
    return view.cast("B")


def _view_foreign(obj: Any) -> memoryview:
    """Return what is not a buffer by Python's protocol, but is one by another."""
    if isinstance(obj, Address):
        return NOTHING
    if isinstance(obj, np.ndarray):  # of dates: they have no format
        return obj.view(f"V{obj.dtype.itemsize}").data
    if hasattr(obj, "__dlpack__"):
        return view_dlpack(obj)
    if hasattr(obj, "__cuda_array_interface__"):
        msg = f"{type(obj).__name__} lies on a device: copy it to the host's memory"
        raise BufferError(msg)
    msg = f"a buffer is needed, such as a numpy array, not {type(obj).__name__}"
    raise TypeError(msg)


def view_address(address: int, nbytes: int) -> memoryview:
    """Return `nbytes` bytes of this process at `address`, which has to be valid."""
    if not nbytes:
        return NOTHING
    return memoryview((ctypes.c_ubyte * nbytes).from_address(address)).cast("B")


def address_of(view: memoryview) -> int:
    """Return the address where the bytes of `view` begin."""
    return int(np.asarray(view).__array_interface__["data"][0])
