"""The function that ranks run, pickled once for all of them."""

import inspect
import struct
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, FunctionType
from typing import Any

import msgpack

from serverless_dist.errors import UnpicklableError
from serverless_dist.runtime.modules import Modules, install
from serverless_dist.wire import decode, encode_by_value

Function = Callable[..., Any]
_LENGTH = struct.Struct("<Q")  # of the modules, at the end


def pack_code(
    function: Function, args: Sequence[Any], modules: Modules | None = None
) -> bytes:
    """Return the function and its arguments as bytes.

    Parameters
    ----------
    function, args
        What the ranks call.
    modules
        What they can import besides, where they do not have the caller's files.

    Raises
    ------
    UnpicklableError
        Names the function and which argument or variable of it cannot be pickled.
    """
    try:
        call = encode_by_value((function, tuple(args), file_of(function)))
        more: bytes = msgpack.packb(dict(modules or {}))
        # The call comes first, so that its arrays are aligned.
        return b"".join((*call, more, _LENGTH.pack(len(more))))
    except UnpicklableError as error:
        name = getattr(function, "__qualname__", repr(function))
        msg = f"{name} cannot be sent to the ranks: {culprit(function, args, error)}"
        raise UnpicklableError(msg) from error


def unpack_code(data: bytearray) -> tuple[Function, Sequence[Any]]:
    """Return the function and its arguments; unpickles what `pack_code` made."""
    view = memoryview(data)
    (length,) = _LENGTH.unpack(view[-_LENGTH.size :])
    end = len(view) - _LENGTH.size - length
    install(msgpack.unpackb(view[end : -_LENGTH.size]))
    function, args, file = decode([view[:end]])
    restore_file(function, file)
    return function, args


def modules_of(function: Function) -> Sequence[str]:
    """Return the modules that may be imported once for all ranks of the function.

    Only this package's: a user's module may keep what it must not share with other
    ranks, as a generator of random numbers, or `COMM_WORLD` from before there was one.
    """
    name = getattr(function, "__module__", None) or ""
    return [name] if name.partition(".")[0] == __name__.partition(".")[0] else []


def culprit(function: Function, args: Sequence[Any], error: Exception) -> str:
    """Return which part of a call cannot be pickled, in words."""
    for name, value in _parts(function, args):
        try:
            encode_by_value(value)
        except UnpicklableError as cause:
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            return f"{name} is a {kind} ({cause.__cause__})"
    return str(error.__cause__)


def file_of(target: Function) -> str:
    """Return the file that a function was read from; empty: it is no function."""
    code = getattr(target, "__code__", None)
    return code.co_filename if isinstance(code, CodeType) else ""


def restore_file(target: Function, file: str) -> None:
    """Have tracebacks name the file of a function: cloudpickle may have dropped it."""
    if isinstance(target, FunctionType) and target.__code__.co_filename != file:
        target.__code__ = _in_file(target.__code__, file)


def _in_file(code: CodeType, file: str) -> CodeType:
    inner = (
        _in_file(each, file) if isinstance(each, CodeType) else each
        for each in code.co_consts
    )
    return code.replace(co_filename=file, co_consts=tuple(inner))


def _parts(function: Function, args: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    for index, arg in enumerate(args):
        yield f"argument {index}", arg
    if inspect.isfunction(function):
        try:
            variables = inspect.getclosurevars(function)
        except ValueError:  # a variable of the closure has no value yet
            return
        for name, value in {**variables.nonlocals, **variables.globals}.items():
            yield f"its variable {name!r}", value
