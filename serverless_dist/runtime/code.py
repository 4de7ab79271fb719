"""The function that ranks run, pickled once for all of them."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from serverless_dist.errors import UnpicklableError
from serverless_dist.wire import decode, encode_by_value

Function = Callable[..., Any]


def pack_code(function: Function, args: Sequence[Any]) -> bytes:
    """Return the function and its arguments as bytes.

    Raises
    ------
    UnpicklableError
        Names the function and which argument or variable of it cannot be pickled.
    """
    try:
        return b"".join(encode_by_value((function, tuple(args))))
    except UnpicklableError as error:
        name = getattr(function, "__qualname__", repr(function))
        msg = f"{name} cannot be sent to the ranks: {culprit(function, args, error)}"
        raise UnpicklableError(msg) from error


def unpack_code(data: bytearray) -> tuple[Function, Sequence[Any]]:
    """Return the function and its arguments; unpickles what `pack_code` made."""
    function, args = decode([data])
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
