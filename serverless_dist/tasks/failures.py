"""Exceptions as failures, and failures as exceptions."""

from collections.abc import Hashable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, cast

from serverless_dist.errors import (
    ActorDiedError,
    CloudError,
    DeadlockError,
    ObjectLostError,
    RemoteError,
    TaskCancelledError,
    TaskError,
    TaskTimeoutError,
    VersionMismatchError,
    WorkerCrashedError,
)
from serverless_dist.runtime.tracebacks import describe
from serverless_dist.tasks.values import Cause, Failure
from serverless_dist.wire import decode, encode

_CLASSES: Mapping[int, type[TaskError]] = {
    Cause.CRASHED: WorkerCrashedError,
    Cause.CANCELLED: TaskCancelledError,
    Cause.TIMEOUT: TaskTimeoutError,
    Cause.ACTOR: ActorDiedError,
    Cause.LOST: ObjectLostError,
    Cause.DEADLOCK: DeadlockError,
}
_CLASSES_KEPT = 256


def failure_of_exception(
    task: str, error: BaseException, hidden: frozenset[str] = frozenset()
) -> Failure:
    """Return what a task failed with: text always, the exception if it can travel.

    Parameters
    ----------
    task
        The name of the task.
    error
        What it raised.
    hidden
        Files whose frames tell the user nothing.
    """
    summary, text = describe(error, hidden)
    try:
        packed = b"".join(encode(error))
    except Exception:  # whatever its own __reduce__ raises
        packed = b""
    return Failure(Cause.RAISED, task, summary, text, packed)


def exception_of(failure: Failure) -> Exception:
    """Return what `get` raises, with the remote exception as its cause if it has come.

    >>> error = exception_of(failure_of_exception("f", KeyError("key")))
    >>> isinstance(error, KeyError), isinstance(error, RemoteError), error.__cause__
    (True, True, KeyError('key'))
    """
    text = (failure.task, failure.summary, failure.traceback)
    cause: BaseException | None = None
    if failure.error:
        # The exception is a courtesy: one that cannot be rebuilt here is left out.
        with suppress(Exception, SystemExit):
            rebuilt = decode([failure.error])
            cause = rebuilt if isinstance(rebuilt, BaseException) else None
    if failure.cause == Cause.RAISED:
        return remote_error(*text, cause)
    if failure.cause == Cause.VERSIONS:
        return VersionMismatchError(f"{failure.task} {failure.summary}")
    if failure.cause == Cause.CLOUD:
        return CloudError(f"{failure.task} {failure.summary}", retryable=False)
    error = _CLASSES[failure.cause](*text)
    error.__cause__ = cause
    return error


def remote_error(
    task: str, summary: str, traceback: str, cause: BaseException | None
) -> RemoteError:
    """Return a `RemoteError` that is of the class of `cause` as well, if that can be.

    Attributes that the error itself lacks are those of the cause.
    """
    error: RemoteError | None = None
    if isinstance(cause, Exception):
        with suppress(Exception):  # classes that cannot be combined
            made = _combined(cast("Hashable", type(cause)))
            bare = _bare(made, _root(cause))
            TaskError.__init__(bare, task, summary, traceback)
            error = bare
    if error is None:
        error = RemoteError(task, summary, traceback)
    error.__cause__ = cause
    return error


def _root(cause: BaseException) -> BaseException:
    """Return what the first of several tasks raised, if they passed it on."""
    while isinstance(cause, RemoteError) and cause.__cause__ is not None:
        cause = cause.__cause__
    return cause


def _bare(made: type[RemoteError], cause: BaseException) -> RemoteError:
    """Return an instance without calling a constructor of the user's.

    What Python's own classes keep, as the number of an `OSError`, is copied.
    """
    try:
        error = made.__new__(made, *cause.args)
    except TypeError:  # of classes whose memory is a plain exception's, MemoryError's
        error = BaseException.__new__(made)
    for kind in type(cause).__mro__:
        names = vars(kind) if kind.__module__ == "builtins" else ()
        for name in [each for each in names if not each.startswith("_")]:
            with suppress(AttributeError, TypeError):  # it has none, or methods
                setattr(error, name, getattr(cause, name))
    return error


@lru_cache(_CLASSES_KEPT)
def _combined(kind: Any) -> type[RemoteError]:
    if issubclass(kind, RemoteError):
        return cast("type[RemoteError]", kind)
    methods = {
        "__reduce__": _reduce,
        "__getattr__": _attribute_of_cause,
        "__module__": kind.__module__,
        "__doc__": f"A `RemoteError` that is a `{kind.__name__}` as well.",
        "__str__": TaskError.__str__,
    }
    made: type[RemoteError] = type(kind.__name__, (RemoteError, kind), methods)
    return made


def _reduce(self: RemoteError) -> tuple[Any, ...]:
    fields = (self.task, self.summary, self.traceback, self.__cause__)
    return remote_error, fields


def _attribute_of_cause(self: RemoteError, name: str) -> Any:
    if name.startswith("__") or self.__cause__ is None:
        raise AttributeError(name)
    return getattr(self.__cause__, name)
