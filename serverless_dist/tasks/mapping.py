"""Many small calls at once: batches, as large as their calls are short."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from math import inf
from typing import Any, TypeVar

from serverless_dist.errors import GetTimeoutError, UsageError
from serverless_dist.tasks.api import get
from serverless_dist.tasks.failures import exception_of
from serverless_dist.tasks.messages import Kind
from serverless_dist.tasks.options import TaskOptions
from serverless_dist.tasks.refs import ObjectRef
from serverless_dist.tasks.remote import RemoteFunction
from serverless_dist.tasks.session import current_client
from serverless_dist.tasks.submission import submit

T = TypeVar("T")

_AHEAD = 3  # batches for each slot that are under way
_SECONDS = 0.05  # that a batch is to take: sending one costs a hundredth of that
_GROWTH = 8  # a batch is at most so many times as large as the one before
_LARGEST = 20_000


def map(
    function: "Callable[..., T] | RemoteFunction[..., T]",
    *iterables: Iterable[Any],
    timeout: float | None = None,
    chunksize: int | None = None,
) -> Iterator[T]:
    """Return the results of ``function(*items)`` in order, computed by tasks.

    Calls are put together in batches, the larger the shorter they are, and a few
    batches for each worker are under way: the iterables may be endless. Who takes no
    more results cancels what is under way.

    Parameters
    ----------
    function
        A function, remote or not. Its options hold for a batch as a whole.
    iterables
        One for each argument; the shortest ends it. A ref among the items stays a ref.
    timeout
        Seconds that all of it may take; then a `GetTimeoutError` is raised.
    chunksize
        Calls in a batch; None: as many as take about 50 ms.

    Raises
    ------
    RemoteError
        A call raised; the results before it have been given.
    TaskError
        A batch could not be computed.
    UnpicklableError
        The function or an item cannot travel.

    Examples
    --------
    >>> import serverless_dist as sd
    >>> with sd.init(workers=1):
    ...     list(sd.map(pow, range(4), [2] * 4))
    [0, 1, 4, 9]
    """
    items = zip(*iterables, strict=False)
    return _begin(function, items, timeout, chunksize)


def starmap(
    function: "Callable[..., T] | RemoteFunction[..., T]",
    iterable: Iterable[Sequence[Any]],
    *,
    timeout: float | None = None,
    chunksize: int | None = None,
) -> Iterator[T]:
    """Return the results of ``function(*args)`` for each `args`; else as `map`.

    Parameters
    ----------
    function
        A function, remote or not.
    iterable
        Sequences of arguments.
    timeout, chunksize
        As for `map`.
    """
    items = (tuple(each) for each in iterable)
    return _begin(function, items, timeout, chunksize)


class _Batches:
    """The batches of one map that are under way, in order."""

    def __init__(
        self,
        function: RemoteFunction[..., Any],
        items: Iterator[Sequence[Any]],
        chunksize: int | None,
        timeout: float | None,
    ) -> None:
        self._items = items
        self._timeout = timeout
        self._until = inf if timeout is None else time.monotonic() + timeout
        self._is_fixed = chunksize is not None
        self._size = chunksize or 1
        self._client = current_client()
        self._call = function.call(self._client, Kind.MAP)
        self._refs: deque[ObjectRef[Any]] = deque()
        self._submit()

    def results(self) -> Iterator[Any]:
        """Yield all results in order; cancel what is under way at the end."""
        try:
            while self._refs:
                results, failure, seconds = self._next()
                if failure is None:
                    self._learn(len(results), seconds)
                    self._submit()  # workers go on while the results are taken
                yield from results
                if failure is not None:
                    raise exception_of(failure)
        finally:
            for ref in self._refs:
                with suppress(UsageError):  # the session was shut down
                    self._client.cancel(ref.id, force=False, recursive=True)

    def _next(self) -> Any:
        left = None
        if self._until < inf:
            left = max(0.0, self._until - time.monotonic())
        try:
            batch = get(self._refs[0], timeout=left)
        except GetTimeoutError:
            msg = f"the next result was not there within {self._timeout:g} s"
            raise GetTimeoutError(msg) from None
        self._refs.popleft()
        return batch

    def _learn(self, count: int, seconds: float) -> None:
        """Make batches as large as `_SECONDS` allows."""
        if not self._is_fixed:
            fitting = int(_SECONDS * count / max(seconds, 1e-9))
            self._size = max(1, min(fitting, _GROWTH * self._size, _LARGEST))

    def _submit(self) -> None:
        while len(self._refs) < _AHEAD * self._client.slots:
            batch = list(islice(self._items, self._size))
            if not batch:
                return
            id = submit(self._client, self._call, (batch,), {})
            self._refs.append(ObjectRef(id, self._client))


def _begin(
    function: Any, items: Iterator[Any], timeout: float | None, chunksize: int | None
) -> Iterator[Any]:
    is_whole = isinstance(chunksize, int) and not isinstance(chunksize, bool)
    if chunksize is not None and not (is_whole and chunksize > 0):
        msg = f"chunksize is {chunksize!r}: give a number above 0, or None"
        raise UsageError(msg)
    if not callable(function):
        msg = f"map takes a function, not {function!r}"
        raise TypeError(msg)
    if not isinstance(function, RemoteFunction):
        function = RemoteFunction(function, TaskOptions())
    return _Batches(function, items, chunksize, timeout).results()
