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
from functools import lru_cache
from typing import Any, NamedTuple

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
_REMEMBERED = 512  # heads: a program sends the same kinds and sizes again and again
_SHORT = _ALIGNMENT  # bytes of a head with its length that is worth remembering


def encode(obj: Any) -> Body:
    """Return `obj` as buffers; raise `UnpicklableError` if it cannot travel.

    The buffers alias the object's memory: join or send them before it changes.

    >>> decode(encode({"answer": 42}))
    {'answer': 42}
    """
    if type(obj) is bytes:
        return _start_of_one(_BYTES, None, len(obj)), obj
    if type(obj) is np.ndarray and _is_plain(obj.dtype):
        # Fortran order is kept: the transpose of such an array is in C order.
        is_fortran = obj.flags.f_contiguous and not obj.flags.c_contiguous
        memory = np.ascontiguousarray(obj.T if is_fortran else obj)
        meta = (obj.dtype.str, obj.shape, is_fortran)
        start = _start_of_one(_ARRAY, meta, memory.nbytes)
        return start, memory.reshape(-1).view(np.uint8).data
    return _assemble(_pickled(obj))


def encode_by_value(obj: Any) -> Body:
    """Return `obj` as buffers that a process with another main script can decode.

    Functions and classes of the main script travel by value, those of modules by name.
    """
    return _assemble(_cloudpickled(obj))


def decode(body: Sequence[Buffer]) -> Any:
    """Return the object; arrays live in the body if it is one writable buffer.

    Raises
    ------
    ProtocolError
        If the body is not what `encode` makes.
    """
    whole = memoryview(body[0] if len(body) == 1 else bytearray().join(body))
    head = _head_of(whole)
    first, *others = head.places
    if head.kind == _BYTES:
        return bytes(whole[first])
    if head.kind == _ARRAY:
        return _array(head.meta, whole[first])
    return pickle.loads(whole[first], buffers=[whole[place] for place in others])


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


def _assemble(buffers: Sequence[Buffer]) -> Body:
    """Return the body of a pickle and its out-of-band buffers."""
    sizes = [memoryview(buffer).nbytes for buffer in buffers]
    if len(buffers) == 1:
        return _start_of_one(_PICKLE, None, sizes[0]), buffers[0]
    body: list[Buffer] = [_start(_PICKLE, None, sizes)]
    for buffer, size in zip(buffers, sizes, strict=True):
        body.append(buffer)
        if buffer is not buffers[-1] and size % _ALIGNMENT:
            body.append(_padding(size))
    return tuple(body)


def _start(kind: int, meta: Any, sizes: Sequence[int]) -> bytes:
    head: bytes = msgpack.packb([kind, meta, sizes])
    start = _LENGTH.pack(len(head)) + head
    return start + _padding(len(start))


@lru_cache(_REMEMBERED)
def _start_of_one(kind: int, meta: tuple[Any, ...] | None, size: int) -> bytes:
    return _start(kind, meta, (size,))


def _padding(size: int) -> bytes:
    return bytes(-size % _ALIGNMENT)


class _Head(NamedTuple):
    """What a head says: the kind, and where in the body the buffers are."""

    kind: int
    meta: Any
    places: Sequence[slice]
    end: int


def _head_of(whole: memoryview) -> _Head:
    try:
        (length,) = _LENGTH.unpack_from(whole)
        stop = _LENGTH.size + length
        text = bytes(whole[_LENGTH.size : stop])
        head = _read_short(text) if stop <= _SHORT else _read(text)
    except (struct.error, ValueError, TypeError, msgpack.UnpackException) as error:
        msg = f"a body of {whole.nbytes} bytes has no valid head"
        raise ProtocolError(msg) from error
    known = head.kind in (_BYTES, _ARRAY, _PICKLE)
    if head.end != whole.nbytes or not head.places or not known:
        msg = f"a body of {whole.nbytes} bytes does not hold what its head says"
        raise ProtocolError(msg)
    return head


def _read(text: bytes) -> _Head:
    kind, meta, sizes = msgpack.unpackb(text)
    places = []
    stop = _LENGTH.size + len(text)
    for size in sizes:
        start = stop + -stop % _ALIGNMENT
        stop = start + size
        places.append(slice(start, stop))
    return _Head(kind, meta, places, stop)


_read_short = lru_cache(_REMEMBERED)(_read)


def _array(meta: Any, memory: memoryview) -> NDArray[Any]:
    dtype, shape, is_fortran = meta
    if is_fortran:
        return np.ndarray(shape, dtype, memory, order="F")
    return np.ndarray(shape, dtype, memory)
