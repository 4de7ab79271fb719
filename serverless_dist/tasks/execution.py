"""Carrying a task out, on the main thread of a worker."""

import asyncio
import inspect
import sys
import time
from asyncio import base_events, runners
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from serverless_dist.errors import CloudError, DeadlineError, UnpicklableError
from serverless_dist.runtime.guard import Abandoned, OutOfTime
from serverless_dist.tasks import arguments, refs
from serverless_dist.tasks.arguments import pack_value, unpack_arguments
from serverless_dist.tasks.client import Client
from serverless_dist.tasks.code import Code, unpack_code
from serverless_dist.tasks.failures import failure_of_exception
from serverless_dist.tasks.messages import (
    STREAM_LENGTH,
    STREAMING,
    Finished,
    Kind,
    Message,
    Run,
    Yielded,
)
from serverless_dist.tasks.refs import load
from serverless_dist.tasks.values import END, Cause, Failure, Form, Value, failed
from serverless_dist.wire import decode

_HIDDEN = frozenset(
    module.__file__ or ""
    for module in (sys.modules[__name__], arguments, refs, runners, base_events)
)


class Interruption(BaseException):
    """What a task's thread raises when the task is to stop."""


class Executor:
    """Runs tasks one after the other; keeps the code it has met, and its actor.

    Parameters
    ----------
    client
        The worker's.
    report
        Takes what is to be told before a task has ended.
    """

    def __init__(self, client: Client, report: Callable[[Message], None]) -> None:
        self._client = client
        self._report = report
        self._shipped: dict[bytes, Value] = {}
        self._codes: dict[bytes, Code] = {}
        self._actor: Any = None
        self._result: Any = None  # of the last task, until `forget_result`

    def __repr__(self) -> str:
        return f"<Executor {len(self._codes)} codes, actor {type(self._actor)}>"

    def keep_code(self, digest: bytes, value: Value) -> None:
        """Keep code until a task needs it."""
        self._shipped[digest] = value

    def pack_actor(self) -> Value:
        """Return the actor's state, for another worker to go on with.

        If it cannot travel it is a failure, which the other worker raises.
        """
        try:
            return self._client.keep(*pack_value(self._actor))
        except (UnpicklableError, CloudError) as error:
            name = type(self._actor).__qualname__
            return failed(
                Failure(Cause.ACTOR, name, f"cannot go on elsewhere: {error}")
            )

    def pass_on(self, creation: Run) -> Value:
        """Return the state of an actor that another worker is to make instead."""
        state = creation.state or END
        if state.form != Form.STORED:
            return state
        return self._client.keep((self._body(state),), state.refs)  # with a new key

    def run(self, order: Run) -> Finished:
        """Carry a task out; whatever it raises is its outcome.

        What it returns is kept, see `forget_result`.

        Raises
        ------
        Interruption
            The task was interrupted.
        Abandoned
            The session is over.
        """
        spec = order.spec
        started = time.perf_counter()
        self._client.task = spec.id
        length, is_retryable = 0, False
        try:
            if spec.num_returns == STREAMING:
                values: tuple[Value, ...] = ()
                length = self._stream(order.attempt, self._call(order))
            else:
                values = self._split(self._call(order), spec.num_returns)
        except (Abandoned, Interruption):
            raise
        except BaseException as error:
            if isinstance(error, OutOfTime):
                error = DeadlineError(str(error)).with_traceback(error.__traceback__)
            failure = failure_of_exception(spec.name, error, _HIDDEN)
            values = (failed(failure),)
            is_retryable = isinstance(error, self._worth_retrying(spec.code))
        finally:
            self._client.task = 0
        seconds = time.perf_counter() - started
        return Finished(order.attempt, values, length, seconds, is_retryable)

    def forget_result(self) -> None:
        """Let what the last task has returned go.

        The refs in it are to be held until the driver knows that the value holds them.
        """
        self._result = None

    def _call(self, order: Run) -> Any:
        """Return what the user's function returns."""
        spec = order.spec
        values = [load(value, self._client) for value in order.values]
        args, kwargs = unpack_arguments([self._body(spec.payload)], values)
        if spec.kind == Kind.METHOD:
            return _finish(getattr(self._actor, spec.method)(*args, **kwargs))
        code = self._code(spec.code)
        target = code.target
        if spec.kind == Kind.MAP:
            return self._map(spec.name, code, *args)
        if spec.kind == Kind.CREATE:
            self._make_actor(order.state, target, args, kwargs)
            return None
        return _finish(target(*args, **kwargs))

    def _map(
        self, name: str, code: Code, items: Iterable[Sequence[Any]]
    ) -> tuple[list[Any], Failure | None, float]:
        """Return results up to the first item that raises, its failure, and seconds."""
        results: list[Any] = []
        failure: Failure | None = None
        started = time.perf_counter()
        try:
            for item in items:  # one by one: those before an error count
                results.append(_finish(code.target(*item)))  # noqa: PERF401
        except Exception as error:
            if isinstance(error, code.retry_exceptions):  # then the whole batch is
                raise
            failure = failure_of_exception(name, error, _HIDDEN)
        return results, failure, time.perf_counter() - started

    def _make_actor(
        self, state: Value | None, target: Callable[..., Any], args: Any, kwargs: Any
    ) -> None:
        if state is None or state.form == Form.END:
            self._actor = target(*args, **kwargs)
        elif state.form == Form.FAILURE:
            load(state, self._client)
        else:  # its arrays are its own, to be changed
            self._actor = decode([bytearray(self._body(state))])

    def _split(self, result: Any, num_returns: int) -> tuple[Value, ...]:
        """Return one value for each ref."""
        self._result = result
        if num_returns == 1:
            return (self._value(result),)
        if num_returns == 0:
            return ()
        results = self._result = list(result)
        if len(results) != num_returns:
            msg = f"num_returns is {num_returns}, but {len(results)} values came back"
            raise ValueError(msg)
        return tuple([self._value(each) for each in results])

    def _stream(self, attempt: int, results: Iterable[Any]) -> int:
        """Tell of each value that a generator yields; return how many there were."""
        place = 0
        for result in results:
            if place >= STREAM_LENGTH:
                msg = f"a task yields at most {STREAM_LENGTH:,} values"
                raise ValueError(msg)
            self._report(Yielded(attempt, place, self._value(result)))
            place += 1
        return place

    def _value(self, result: Any) -> Value:
        try:
            return self._client.keep(*pack_value(result))
        except UnpicklableError as error:
            kind = f"{type(result).__module__}.{type(result).__qualname__}"
            msg = f"the returned {kind} cannot be pickled: {error.__cause__}"
            raise UnpicklableError(msg) from None

    def _code(self, digest: bytes) -> Code:
        code = self._codes.get(digest)
        if code is None:
            code = unpack_code([self._body(self._shipped[digest])])
            self._codes[digest] = code
            del self._shipped[digest]
        return code

    def _worth_retrying(self, digest: bytes) -> tuple[type[BaseException], ...]:
        code = self._codes.get(digest)
        return () if code is None else code.retry_exceptions

    def _body(self, value: Value) -> bytes | memoryview:
        if value.form == Form.STORED:
            return self._client.store.get(value.data)
        return value.data


def _finish(result: Any) -> Any:
    """Return a result; what an ``async def`` returns is run to its end first."""
    return asyncio.run(result) if inspect.iscoroutine(result) else result
