"""Many small calls at once: batches, as large as their calls are short."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

from serverless_dist.errors import GetTimeoutError, UsageError
from serverless_dist.tasks.api import current_client, get
from serverless_dist.tasks.failures import exception_of
from serverless_dist.tasks.messages import Kind
from serverless_dist.tasks.refs import ObjectRef
from serverless_dist.tasks.remote import RemoteFunction, remote, submit

T = TypeVar("T")

_AHEAD = 3  # batches for each slot that are under way
_SECONDS = 0.05  # that a batch is to take: sending one costs a hundredth of that
_GROWTH = 8  # a batch is at most so many times as large as the one before
_LARGEST = 20_000


class Results(Generic[T]):
    """Iterates over results in order; raises what the first call that fails raised."""

    def __init__(
        self,
        function: RemoteFunction[..., T],
        items: Iterator[Sequence[Any]],
        chunksize: int | None,
        timeout: float | None,
    ) -> None:
        self._function = function
        self._items = items
        self._until = None if timeout is None else time.monotonic() + timeout
        self._timeout = timeout
        self._is_fixed = chunksize is not None
        self._size = chunksize or 1
        self._client = current_client()
        self._call = function.call(self._client, Kind.MAP)
        self._batches: deque[ObjectRef[Any]] = deque()
        self._ready: deque[T] = deque()
        self._failure: Exception | None = None
        self._submit()

    def __repr__(self) -> str:
        return f"<Results of {self._function!r}: {len(self._batches)} batches ahead>"

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        while not self._ready:
            if self._failure is not None:
                raise self._failure
            if not self._batches:
                raise StopIteration
            self._take_batch()
        return self._ready.popleft()

    def _take_batch(self) -> None:
        left = None
        if self._until is not None:
            left = max(0.0, self._until - time.monotonic())
        try:
            results, failure, seconds = get(self._batches[0], timeout=left)
        except GetTimeoutError:
            msg = f"the next result was not there within {self._timeout:g} s"
            raise GetTimeoutError(msg) from None
        self._batches.popleft()
        self._ready += results
        if failure is not None:
            self._failure = exception_of(failure)
            self._batches.clear()
            return
        self._learn(len(results), seconds)
        self._submit()

    def _learn(self, count: int, seconds: float) -> None:
        """Make batches as large as `_SECONDS` allows."""
        if self._is_fixed:
            return
        fitting = int(_SECONDS * count / max(seconds, 1e-9))
        self._size = max(1, min(fitting, _GROWTH * self._size, _LARGEST))

    def _submit(self) -> None:
        while len(self._batches) < _AHEAD * self._client.slots:
            batch = list(islice(self._items, self._size))
            if not batch:
                return
            id = submit(self._client, self._call, (batch,), {})
            self._batches.append(ObjectRef(id, self._client))


def map(
    function: "Callable[..., T] | RemoteFunction[..., T]",
    *iterables: Iterable[Any],
    timeout: float | None = None,
    chunksize: int | None = None,
) -> Iterator[T]:
    """Return the results of ``function(*items)`` in order, computed by tasks.

    Calls are put together in batches, the larger the shorter they are, and a few
    batches for each worker are under way: the iterables may be endless.

    Parameters
    ----------
    function
        A function, remote or not.
    iterables
        One for each argument; the shortest ends it.
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

    Examples
    --------
    >>> import serverless_dist as sd
    >>> with sd.init(workers=1):
    ...     list(sd.map(pow, range(4), [2] * 4))
    [0, 1, 4, 9]
    """
    items = zip(*iterables, strict=False)
    return _results(function, items, timeout, chunksize)


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
    return _results(function, items, timeout, chunksize)


def _results(
    function: Any, items: Iterator[Any], timeout: float | None, chunksize: int | None
) -> Iterator[Any]:
    is_whole = isinstance(chunksize, int) and not isinstance(chunksize, bool)
    if chunksize is not None and not (is_whole and chunksize > 0):
        msg = f"chunksize is {chunksize!r}: give a number above 0, or None"
        raise UsageError(msg)
    if not isinstance(function, RemoteFunction):
        function = remote(function)
    return Results(function, items, chunksize, timeout)
