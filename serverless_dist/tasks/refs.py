"""References to values that may not be known yet."""

import asyncio
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, TypeVar, cast

from serverless_dist.tasks.client import Client
from serverless_dist.tasks.current import client_of
from serverless_dist.tasks.failures import exception_of
from serverless_dist.tasks.values import Form, Value, failure_of
from serverless_dist.wire import decode

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_met: ContextVar[list[int] | None] = ContextVar("met", default=None)


class ObjectRef(Generic[T_co]):
    """A reference to a value: what a task will return, or what was put.

    It can be an argument of another task, which gets the value; inside of a list or
    another object it stays a ref. The value is kept as long as a ref of it exists
    anywhere. Refs are equal if they refer to the same value.

    Examples
    --------
    >>> import serverless_dist as sd
    >>> with sd.init():
    ...     ref = sd.put([1, 2])
    ...     ref.future().result()
    [1, 2]
    """

    __slots__ = ("__weakref__", "_client", "id")

    def __init__(self, id: int, client: Client) -> None:
        self.id = id
        self._client = client

    def __repr__(self) -> str:
        return f"<ObjectRef {self.hex()}>"

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ObjectRef):
            return NotImplemented
        return self.id == other.id and self._client.job == other._client.job

    def __del__(self) -> None:
        self._client.release(self.id)

    def __reduce__(self) -> tuple[Any, ...]:
        note_ref(self.id, self._client)
        return _ref_again, (self._client.job, self.id)

    def hex(self) -> str:
        """Return the name of the value as text."""
        return f"{self.id:016x}"

    def future(self) -> "Future[T_co]":
        """Return a future of the value, for code that takes futures."""
        return future_of(self)

    def __await__(self) -> Generator[Any, None, T_co]:
        return asyncio.wrap_future(self.future()).__await__()


class ObjectRefGenerator(Generic[T_co]):
    """Iterates over refs of what a task yields, each as soon as it is there.

    It ends where the task's generator ends. If that raises, the last ref raises it.
    """

    def __init__(self, stream: ObjectRef[Any], client: Client) -> None:
        self._stream = stream
        self._client = client
        self._place = 0

    def __repr__(self) -> str:
        return f"<ObjectRefGenerator {self._stream.hex()}, {self._place} taken>"

    def __iter__(self) -> "Iterator[ObjectRef[T_co]]":
        return self

    def __next__(self) -> ObjectRef[T_co]:
        id = self._stream.id + 1 + self._place
        (value,) = self._client.ask([id], 1).values
        if value.form == Form.END:
            raise StopIteration
        return self._take(id)

    def __aiter__(self) -> "ObjectRefGenerator[T_co]":
        return self

    async def __anext__(self) -> ObjectRef[T_co]:
        id = self._stream.id + 1 + self._place
        known: Future[None] = Future()
        self._client.watch([id], lambda: known.set_result(None))
        await asyncio.wrap_future(known)
        try:
            return next(self)
        except StopIteration:
            raise StopAsyncIteration from None

    def completed(self) -> ObjectRef[Any]:
        """Return a ref that is known once the task has ended."""
        return self._stream

    def _take(self, id: int) -> ObjectRef[T_co]:
        self._place += 1
        self._client.hold(id)
        return ObjectRef(id, self._client)


@contextmanager
def noting_refs() -> Iterator[list[int]]:
    """Give a list that fills with the ids of the refs that are pickled meanwhile."""
    met: list[int] = []
    token = _met.set(met)
    try:
        yield met
    finally:
        _met.reset(token)


def note_ref(id: int, client: Client) -> None:
    """Take note that a ref is being pickled.

    One that is pickled by somebody else may come back at any time, so its value is
    kept until the session ends.
    """
    met = _met.get()
    if met is None:
        client.hold(id)
    else:
        met.append(id)


def load(value: Value, client: Client) -> Any:
    """Return what a value is, or raise why there is none; arrays are read-only."""
    if value.form == Form.INLINE:
        return decode([value.data]) if value.data else None
    if value.form == Form.STORED:
        return decode([client.store.get(value.data)])
    raise exception_of(failure_of(value))


def future_of(ref: ObjectRef[T]) -> "Future[T]":
    """Return a future that gets the value of `ref` when it is known."""
    client = ref._client  # noqa: SLF001 - what is meant for refs only
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()
    client.watch([ref.id], _settler(ref, client, future))
    return future


def _settler(
    ref: ObjectRef[T], client: Client, future: "Future[T]"
) -> Callable[[], None]:
    def settle() -> None:
        try:
            (value,) = client.ask([ref.id], 1).values
            result = cast("T", load(value, client))
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    return settle


def _ref_again(job: bytes, id: int) -> ObjectRef[Any]:
    client = client_of(job)
    client.hold(id)
    return ObjectRef(id, client)
