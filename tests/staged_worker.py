"""A worker on a stage: this thread is it, and a script holds the other end."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import pytest

from serverless_dist.cloud import Meter
from serverless_dist.tasks.arguments import pack_arguments
from serverless_dist.tasks.client import Client
from serverless_dist.tasks.code import Code as Target, pack_code
from serverless_dist.tasks.current import set_client
from serverless_dist.tasks.invitation import Invitation
from serverless_dist.tasks.messages import (
    Code,
    Finished,
    Hello,
    Kind,
    Message,
    Order,
    Policy,
    Run,
    Spec,
    Stop,
    pack,
    unpack,
)
from serverless_dist.tasks.places import LocalPlace
from serverless_dist.tasks.refs import load
from serverless_dist.tasks.values import Value
from serverless_dist.tasks.worker import _Worker
from serverless_dist.wire import Body, JobKey
from tests.scripted_driver import JOB, DictStore

M = TypeVar("M")
LONG = 1_000.0  # seconds: never, in a test


class HeldLine:
    """A worker's line; the test says what arrives, and sees what is sent."""

    is_remote = True

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.bodies: list[list[Any]] = []
        self._inward: SimpleQueue[bytes | Exception | None] = SimpleQueue()
        self._outward: SimpleQueue[Message] = SimpleQueue()

    # The worker's side.

    def send(self, bodies: Sequence[Body]) -> None:
        for body in bodies:
            messages = unpack(b"".join(body))
            self.bodies.append(messages)
            for message in messages:
                self._outward.put(message)

    def receive(self, wait: float) -> list[bytes | bytearray]:
        try:
            item = self._inward.get(timeout=wait) if wait else self._inward.get_nowait()
        except Empty:
            return []
        if isinstance(item, Exception):
            raise item
        return [] if item is None else [item]

    def wake(self) -> None:
        self._inward.put(None)

    def stop_reading(self) -> None: ...

    def close(self) -> None: ...

    # The test's side.

    def tell(self, *orders: Order) -> None:
        self._inward.put(pack(orders))

    def fail(self, error: Exception) -> None:
        self._inward.put(error)

    def hear(self, kind: type[M]) -> M:
        """Return the next message of this kind, dropping what comes before it."""
        while not isinstance(message := self._outward.get(timeout=30), kind):
            pass
        return message

    def said(self, kind: type[M]) -> list[M]:
        return [each for body in self.bodies for each in body if isinstance(each, kind)]


Script = Callable[[HeldLine], None]


class Stage:
    """Plays a script for a worker that this very thread is."""

    def __init__(self) -> None:
        self.store = DictStore()
        self.client = Client(9, JOB, self.store, lambda message, *, urgent: None)

    def play(
        self, script: Script, *, lifetime: float = 0.0, patience: float = LONG
    ) -> HeldLine:
        line = HeldLine(patience)
        place = LocalPlace(Path("/nowhere"), Path("/nowhere"))
        key = JobKey(JOB, bytes(32))
        invitation = Invitation(key, 3, place, time.time(), lifetime)
        self.worker = _Worker(invitation, line, self.store, Meter())

        def act() -> None:
            try:
                line.hear(Hello)
                script(line)
            finally:
                line.tell(Stop())

        with ThreadPoolExecutor(1) as pool:
            acted = pool.submit(act)
            self.worker.serve()
            self.worker.leave()
            acted.result()
        return line

    def value(self, value: Value) -> Any:
        return load(value, self.client)

    def order(
        self,
        attempt: int,
        function: Callable[..., Any] | None,
        *args: Any,
        kind: Kind = Kind.CALL,
        **fields: Any,
    ) -> tuple[Order, ...]:
        """Return what the driver tells a worker that is to run this."""
        digest, told = b"", list[Order]()
        if function is not None:
            digest, body = pack_code(Target(function, (KeyError,)), {})
            told.append(Code(digest, self.client.keep(body)))
        payload = self.client.keep(pack_arguments("f", args, {}).body)
        spec = Spec(
            100 + attempt, 1, kind, "f", digest, payload, (), 0, "", 0, Policy()
        )
        state = fields.pop("state", None)
        return *told, Run(attempt, spec._replace(**fields), (), state)


@pytest.fixture
def stage() -> Iterator[Stage]:
    handler = signal.getsignal(signal.SIGINT)
    yield Stage()
    signal.signal(signal.SIGINT, handler)
    set_client(None)


@pytest.fixture
def exits(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Keep how the worker would have ended its process, and end the thread instead."""
    codes: list[int] = []

    def leave(code: int) -> None:
        codes.append(code)
        stage.worker._is_ending = True
        stage.worker._steps.put("stop")
        raise SystemExit

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    return codes


def identity(x: Any) -> Any:
    return x


def done(message: Finished) -> tuple[int, ...]:
    return message.attempt, message.values[0].form
