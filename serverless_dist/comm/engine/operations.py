"""What requests stand for: things under way that a rank can wait for.

An operation is done at some time; then `finish`, called by the rank's own thread,
returns what it brought: a value and an `Envelope`. To finish twice returns the same.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from serverless_dist.comm.engine.channel import Channel
from serverless_dist.comm.engine.endpoint import Acknowledged, Endpoint
from serverless_dist.comm.engine.matching import TAG_MASK, Receive, name_ranks
from serverless_dist.comm.engine.scope import Scope
from serverless_dist.comm.engine.status import NO_MESSAGE, Envelope
from serverless_dist.comm.exceptions import ERR_REQUEST, MPIError
from serverless_dist.comm.steps import Exchange, Recv, Send, Steps
from serverless_dist.transport import Message

Outcome = tuple[Any, Envelope]


class Operation:
    """Done from the start; the others refine it.

    Parameters
    ----------
    endpoint
        Whose waiting moves it on; None: nothing has to.
    value, envelope
        What it brings.
    """

    def __init__(
        self,
        endpoint: Endpoint | None = None,
        value: Any = None,
        envelope: Envelope = NO_MESSAGE,
    ) -> None:
        self.endpoint = endpoint
        self.value = value
        self.envelope = envelope

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'done' if self.is_done else self.describe()}>"

    @property
    def is_done(self) -> bool:
        """Whether `finish` may be called."""
        return True

    @property
    def is_active(self) -> bool:
        """Whether there is anything to wait for; only persistent ones may not be."""
        return True

    @property
    def is_persistent(self) -> bool:
        """Whether its request can be started again."""
        return False

    def sources(self) -> Collection[int]:
        """Return the ranks of the job whose messages would end it; empty: any."""
        return ()

    def describe(self) -> str:
        """Return what it waits for."""
        return "for nothing"

    def peek(self) -> Envelope:
        """Return the envelope of an operation that is done, without finishing it."""
        return self.envelope

    def finish(self) -> Outcome:
        """Return what it brought, or raise why it failed."""
        return self.value, self.envelope

    def cancel(self) -> None:
        """Give it up if that is still possible."""


class SynchronousSend(Operation):
    """A send that is done when its message has been asked for."""

    def __init__(self, endpoint: Endpoint, send: Acknowledged) -> None:
        super().__init__(endpoint)
        self._send = send

    @property
    def is_done(self) -> bool:
        """Whether the message has been asked for."""
        return self._send.is_done

    def sources(self) -> Collection[int]:
        """Return the receiver."""
        return self._send.sources()

    def describe(self) -> str:
        """Return what it waits for."""
        return self._send.describe()


class Reception(Operation):
    """A receive.

    Parameters
    ----------
    state
        The communicator.
    receive
        Posted, or with its message.
    take
        Turns the message into the value: decodes it, or fills the user's buffer.
    """

    def __init__(
        self, state: Scope, receive: Receive, take: Callable[[Message], Any]
    ) -> None:
        super().__init__(state.endpoint)
        self._state = state
        self._receive = receive
        self._take: Callable[[Message], Any] | None = take
        self._is_cancelled = False
        self._failure: Exception | None = None

    @property
    def is_done(self) -> bool:
        """Whether the message is here."""
        return self._receive.message is not None or self._is_cancelled

    def sources(self) -> Collection[int]:
        """Return the source, if it is one."""
        return self._receive.sources()

    def describe(self) -> str:
        """Return what it waits for."""
        return self._receive.describe()

    def peek(self) -> Envelope:
        """Return the envelope of the message, which is taken: it fills its buffer."""
        return self.finish()[1]

    def finish(self) -> Outcome:
        """Return the value of the message and its envelope, or raise what was wrong."""
        message, take = self._receive.message, self._take
        if message is not None and take is not None:
            self._take = None
            self.envelope = envelope_of(self._state, message)
            try:
                self.value = take(message)
            except Exception as error:
                self._failure = error
        if self._failure is not None:
            raise self._failure
        return self.value, self.envelope

    def cancel(self) -> None:
        """Stop waiting, if the message has not come."""
        if self.endpoint is not None and self.endpoint.withdraw(self._receive):
            self._is_cancelled = True
            self.envelope = Envelope(is_cancelled=True)
            self.endpoint.tell()  # another thread may wait for it


class Collective(Operation):
    """An algorithm's steps under way: each runs when what it waits for is here.

    Parameters
    ----------
    channel
        Sends and receives for this call alone.
    steps
        The algorithm; its result is the value.
    """

    def __init__(self, channel: Channel, steps: Steps[Any]) -> None:
        super().__init__(channel.state.endpoint)
        self._channel = channel
        self._steps = steps
        self._receives: Sequence[Receive] = ()
        self._failure: Exception | None = None
        self._is_done = False
        self._step: Send | Recv | Exchange | None = None
        self._advance(None)

    @property
    def is_done(self) -> bool:
        """Whether the algorithm has come to its end, or failed."""
        return self._is_done

    def sources(self) -> Collection[int]:
        """Return those whose messages the present step lacks."""
        return tuple(each.source for each in self._receives if each.message is None)

    def describe(self) -> str:
        """Return the call, and for whom it waits."""
        return f"{self._channel.label} from {name_ranks(self.sources())}"

    def finish(self) -> Outcome:
        """Return the algorithm's result, or raise what it raised."""
        if self._failure is not None:
            raise self._failure
        return self.value, self.envelope

    def _resume(self) -> None:
        """Go on with the messages that the last step waited for, in any thread."""
        try:
            answer = self._answer()
        except Exception as error:
            self._end(error)
        else:
            self._advance(answer)
        if self._is_done and self.endpoint is not None:
            self.endpoint.tell()

    def _advance(self, answer: Any) -> None:
        """Run steps until one has to wait, or the end."""
        try:
            while True:
                self._step = step = self._steps.send(answer)
                if not self._perform(step):
                    return
                answer = self._answer()
        except StopIteration as stop:
            self.value = stop.value
            self._end(None)
        except Exception as error:  # an operator of the user's may raise anything
            self._end(error)

    def _perform(self, step: Send | Recv | Exchange) -> bool:
        """Post what the step asks for; return whether its messages are here."""
        sends: tuple[Send, ...] = ()
        recvs: tuple[int, ...] = ()
        match step:
            case Send():
                sends = (step,)
            case Recv(source):
                recvs = (source,)
            case Exchange(sends, recvs):
                pass
        if sends:
            self._channel.post(sends)
        self._receives = self._channel.receives(recvs)
        return self._channel.state.endpoint.expect(self._receives, self._resume)

    def _answer(self) -> Any:
        """Return what the present step's ``yield`` is worth."""
        if isinstance(self._step, Send):
            return None
        data = [self._channel.open(receive) for receive in self._receives]
        return data[0] if isinstance(self._step, Recv) else data

    def _end(self, failure: Exception | None) -> None:
        self._receives = ()
        self._failure = failure
        self._is_done = True


class Persistent(Operation):
    """Something that can be started again and again.

    Parameters
    ----------
    begin
        Starts it once.
    """

    def __init__(self, endpoint: Endpoint, begin: Callable[[], Operation]) -> None:
        super().__init__(endpoint)
        self._begin = begin
        self._current: Operation | None = None

    @property
    def is_persistent(self) -> bool:
        """True."""
        return True

    @property
    def is_active(self) -> bool:
        """Whether it was started and not finished since."""
        return self._current is not None

    @property
    def is_done(self) -> bool:
        """Whether what was started is done."""
        return self._current is None or self._current.is_done

    def start(self) -> None:
        """Begin.

        Raises
        ------
        MPIError
            It is under way.
        """
        if self._current is not None:
            msg = "the request is under way: wait for it before starting it again"
            raise MPIError(ERR_REQUEST, msg)
        self._current = self._begin()

    def sources(self) -> Collection[int]:
        """Return those of what was started."""
        return () if self._current is None else self._current.sources()

    def describe(self) -> str:
        """Return what it waits for."""
        return "for nothing" if self._current is None else self._current.describe()

    def peek(self) -> Envelope:
        """Return the envelope of what was started."""
        return NO_MESSAGE if self._current is None else self._current.peek()

    def finish(self) -> Outcome:
        """Finish what was started; it may be started again."""
        current, self._current = self._current, None
        return (None, NO_MESSAGE) if current is None else current.finish()

    def cancel(self) -> None:
        """Give up what was started."""
        if self._current is not None:
            self._current.cancel()


def envelope_of(state: Scope, message: Message) -> Envelope:
    """Return what the receiver is told about a message."""
    return Envelope(
        state.place_of(message.source),
        message.tag & TAG_MASK,
        sum(memoryview(buffer).nbytes for buffer in message.body),
    )
