"""What users call to have values and to wait for them, in the current session."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, overload

from serverless_dist.errors import GetTimeoutError, UnpicklableError, UsageError
from serverless_dist.tasks.arguments import pack_value
from serverless_dist.tasks.client import Client
from serverless_dist.tasks.current import require_current
from serverless_dist.tasks.messages import Answer
from serverless_dist.tasks.refs import (
    ObjectRef,
    ObjectRefGenerator,
    client_of_refs,
    load,
)
from serverless_dist.tasks.session import bar_for, current_client
from serverless_dist.tasks.values import Form

T = TypeVar("T")

_QUICK = 0.5  # seconds; what takes no longer shows no bar


def put(obj: Any) -> ObjectRef[Any]:
    """Store an object and return a ref of it, to be given to any number of tasks.

    The object is copied: what is done to it afterwards changes no value.

    Raises
    ------
    TypeError
        It is a ref already.
    UnpicklableError
        It cannot travel.
    """
    if isinstance(obj, ObjectRef):
        msg = "put takes an object, not a ref: a ref can be passed on as it is"
        raise TypeError(msg)
    client = current_client()
    try:
        body, refs = pack_value(obj)
    except UnpicklableError as error:
        kind = f"{type(obj).__module__}.{type(obj).__qualname__}"
        msg = f"put was given a {kind} that cannot be pickled: {error.__cause__}"
        raise UnpicklableError(msg) from error
    return ObjectRef(client.put(client.keep(body, refs)), client)


@overload
def get(refs: ObjectRef[T], *, timeout: float | None = None) -> T: ...
@overload
def get(refs: Sequence[ObjectRef[T]], *, timeout: float | None = None) -> list[T]: ...
def get(refs: Any, *, timeout: float | None = None) -> Any:
    """Return the value of a ref, or the list of those of several; wait for them.

    Arrays are read-only: on one machine they are shared with whoever else has them.
    A task that waits here lets another one run meanwhile.

    Parameters
    ----------
    refs
        A ref, or a list or tuple of refs.
    timeout
        Seconds to wait at most; None: as long as it takes.

    Raises
    ------
    GetTimeoutError
        Not all were known in time. It is a `TimeoutError`.
    RemoteError
        A task raised. The error is of the class of what was raised, too; of several
        that have failed by then, it is the first in the list.
    TaskError
        A task has no value for another reason; see `errors`.
    UsageError
        These are no refs, or those of a session that is not open.

    Examples
    --------
    >>> import serverless_dist as sd
    >>> with sd.init(workers=1):
    ...     sd.get([sd.put(number) for number in range(3)])
    [0, 1, 2]
    """
    _check_timeout(timeout)
    if isinstance(refs, ObjectRef):
        return _get(require_current(refs.client), [refs], timeout)[0]
    if isinstance(refs, list | tuple) and not refs:
        return []
    return _get(client_of_refs("get", refs), refs, timeout)


def _get(
    client: Client, refs: Sequence[ObjectRef[Any]], timeout: float | None
) -> list[Any]:
    ids = list(dict.fromkeys([ref.id for ref in refs]))
    answer = _ask_all(client, ids, timeout)
    values = dict(zip(answer.ids, answer.values, strict=True))
    for value in answer.values:
        if value.form == Form.FAILURE:
            load(value, client)  # raises
    if len(values) < len(ids):
        raise _too_late(len(ids) - len(values), len(ids), timeout)
    return [load(values[ref.id], client) for ref in refs]


def _ask_all(client: Client, ids: Sequence[int], timeout: float | None) -> Answer:
    """Wait for all values, or one failure; show a bar if it is wanted and worth it."""
    bar = bar_for(len(ids))
    if bar is None or (timeout is not None and timeout <= _QUICK):
        return client.ask(ids, len(ids), eager=True, timeout=timeout)
    answer = client.ask(ids, len(ids), eager=True, timeout=_QUICK)
    is_failed = any(value.form == Form.FAILURE for value in answer.values)
    if is_failed or len(answer.ids) == len(ids):
        return answer
    rest = None if timeout is None else timeout - _QUICK
    with bar():
        return client.ask(ids, len(ids), eager=True, timeout=rest)


def wait(
    refs: Sequence[ObjectRef[T]],
    *,
    num_returns: int = 1,
    timeout: float | None = None,
) -> tuple[list[ObjectRef[T]], list[ObjectRef[T]]]:
    """Return the refs that are known, at most `num_returns`, and all others.

    Waits until so many are known, whether they have a value or have failed.

    Parameters
    ----------
    refs
        A list or tuple of different refs.
    num_returns
        How many to wait for.
    timeout
        Seconds to wait at most; None: as long as it takes.

    Returns
    -------
    tuple of two lists
        Both in the order of `refs`. After a timeout the first one is shorter.

    Raises
    ------
    TypeError
        This is no list of refs.
    UsageError
        A ref is there twice, or `num_returns` cannot be.

    Examples
    --------
    >>> import serverless_dist as sd
    >>> with sd.init(workers=1):
    ...     refs = [sd.put("first"), sd.put("second")]
    ...     ready, rest = sd.wait(refs)
    ...     ready == refs[:1], rest == refs[1:]
    (True, True)
    """
    _check_timeout(timeout)
    if isinstance(refs, list | tuple) and not refs:
        return [], []
    client = client_of_refs("wait", refs, TypeError)
    ids = [ref.id for ref in refs]
    if len(set(ids)) < len(ids):
        msg = "wait was given a ref twice: give each once"
        raise UsageError(msg)
    is_whole = isinstance(num_returns, int) and not isinstance(num_returns, bool)
    if not is_whole or not 1 <= num_returns <= len(refs):
        msg = f"num_returns is {num_returns!r}: give a number from 1 to {len(refs)}"
        raise UsageError(msg)
    answer = client.ask(ids, num_returns, wants_values=False, timeout=timeout)
    known = set(answer.ids[:num_returns])
    ready = [ref for ref in refs if ref.id in known]
    return ready, [ref for ref in refs if ref.id not in known]


def as_completed(
    refs: Sequence[ObjectRef[T]], *, timeout: float | None = None
) -> Iterator[ObjectRef[T]]:
    """Yield refs as they become known, each once.

    Parameters
    ----------
    refs
        A list or tuple of refs; one that is there twice is yielded once.
    timeout
        Seconds from this call until all have been yielded; then a `GetTimeoutError`
        is raised.

    Raises
    ------
    UsageError
        These are no refs, or those of a session that is not open.
    """
    _check_timeout(timeout)
    if isinstance(refs, list | tuple) and not refs:
        return iter(())
    client = client_of_refs("as_completed", refs)
    return _completed(client, {ref.id: ref for ref in refs}, timeout, time.monotonic())


def _completed(
    client: Client,
    left: dict[int, ObjectRef[T]],
    timeout: float | None,
    started: float,
) -> Iterator[ObjectRef[T]]:
    count = len(left)
    while left:
        rest = None
        if timeout is not None:
            rest = max(0.0, started + timeout - time.monotonic())
        answer = client.ask(list(left), 1, wants_values=False, timeout=rest)
        if not answer.ids:
            raise _too_late(len(left), count, timeout)
        for id in answer.ids:
            yield left.pop(id)


def cancel(
    ref: "ObjectRef[Any] | ObjectRefGenerator[Any]",
    *,
    force: bool = False,
    recursive: bool = True,
) -> None:
    """Cancel a task: its refs raise `TaskCancelledError`, unless it has ended.

    Parameters
    ----------
    ref
        A ref of the task.
    force
        Whether its worker is killed; else the task is interrupted, as by Ctrl-C.
    recursive
        Whether what the task has submitted is cancelled as well.

    Raises
    ------
    TypeError
        This is no ref.
    """
    if isinstance(ref, ObjectRefGenerator):
        ref = ref.completed()
    if not isinstance(ref, ObjectRef):
        msg = f"cancel takes a ref, not a {type(ref).__qualname__}"
        raise TypeError(msg)
    client = require_current(ref.client)
    client.cancel(ref.id, force=force, recursive=recursive)


def _too_late(missing: int, count: int, timeout: float | None) -> GetTimeoutError:
    return GetTimeoutError(
        f"{missing} of {count} refs had no value within {timeout:g} s"
    )


def _check_timeout(timeout: object) -> None:
    if timeout is None:
        return
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not is_number or not timeout >= 0:  # type: ignore[operator]
        msg = f"timeout is {timeout!r}: give seconds, 0 or more, or None"
        raise UsageError(msg)
