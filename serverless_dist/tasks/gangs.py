"""Gangs: tasks that run on several ranks at once, each with its communicator.

A gang is a run of its own (`runtime.run`): ranks start together, talk over their own
channel, and end together. Its function and arguments are unpickled by the ranks alone;
what the ranks return by the gang's thread, in the driver's process. Its value is the
list of that.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event, Thread
from typing import Any

from serverless_dist.cloud import Usage
from serverless_dist.comm import Communicator
from serverless_dist.config import Config
from serverless_dist.errors import RankError, TaskCancelledError
from serverless_dist.runtime import run
from serverless_dist.tasks.arguments import pack_value, unpack_arguments
from serverless_dist.tasks.client import Client
from serverless_dist.tasks.code import unpack_code
from serverless_dist.tasks.failures import failure_of_exception
from serverless_dist.tasks.instructions import Begin
from serverless_dist.tasks.messages import Finished
from serverless_dist.tasks.values import (
    Cause,
    Failure,
    Form,
    Value,
    failed,
)
from serverless_dist.wire import decode, encode

_GOODBYE = 5.0  # seconds that a gang may take to stop


class Gangs:
    """The gangs that are under way, each in a thread.

    Parameters
    ----------
    cloud, config
        Where they run.
    client
        The driver's.
    report
        Called from a gang's thread with how it went and what it used.
    """

    def __init__(
        self,
        cloud: str,
        config: Config,
        client: Client,
        report: Callable[[Finished, Usage], None],
    ) -> None:
        self._cloud = cloud
        self._config = config
        self._client = client
        self._report = report
        self._under_way: dict[int, tuple[Thread, Event]] = {}

    def __repr__(self) -> str:
        return f"<Gangs {len(self._under_way)} under way>"

    def begin(self, order: Begin) -> None:
        """Start the ranks of a gang."""
        cancelled = Event()
        thread = Thread(
            target=self._run,
            args=(order, cancelled),
            name=f"serverless_dist gang {order.spec.name}",
            daemon=True,
        )
        self._under_way[order.attempt] = (thread, cancelled)
        thread.start()

    def halt(self, attempt: int) -> None:
        """Stop the ranks of a gang soon."""
        if attempt in self._under_way:
            self._under_way[attempt][1].set()

    def close(self) -> None:
        """Stop all gangs and wait for them."""
        for _, cancelled in list(self._under_way.values()):
            cancelled.set()
        for thread, _ in list(self._under_way.values()):
            thread.join(_GOODBYE)

    def _run(self, order: Begin, cancelled: Event) -> None:
        started = time.monotonic()
        usage = Usage()
        try:
            policy = order.spec.policy
            results = run(
                _member,
                self._body(order.code),
                self._body(order.spec.payload),
                [self._body(value) for value in order.values],
                ranks=policy.ranks,
                cloud=self._cloud,
                channel=policy.channel or None,
                timeout=policy.timeout or None,
                config=self._config,
                cancelled=cancelled,
            )
            usage = results.report.usage
            value = self._client.keep(*pack_value(list(results)))
        except BaseException as error:
            value = failed(_failure(order.spec.name, error))
        seconds = time.monotonic() - started
        self._under_way.pop(order.attempt, None)
        finished = Finished(order.attempt, (value,), 0, seconds, is_retryable=False)
        self._report(finished, usage)

    def _body(self, value: Value) -> bytes:
        if value.form == Form.STORED:
            return bytes(self._client.store.get(value.data))
        return value.data


def _member(
    comm: Communicator, code: bytes, payload: bytes, values: Sequence[bytes]
) -> Any:
    """Run the user's function on one rank."""
    __tracebackhide__ = True
    function = unpack_code([code]).target
    args, kwargs = unpack_arguments([payload], [decode([value]) for value in values])
    return function(comm, *args, **kwargs)


def _failure(name: str, error: BaseException) -> Failure:
    if isinstance(error, TaskCancelledError):
        return Failure(Cause.CANCELLED, name, "was cancelled")
    if not isinstance(error, RankError):
        return failure_of_exception(name, error)
    cause = b""
    if error.__cause__ is not None:
        with suppress(Exception):  # the exception is a courtesy
            cause = b"".join(encode(error.__cause__))
    summary = f"failed: rank {error.rank} {error.summary}"
    return Failure(Cause.RAISED, name, summary, error.traceback, cause)
