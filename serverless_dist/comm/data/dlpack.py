"""Buffers that are known by DLPack only, such as PyTorch's tensors on the host.

A capsule is looked into and never consumed: its exporter keeps the ownership, and the
view of its memory keeps the capsule. The structures are those of dlpack.h, version 1.
"""

import ctypes
from typing import Any

import numpy as np

_CPU = 1
_READ_ONLY = 1
_KINDS = {0: "i", 1: "u", 2: "f", 5: "c", 6: "b"}


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device", ctypes.c_int32 * 2),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class _Versioned(ctypes.Structure):
    _fields_ = (
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    )


_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype = ctypes.c_void_p
_pointer.argtypes = (ctypes.py_object, ctypes.c_char_p)
_is_valid = ctypes.pythonapi.PyCapsule_IsValid
_is_valid.argtypes = (ctypes.py_object, ctypes.c_char_p)


def view_dlpack(obj: Any) -> memoryview:
    """Return the memory of a tensor; BufferError if it is not on the host."""
    device, _ = obj.__dlpack_device__()
    if not isinstance(device, int) or not isinstance(_, int):
        msg = f"{type(obj).__name__} names no device: its type and number are integers"
        raise TypeError(msg)
    if device != _CPU:
        msg = f"{type(obj).__name__} lies on a device: copy it to the host's memory"
        raise BufferError(msg)
    capsule = _capsule(obj)
    if _is_valid(capsule, b"dltensor_versioned"):
        pointer = _pointer(capsule, b"dltensor_versioned")
        versioned = _Versioned.from_address(pointer)
        if versioned.major != 1:
            msg = f"DLPack's version is 1 here, not {versioned.major}: copy the tensor"
            raise BufferError(msg)
        view = _view(versioned.tensor, capsule)
        return view.toreadonly() if versioned.flags & _READ_ONLY else view
    if _is_valid(capsule, b"dltensor"):
        return _view(_Tensor.from_address(_pointer(capsule, b"dltensor")), capsule)
    msg = f"{type(obj).__name__} gave no tensor by DLPack, or one that is in use"
    raise BufferError(msg)


def _capsule(obj: Any) -> Any:
    try:
        return obj.__dlpack__(max_version=(1, 0))
    except TypeError:  # of before version 1
        return obj.__dlpack__()


def _view(tensor: _Tensor, capsule: Any) -> memoryview:
    if tensor.ndim < 0 or (tensor.ndim and not tensor.shape):
        msg = f"a tensor has a shape, not {tensor.ndim} dimensions of unknown size"
        raise BufferError(msg)
    shape = [tensor.shape[d] for d in range(tensor.ndim)]
    dtype = _dtype(tensor)
    nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if nbytes < 0 or min(shape, default=0) < 0:
        msg = f"a tensor's shape is of sizes from 0, not {shape}"
        raise BufferError(msg)
    if not nbytes:
        return np.empty(shape, dtype).data
    strides = None
    if tensor.ndim and tensor.strides:
        strides = [tensor.strides[d] * dtype.itemsize for d in range(tensor.ndim)]
    address = (tensor.data or 0) + tensor.byte_offset
    memory = (ctypes.c_ubyte * nbytes).from_address(address)
    memory.owner = capsule  # type: ignore[attr-defined]
    view = memoryview(memory)
    try:
        array: np.ndarray[Any, Any] = np.ndarray(shape, dtype, view, 0, strides)
    except ValueError as error:  # its strides leave the memory of a contiguous one
        msg = f"the tensor of strides {strides} is not contiguous: pass a copy"
        raise BufferError(msg) from error
    # Of types that have no format, only the bytes are known.
    return array.data if dtype.kind != "V" else array.view(np.uint8).data


def _dtype(tensor: _Tensor) -> "np.dtype[Any]":
    size = tensor.bits * tensor.lanes // 8
    kind = _KINDS.get(tensor.code)
    is_known = kind is not None and tensor.lanes == 1 and tensor.bits % 8 == 0
    return np.dtype(f"{kind}{size}" if is_known else f"V{size}")
