"""A driver that follows a script, for the client of a test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import serverless_dist as sd
from serverless_dist.tasks.arguments import (
    pack_value,
)
from serverless_dist.tasks.client import Client
from serverless_dist.tasks.current import set_client
from serverless_dist.tasks.messages import (
    Answer,
    Ask,
    Message,
    Put,
    Unask,
)
from serverless_dist.tasks.refs import ObjectRef
from serverless_dist.tasks.values import Form, Value
from serverless_dist.wire import Body

JOB = bytes(16)


class DictStore:
    """Large values in a dictionary."""

    def __init__(self) -> None:
        self.bodies: dict[bytes, bytes] = {}

    def put(self, body: Body) -> bytes:
        key = b"%d" % len(self.bodies)
        self.bodies[key] = b"".join(body)
        return key

    def get(self, key: bytes) -> memoryview:
        return memoryview(self.bodies[key])

    def delete(self, keys: Any) -> None:
        for key in keys:
            self.bodies.pop(key, None)

    def close(self) -> None: ...


class ScriptedDriver:
    """Keeps what it is told; answers at once with the values that it was given."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.values: dict[int, Value] = {}
        self.asked = threading.Event()
        self.client = Client(0, JOB, DictStore(), self.post)

    def post(self, message: Message, *, urgent: bool) -> None:
        del urgent
        self.messages.append(message)
        if isinstance(message, Put):
            self.values[message.id] = message.value
        if isinstance(message, Ask):
            known = [number for number in message.ids if number in self.values]
            if len(known) >= message.needed:
                self.answer(message)
            self.asked.set()
        if isinstance(message, Unask):
            self.answer(next(each for each in self.asks() if each[0] == message[0]))

    def answer(self, ask: Ask) -> None:
        known = tuple(number for number in ask.ids if number in self.values)
        values = tuple(self.values[number] for number in known)
        answer = Answer(ask.request, known, values if ask.wants_values else ())
        self.client.deliver(answer)

    def asks(self) -> list[Ask]:
        return [each for each in self.messages if isinstance(each, Ask)]

    def said(self, kind: type[Any]) -> list[Any]:
        return [each for each in self.messages if type(each) is kind]

    def know(self, number: int, value: Value) -> None:
        self.values[number] = value

    def body(self, value: Value) -> bytes | memoryview:
        if value.form == Form.STORED:
            return self.client.store.get(value.data)
        return value.data

    def ref(self, number: int, value: object = None) -> ObjectRef[Any]:
        self.know(number, self.client.keep(*pack_value(value)))
        return self.unknown(number)

    def unknown(self, number: int) -> ObjectRef[Any]:
        return ObjectRef(number, self.client)


@contextmanager
def opened() -> Iterator[ScriptedDriver]:
    scripted = ScriptedDriver()
    set_client(scripted.client)
    yield scripted
    scripted.client.fail(sd.UsageError("the test is over"))
    set_client(None)
