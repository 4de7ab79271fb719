"""What a ref stands for once it is known: a value, a failure, or the end of a stream.

A value is kept as the bytes it was encoded to. The driver passes it on and never
looks inside: only who asked for it unpickles it.
"""

from enum import IntEnum
from typing import NamedTuple

import msgpack

INLINE_BYTES = 65_536
"""Bodies up to this size travel in messages; larger ones go to the object store."""


class Form(IntEnum):
    """What `Value.data` is."""

    INLINE = 0  # the encoded body
    STORED = 1  # the key of the encoded body in the object store
    FAILURE = 2  # a packed `Failure`
    END = 3  # nothing: the stream has ended before this


class Value(NamedTuple):
    """The final state of a ref; `refs` are the ids of the refs inside it.

    `size` is the number of bytes of the encoded body, wherever that is.
    """

    form: int
    data: bytes
    refs: tuple[int, ...] = ()
    size: int = 0


class Cause(IntEnum):
    """Why a task has no value; each is an exception of `serverless_dist.errors`."""

    RAISED = 0  # RemoteError, and the class of what was raised
    CRASHED = 1  # WorkerCrashedError
    CANCELLED = 2  # TaskCancelledError
    TIMEOUT = 3  # TaskTimeoutError
    ACTOR = 4  # ActorDiedError
    LOST = 5  # ObjectLostError
    DEADLOCK = 6  # DeadlockError
    VERSIONS = 7  # VersionMismatchError
    CLOUD = 8  # CloudError


class Failure(NamedTuple):
    """Why there is no value.

    Attributes
    ----------
    cause
        The kind of failure.
    task
        The name of the task that failed.
    summary
        One line: what happened.
    traceback
        The remote traceback as text; empty if there is none.
    error
        The exception itself, encoded; empty if it cannot be pickled.
    """

    cause: int
    task: str
    summary: str
    traceback: str = ""
    error: bytes = b""


END = Value(Form.END, b"")


def failed(failure: Failure) -> Value:
    """Return the value of a ref whose task failed."""
    # Texts of errors may have what file names may have.
    data: bytes = msgpack.packb(failure, unicode_errors="surrogatepass")
    return Value(Form.FAILURE, data, (), len(data))


def failure_of(value: Value) -> Failure:
    """Return what `failed` was given.

    >>> failure_of(failed(Failure(Cause.CRASHED, "f", "was killed"))).summary
    'was killed'
    """
    fields = msgpack.unpackb(value.data, use_list=False, unicode_errors="surrogatepass")
    return Failure(*fields)
