"""Messages between two ranks, of objects and of buffers alike: a body and its way.

A send never waits for its receiver, except a synchronous one. So all that is left to
be told apart is what the body is made from and what is made of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from serverless_dist.comm.checks import check_rank, check_tag
from serverless_dist.comm.constants import ANY_SOURCE, PROC_NULL
from serverless_dist.comm.data.blocks import Block
from serverless_dist.comm.engine.endpoint import Endpoint
from serverless_dist.comm.engine.matching import Receive
from serverless_dist.comm.engine.operations import (
    Operation,
    Outcome,
    Reception,
    SynchronousSend,
    envelope_of,
)
from serverless_dist.comm.engine.scope import Scope
from serverless_dist.comm.engine.status import FROM_NOBODY, Envelope, Status
from serverless_dist.transport import Message
from serverless_dist.wire.codec import Body

Take = Callable[[Message], Any]
"""Makes of a message what the caller gets."""


def into(block: Block) -> Take:
    """Return what fills the block with a message."""

    def take(message: Message) -> None:
        block.write(message.body[0])

    return take


def nowhere(message: Message) -> None:
    """Drop a message: the take of a receive from `PROC_NULL`, to which none comes."""


@dataclass(slots=True)  # one for each message: not frozen, for the same reason
class Way:
    """Where a message goes to, checked; no `dest`: nowhere."""

    state: Scope
    dest: int | None
    tag: int

    @classmethod
    def to(cls, state: Scope, dest: int, tag: int) -> "Way":
        """Check rank and tag."""
        place = check_rank("dest", dest, len(state.peers), (PROC_NULL,))
        number = check_tag(tag)
        return cls(state, None if place == PROC_NULL else state.peers[place], number)

    def send(self, body: Body) -> None:
        """Send the body; its memory may be changed once the call returns."""
        if self.dest is not None:
            self.state.endpoint.post([self._message(body, self.dest)])

    def send_synchronously(self, body: Body) -> Operation:
        """Send the body; return what is done when the receiver has asked for it."""
        if self.dest is None:
            return Operation()
        endpoint = self.state.endpoint
        message = self._message(body, self.dest)
        return SynchronousSend(endpoint, endpoint.post_synchronous(message))

    def _message(self, body: Body, dest: int) -> Message:
        source = self.state.endpoint.rank
        return Message(source, (dest,), self.state.context, self.tag, body)


@dataclass(slots=True)
class Origin:
    """Where a message is to come from, checked; no `source`: from nowhere."""

    state: Scope
    source: int | None
    tag: int

    @classmethod
    def at(cls, state: Scope, source: int, tag: int) -> "Origin":
        """Check rank and tag."""
        special = (ANY_SOURCE, PROC_NULL)
        place = check_rank("source", source, len(state.peers), special)
        number = check_tag(tag, any_tag=True)
        return cls(
            state, None if place == PROC_NULL else state.source_of(place), number
        )

    def receive(self, take: Take, status: Status | None) -> Any:
        """Wait for the message; return what `take` makes of it."""
        state = self.state
        if self.source is None:
            if status is not None:
                status.fill(FROM_NOBODY)
            return None
        receive = Receive(state.context, self.source, self.tag)
        if not state.endpoint.expect((receive,)):
            try:
                state.endpoint.wait(receive)
            except BaseException:
                state.endpoint.withdraw(receive)  # the next one gets the message
                raise
        message = receive.message
        assert message is not None  # the wait has ended
        value = take(message)
        if status is not None:
            status.fill(envelope_of(state, message))
        return value

    def start(self, take: Take) -> Operation:
        """Return what is done when the message is here."""
        if self.source is None:
            return Operation(envelope=FROM_NOBODY)
        receive = Receive(self.state.context, self.source, self.tag)
        self.state.endpoint.expect((receive,))
        return Reception(self.state, receive, take)

    def find(self) -> Envelope | None:
        """Return the envelope of the first message that is here; it stays."""
        if self.source is None:
            return FROM_NOBODY
        endpoint = self.state.endpoint
        message = endpoint.find(self.state.context, self.source, self.tag)
        if message is None:
            endpoint.poll(self._probe(self.source))
            message = endpoint.find(self.state.context, self.source, self.tag)
        return None if message is None else envelope_of(self.state, message)

    def wait(self) -> Envelope:
        """Wait for a message, and return its envelope; it stays."""
        while (envelope := self.find()) is None:
            self._wait(self.source)
        return envelope

    def take(self) -> Message | None:
        """Remove and return the first message that is here."""
        if self.source is None or self.find() is None:
            return None
        return self.state.endpoint.take(self.state.context, self.source, self.tag)

    def wait_and_take(self) -> Message | None:
        """Wait for a message, remove and return it; None comes from nowhere."""
        if self.source is None:
            return None
        while (message := self.take()) is None:
            self._wait(self.source)
        return message

    def _wait(self, source: int | None) -> None:
        if source is not None:
            self.state.endpoint.wait(self._probe(source))

    def _probe(self, source: int) -> "_Probe":
        return _Probe(self.state.endpoint, self.state.context, source, self.tag)


class _Probe(Receive):
    """Waits for a message without taking it: it is never posted."""

    __slots__ = ("_endpoint",)

    def __init__(self, endpoint: Endpoint, context: int, source: int, tag: int) -> None:
        super().__init__(context, source, tag)
        self._endpoint = endpoint

    @property
    def is_done(self) -> bool:
        """Whether the message is here."""
        return self._endpoint.find(*self.pattern) is not None


def finish(operation: Operation) -> Outcome:
    """Wait for an operation; return its value and envelope."""
    if not operation.is_done and operation.endpoint is not None:
        operation.endpoint.wait(operation)
    return operation.finish()
