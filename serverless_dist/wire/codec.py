"""Objects as buffers and back.

A body is a head and the buffers it describes, each padded to 64 bytes so that an
array is aligned wherever the body lands::

    length of the head (4 bytes) | head: msgpack [kind, meta, [sizes]] | buffers

Three kinds: ``bytes`` travel as they are; a plain numpy array as its own memory;
everything else as pickle protocol 5 with its large buffers out of band. `encode`
copies no large buffer, and `decode` of one writable buffer gives arrays that live in
it: a 100 MB array is never copied through a pickle.

`decode` unpickles: call it only with bodies that came signed with the job's key.
"""

import pickle
import struct
from collections.abc import Sequence
from typing import Any

import cloudpickle
import msgpack
import numpy as np
from numpy.typing import NDArray

from serverless_dist.cloud import Buffer
from serverless_dist.errors import ProtocolError, UnpicklableError

Body = tuple[Buffer, ...]
"""A body as buffers to be joined."""

_ALIGNMENT = 64  # one cache line
_LENGTH = struct.Struct("<I")
_BYTES, _ARRAY, _PICKLE = range(3)
_PLAIN_KINDS = "?biufcmMSUV"  # dtype kinds whose memory is their value


def encode(obj: Any) -> Body:
    """Return `obj` as buffers; raise `UnpicklableError` if it cannot travel.

    The buffers alias the object's memory: join or send them before it changes.

    >>> decode(encode({"answer": 42}))
    {'answer': 42}
    """
    if type(obj) is bytes:
        return _assemble(_BYTES, None, [obj])
    if type(obj) is np.ndarray and _is_plain(obj.dtype):
        # Fortran order is kept: the transpose of such an array is in C order.
        is_fortran = obj.flags.f_contiguous and not obj.flags.c_contiguous
        memory = np.ascontiguousarray(obj.T if is_fortran else obj)
        meta = [obj.dtype.str, list(obj.shape), is_fortran]
        return _assemble(_ARRAY, meta, [memory.reshape(-1).view(np.uint8).data])
    return _assemble(_PICKLE, None, _pickled(obj))


def encode_by_value(obj: Any) -> Body:
    """Return `obj` as buffers that a process with another main script can decode.

    Functions and classes of the main script travel by value, those of modules by name.
    """
    return _assemble(_PICKLE, None, _cloudpickled(obj))


def decode(body: Sequence[Buffer]) -> Any:
    """Return the object; arrays live in the body if it is one writable buffer.

    Raises
    ------
    ProtocolError
        If the body is not what `encode` makes.
    """
    whole = memoryview(body[0] if len(body) == 1 else bytearray().join(body))
    kind, meta, buffers = _dismantle(whole)
    if kind == _BYTES:
        return bytes(buffers[0])
    if kind == _ARRAY:
        return _array(meta, buffers[0])
    return pickle.loads(buffers[0], buffers=buffers[1:])


def _pickled(obj: Any) -> list[Buffer]:
    """Return the pickle of `obj` and its out-of-band buffers.

    Plain pickle where it works; cloudpickle for what it cannot name (functions and
    classes of the main script, lambdas, closures).
    """
    buffers: list[pickle.PickleBuffer] = []
    try:
        data = pickle.dumps(obj, protocol=5, buffer_callback=buffers.append)
    except Exception:  # a __reduce__ may raise anything
        return _cloudpickled(obj)
    return [data, *(buffer.raw() for buffer in buffers)]


def _cloudpickled(obj: Any) -> list[Buffer]:
    buffers: list[pickle.PickleBuffer] = []
    try:
        data: bytes = cloudpickle.dumps(obj, protocol=5, buffer_callback=buffers.append)
    except Exception as error:
        name = getattr(obj, "__qualname__", None) or f"a {type(obj).__qualname__}"
        msg = f"{name} cannot be sent to another rank, it cannot be pickled: {error}"
        raise UnpicklableError(msg) from error
    return [data, *(buffer.raw() for buffer in buffers)]


def _is_plain(dtype: np.dtype[Any]) -> bool:
    is_value = dtype.kind in _PLAIN_KINDS and not dtype.hasobject and dtype.itemsize > 0
    return is_value and dtype.names is None and dtype.subdtype is None


def _assemble(kind: int, meta: Any, buffers: Sequence[Buffer]) -> Body:
    sizes = [memoryview(buffer).nbytes for buffer in buffers]
    head = msgpack.packb([kind, meta, sizes])
    start = _LENGTH.pack(len(head)) + head
    body: list[Buffer] = [start + _padding(len(start))]
    for buffer, size in zip(buffers, sizes, strict=True):
        body.append(buffer)
        if buffer is not buffers[-1] and size % _ALIGNMENT:
            body.append(_padding(size))
    return tuple(body)


def _padding(size: int) -> bytes:
    return bytes(-size % _ALIGNMENT)


def _dismantle(whole: memoryview) -> tuple[int, Any, list[memoryview]]:
    try:
        (length,) = _LENGTH.unpack_from(whole)
        stop = _LENGTH.size + length
        kind, meta, sizes = msgpack.unpackb(whole[_LENGTH.size : stop])
        buffers = []
        for size in sizes:
            start = stop + -stop % _ALIGNMENT
            stop = start + size
            buffers.append(whole[start:stop])
    except (struct.error, ValueError, TypeError, msgpack.UnpackException) as error:
        msg = f"a body of {whole.nbytes} bytes has no valid head"
        raise ProtocolError(msg) from error
    if stop != whole.nbytes or not buffers or kind not in (_BYTES, _ARRAY, _PICKLE):
        msg = f"a body of {whole.nbytes} bytes does not hold what its head says"
        raise ProtocolError(msg)
    return kind, meta, buffers


def _array(meta: Any, memory: memoryview) -> NDArray[Any]:
    dtype, shape, is_fortran = meta
    array = np.frombuffer(memory, np.uint8).view(np.dtype(dtype))
    shaped: NDArray[Any] = (
        array.reshape(shape[::-1]).T if is_fortran else array.reshape(shape)
    )
    return shaped
