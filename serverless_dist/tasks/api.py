"""What users call: sessions, values, waiting. All of it means the current session."""

import atexit
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import RLock
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from serverless_dist.cloud import Usage
from serverless_dist.config import Config
from serverless_dist.errors import GetTimeoutError, UsageError
from serverless_dist.tasks.arguments import pack_value
from serverless_dist.tasks.client import Client
from serverless_dist.tasks.current import find_client, set_client
from serverless_dist.tasks.lifecycle import Counts
from serverless_dist.tasks.refs import ObjectRef, ObjectRefGenerator, load
from serverless_dist.tasks.values import Form

T = TypeVar("T")

_MANY = 10  # refs from which on a terminal shows a bar
_MOST_WORKERS = 1_000


class Session:
    """What `init` has opened; as a context, it is shut down at the end.

    Attributes
    ----------
    cloud, workers
        Where it is, and how many tasks run at a time.
    """

    def __init__(self, cloud: str, workers: int, config: Config) -> None:
        # To import it takes a tenth of a second, which a worker never needs.
        from serverless_dist.tasks.driver import Driver

        self.cloud = cloud
        self.workers = workers
        self._driver = Driver(cloud, workers, config)
        self.client = self._driver.client

    def __repr__(self) -> str:
        return f"<Session of {self.workers} workers: {self._driver!r}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        shutdown()

    @property
    def counts(self) -> Counts:
        """How far the tasks have come."""
        return self._driver.counts

    @property
    def usage(self) -> Usage:
        """What the driver has used, and the workers that have ended."""
        return self._driver.usage

    @property
    def dollars(self) -> float:
        """What AWS would have charged so far, in us-east-1."""
        return self._driver.dollars

    def close(self) -> None:
        """End all workers; `shutdown` does this."""
        self._driver.close()


class _Open:
    """The session of this process, and what guards it."""

    lock = RLock()
    session: Session | None = None
    progress: bool | None = None
    pid = 0


def init(
    cloud: str | None = None,
    *,
    workers: int | None = None,
    progress: bool | None = None,
    config: Config | None = None,
) -> Session:
    """Open a session: start workers and whatever carries messages to them.

    The first call of anything that needs a session opens one with the defaults.

    Parameters
    ----------
    cloud
        ``"local"``: processes of this machine, sockets and shared memory.
        ``"emulated"``, ``"aws"``: the services of AWS, emulated or real. None: what
        the environment says, else local.
    workers
        How many tasks run at a time; None: one for each core that may be used.
    progress
        Whether `get` shows a bar; None: if many refs are waited for on a terminal.
    config
        Settings of the cloud; None: what the environment says.

    Returns
    -------
    Session
        Can be used as a context; tells what was used.

    Raises
    ------
    UsageError
        A session is open, or the arguments cannot be.
    CloudError
        The cloud failed.

    Examples
    --------
    >>> import serverless_dist as sd
    >>> with sd.init(workers=1):
    ...     sd.get(sd.put("value"))
    'value'
    """
    config = Config.from_env() if config is None else config
    count = len(os.sched_getaffinity(0)) if workers is None else workers
    is_whole = isinstance(count, int) and not isinstance(count, bool)
    if not is_whole or not 1 <= count <= _MOST_WORKERS:
        msg = f"workers is {workers!r}: give a number from 1 to {_MOST_WORKERS:,}"
        raise UsageError(msg)
    with _Open.lock:
        if find_client() is not None and _Open.pid in (0, os.getpid()):
            msg = "a session is open already: call shutdown() first"
            raise UsageError(msg)
        session = Session(config.cloud if cloud is None else cloud, count, config)
        _Open.session, _Open.progress, _Open.pid = session, progress, os.getpid()
        set_client(session.client)
        atexit.register(shutdown)
    return session


def shutdown() -> None:
    """Close the session: end what runs, remove what is left. Twice is no error."""
    with _Open.lock:
        session, _Open.session = _Open.session, None
        if session is not None and _Open.pid == os.getpid():
            atexit.unregister(shutdown)
            set_client(None)
            session.close()


def is_initialized() -> bool:
    """Return whether a session is open."""
    return find_client() is not None


def current_client() -> Client:
    """Return the client of the current session, which is opened if there is none."""
    client = find_client()
    if client is None:
        with _Open.lock:
            client = find_client() or init().client
    return client


def put(obj: Any) -> ObjectRef[Any]:
    """Store an object and return a ref of it, to be given to any number of tasks.

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
    return ObjectRef(client.put(client.keep(*pack_value(obj))), client)


@overload
def get(refs: ObjectRef[T], *, timeout: float | None = None) -> T: ...
@overload
def get(refs: Sequence[ObjectRef[T]], *, timeout: float | None = None) -> list[T]: ...
def get(refs: Any, *, timeout: float | None = None) -> Any:
    """Return the value of a ref, or the list of those of several; wait for them.

    Arrays are read-only: on one machine they are shared with whoever else has them.

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
        These are no refs.

    Examples
    --------
    >>> import serverless_dist as sd
    >>> with sd.init(workers=1):
    ...     sd.get([sd.put(number) for number in range(3)])
    [0, 1, 2]
    """
    if isinstance(refs, ObjectRef):
        return _get([refs], timeout)[0]
    _check_refs("get", refs)
    return _get(refs, timeout) if refs else []


def _get(refs: Sequence[ObjectRef[Any]], timeout: float | None) -> list[Any]:
    client = current_client()
    ids = list(dict.fromkeys([ref.id for ref in refs]))
    _check_timeout(timeout)
    with _bar(len(ids)):
        answer = client.ask(ids, len(ids), eager=True, timeout=timeout)
    values = dict(zip(answer.ids, answer.values, strict=True))
    for value in answer.values:
        if value.form == Form.FAILURE:
            load(value, client)  # raises
    if len(values) < len(ids):
        missing = len(ids) - len(values)
        msg = f"{missing} of {len(ids)} refs had no value within {timeout:g} s"
        raise GetTimeoutError(msg)
    return [load(values[ref.id], client) for ref in refs]


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

    Raises
    ------
    TypeError
        This is no list of refs.
    UsageError
        A ref is there twice, or `num_returns` cannot be.
    """
    if not isinstance(refs, list | tuple):
        msg = f"wait takes a list of refs, not a {type(refs).__qualname__}"
        raise TypeError(msg)
    if not refs:
        return [], []
    _check_refs("wait", refs)
    _check_timeout(timeout)
    ids = [ref.id for ref in refs]
    if len(set(ids)) < len(ids):
        msg = "wait was given a ref twice: give each once"
        raise UsageError(msg)
    is_whole = isinstance(num_returns, int) and not isinstance(num_returns, bool)
    if not is_whole or not 1 <= num_returns <= len(refs):
        msg = f"num_returns is {num_returns!r}: give a number from 1 to {len(refs)}"
        raise UsageError(msg)
    client = current_client()
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
        A list or tuple of refs.
    timeout
        Seconds that all of it may take; then a `GetTimeoutError` is raised.
    """
    _check_refs("as_completed", refs)
    _check_timeout(timeout)
    left = {ref.id: ref for ref in refs}
    until = None if timeout is None else time.monotonic() + timeout
    client = current_client()
    while left:
        rest = None if until is None else max(0.0, until - time.monotonic())
        answer = client.ask(list(left), 1, wants_values=False, timeout=rest)
        if not answer.ids:
            msg = f"{len(left)} of {len(refs)} refs had no value within {timeout:g} s"
            raise GetTimeoutError(msg)
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
    """
    if isinstance(ref, ObjectRefGenerator):
        ref = ref.completed()
    if not isinstance(ref, ObjectRef):
        msg = f"cancel takes a ref, not a {type(ref).__qualname__}"
        raise TypeError(msg)
    current_client().cancel(ref.id, force=force, recursive=recursive)


def _check_refs(what: str, refs: object) -> None:
    if not isinstance(refs, list | tuple):
        msg = f"{what} takes a ref or a list of refs, not a {type(refs).__qualname__}"
        raise UsageError(msg)
    for ref in refs:
        if not isinstance(ref, ObjectRef):
            msg = f"{what} was given a {type(ref).__qualname__} among refs: {ref!r}"
            raise (TypeError if what == "wait" else UsageError)(msg)


def _check_timeout(timeout: object) -> None:
    if timeout is None:
        return
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not is_number or not timeout >= 0:  # type: ignore[operator]
        msg = f"timeout is {timeout!r}: give seconds, 0 or more, or None"
        raise UsageError(msg)


def _bar(count: int) -> AbstractContextManager[None]:
    """Return a bar where one is wanted."""
    session = _Open.session
    wanted = _Open.progress
    if wanted is None:
        wanted = count >= _MANY and os.isatty(2)
    if session is None or not wanted:
        return nullcontext()
    from serverless_dist.tasks.progress import shown

    return shown(lambda: session.counts, lambda: session.dollars)
