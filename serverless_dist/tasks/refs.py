"""References to values that may not be known yet."""

import asyncio
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

from serverless_dist.errors import UsageError
from serverless_dist.tasks.client import Client
from serverless_dist.tasks.current import client_of, require_current
from serverless_dist.tasks.failures import exception_of
from serverless_dist.tasks.messages import Answer
from serverless_dist.tasks.values import Form, Value, failure_of
from serverless_dist.wire import decode

T_co = TypeVar("T_co", covariant=True)

_met: ContextVar[list[int] | None] = ContextVar("met", default=None)


class ObjectRef(Generic[T_co]):
    """A reference to a value: what a task will return, or what was put.

    It can be an argument of another task, which gets the value; inside of a list or
    another object it stays a ref. The value is kept as long as a ref of it exists
    anywhere in the session. Refs are equal if they refer to the same value.

    ``await ref`` gives the value, as `get` does, without holding up the event loop.

    Examples
    --------
    >>> import serverless_dist as sd
    >>> with sd.init(workers=1):
    ...     ref = sd.put([1, 2])
    ...     ref.future().result()
    [1, 2]
    """

    __slots__ = ("__weakref__", "client", "id")

    def __init__(self, id: int, client: Client) -> None:
        self.id = id
        self.client = client

    def __repr__(self) -> str:
        return f"<ObjectRef {self.hex()}>"

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ObjectRef):
            return NotImplemented
        return self.id == other.id and self.client.job == other.client.job

    def __del__(self) -> None:
        self.client.release(self.id)

    def __reduce__(self) -> tuple[Any, ...]:
        note_ref(self)
        return _ref_again, (self.client.job, self.id)

    def hex(self) -> str:
        """Return the name of the value as text."""
        return f"{self.id:016x}"

    def future(self) -> "Future[T_co]":
        """Return a future of the value, for code that takes futures.

        It cannot be cancelled; `cancel` does that to the task.
        """
        future: Future[T_co] = Future()
        future.set_running_or_notify_cancel()

        def settle(answer: Answer | None) -> None:
            try:
                if answer is None:  # the session has ended: this raises why
                    answer = self.client.ask([self.id], 1)
                future.set_result(load(answer.values[0], self.client))
            except BaseException as error:
                future.set_exception(error)

        require_current(self.client).watch([self.id], settle)
        return future

    def __await__(self) -> Generator[Any, None, T_co]:
        return asyncio.wrap_future(self.future()).__await__()


class ObjectRefGenerator(Generic[T_co]):
    """Iterates over refs of what a task yields, each as soon as it is there.

    It ends where the task's generator ends. If that raises, the last ref raises it.
    What nobody has taken is forgotten with the generator. ``async for`` works as well.

    Examples
    --------
    >>> import serverless_dist as sd
    >>> @sd.remote
    ... def squares(count):
    ...     for number in range(count):
    ...         yield number * number
    >>> with sd.init(workers=1):
    ...     [sd.get(ref) for ref in squares.remote(3)]
    [0, 1, 4]
    """

    def __init__(self, stream: ObjectRef[Any]) -> None:
        self._stream = stream
        self._place = 0

    def __repr__(self) -> str:
        return f"<ObjectRefGenerator {self._stream.hex()}, {self._place} taken>"

    def __reduce__(self) -> tuple[Any, ...]:
        msg = "an ObjectRefGenerator cannot be passed on: pass the refs that it gives"
        raise TypeError(msg)

    def __iter__(self) -> "Iterator[ObjectRef[T_co]]":
        return self

    def __next__(self) -> ObjectRef[T_co]:
        client = require_current(self._stream.client)
        return self._take(client.ask([self._next_id], 1), StopIteration)

    def __aiter__(self) -> "ObjectRefGenerator[T_co]":
        return self

    async def __anext__(self) -> ObjectRef[T_co]:
        known: Future[Answer | None] = Future()
        known.set_running_or_notify_cancel()  # so that nobody but the client ends it
        client = require_current(self._stream.client)
        client.watch([self._next_id], known.set_result)
        answer = await asyncio.wrap_future(known)
        if answer is None:  # the session has ended: this raises why
            answer = client.ask([self._next_id], 1)
        return self._take(answer, StopAsyncIteration)

    def completed(self) -> ObjectRef[Any]:
        """Return a ref that is known once the task has ended."""
        return self._stream

    @property
    def _next_id(self) -> int:
        return self._stream.id + 1 + self._place

    def _take(self, answer: Answer, end: Callable[[], Exception]) -> ObjectRef[T_co]:
        if answer.values[0].form == Form.END:
            raise end()
        (id,) = answer.ids
        client = self._stream.client
        client.hold(id)
        self._place += 1
        return ObjectRef(id, client)


@contextmanager
def noting_refs() -> Iterator[list[int]]:
    """Give a list that fills with the ids of the refs that are pickled meanwhile."""
    met: list[int] = []
    token = _met.set(met)
    try:
        yield met
    finally:
        _met.reset(token)


def note_ref(ref: ObjectRef[Any]) -> None:
    """Take note that a ref is being pickled.

    One that is pickled by somebody else may come back at any time, so its value is
    kept until the session ends.
    """
    client = require_current(ref.client)
    met = _met.get()
    if met is None:
        client.hold(ref.id)
    else:
        met.append(ref.id)


def client_of_refs(
    what: str, refs: object, kind: type[Exception] = UsageError
) -> Client:
    """Return the client of a list of refs, all of which are of the open session.

    Parameters
    ----------
    what
        Who was given them, for errors.
    refs
        Not empty.
    kind
        The class of the error if this is no list or tuple, or something else than a
        ref is in it.

    Raises
    ------
    UsageError
        A ref is of a session that is not open here.
    """
    if not isinstance(refs, list | tuple):
        msg = f"{what} takes a ref or a list of refs, not a {type(refs).__qualname__}"
        raise kind(msg)
    client = None
    for place, ref in enumerate(refs):
        if not isinstance(ref, ObjectRef):
            msg = f"{what} got a {type(ref).__qualname__} at place {place} of its refs"
            raise kind(msg)
        if ref.client is not client:
            client = require_current(ref.client)
    assert client is not None
    return client


def load(value: Value, client: Client) -> Any:
    """Return what a value is, or raise why there is none; arrays are read-only."""
    if value.form == Form.INLINE:
        return decode([value.data]) if value.data else None
    if value.form == Form.STORED:
        return decode([client.store.get(value.data)])
    if value.form == Form.END:  # what a stream itself comes to
        return None
    raise exception_of(failure_of(value))


def _ref_again(job: bytes, id: int) -> ObjectRef[Any]:
    client = client_of(job)
    client.hold(id)
    return ObjectRef(id, client)
