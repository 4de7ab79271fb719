"""Functions and classes, pickled once, with the modules beside the script."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from serverless_dist.errors import UnpicklableError
from serverless_dist.runtime.code import culprit, file_of, restore_file
from serverless_dist.runtime.modules import Modules, install
from serverless_dist.wire import Body, decode, encode_by_value

_DIGEST = 16  # bytes


class Code(NamedTuple):
    """What a worker needs for all calls of a function, or all actors of a class.

    `retry_exceptions` are those that are worth another attempt.
    """

    target: Callable[..., Any]
    retry_exceptions: tuple[type[BaseException], ...]


def pack_code(code: Code, modules: Modules) -> tuple[bytes, Body]:
    """Return the digest of code, and the code as a body.

    Raises
    ------
    UnpicklableError
        Names the function and which variable of it cannot be pickled.
    """
    try:
        pickled = b"".join(encode_by_value((*code, file_of(code.target))))
    except UnpicklableError as error:
        name = getattr(code.target, "__qualname__", repr(code.target))
        why = culprit(code.target, code.retry_exceptions, error)
        msg = f"{name} cannot be sent to workers: {why}"
        raise UnpicklableError(msg) from error
    body = encode_by_value((pickled, modules))
    digest = hashlib.sha256(b"".join(body)).digest()[:_DIGEST]
    return digest, body


def unpack_code(body: Sequence[bytes | memoryview]) -> Code:
    """Return the code, after its modules have been made importable here."""
    pickled, modules = decode(body)
    install(modules)
    *fields, file = decode([pickled])
    code = Code(*fields)
    restore_file(code.target, file)
    return code
