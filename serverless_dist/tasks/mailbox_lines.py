"""Lines over a cloud's mailboxes: one for the driver, one for each worker; see `lines`.

A worker's number is the context of all messages between it and the driver, so streams
begin anew with each worker although several have the same mailbox, one after another.
What an earlier worker of the mailbox was sent is dropped by the later one.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from queue import Empty, SimpleQueue
from threading import Condition, Lock, Thread

from serverless_dist.cloud import Cloud
from serverless_dist.cloud.limits import MAX_WAIT
from serverless_dist.errors import ServerlessDistError
from serverless_dist.transport import Message
from serverless_dist.transport.hybrid import HybridTransport
from serverless_dist.wire import Body, JobKey

_PATIENCE = 0.05  # seconds: waiting so long costs as much as a queue message
_GOODBYE = 5.0  # seconds that the last poll may take
_LONG = 3_600.0  # seconds; no lock can be waited for longer than some years

_NOBODY = -1  # less the worker's number: the context of what is sent in its name

Received = tuple[int, bytes | bytearray]


class _Reader:
    """Reads a transport from a thread of its own, while anybody may send something.

    Parameters
    ----------
    transport
        What is read.
    is_reading
        Whether to read from the start on.
    """

    def __init__(self, transport: HybridTransport, *, is_reading: bool) -> None:
        self._transport = transport
        self._received: SimpleQueue[Sequence[Message] | Exception] = SimpleQueue()
        self._changed = Condition()
        self._is_reading = is_reading
        self._is_closed = self._is_polling = False
        self._thread = Thread(
            target=self._read, name="serverless_dist mailbox", daemon=True
        )
        self._thread.start()

    def set_reading(self, *, is_reading: bool) -> None:
        """Read from now on, or stop reading after the poll that is under way."""
        with self._changed:
            self._is_reading = is_reading
            self._changed.notify_all()

    def take(self, wait: float) -> list[Message]:
        """Return what was read, waiting up to `wait` seconds; raise what failed."""
        messages: list[Message] = []
        try:
            item = self._received.get(timeout=min(wait, _LONG)) if wait else None
            while True:
                if isinstance(item, Exception):
                    raise item
                messages += item or ()
                item = self._received.get_nowait()
        except Empty:
            return messages

    def wake(self) -> None:
        """Make `take` return soon."""
        self._received.put(())

    def close(self) -> None:
        """Stop reading, by a message to oneself if a poll is under way."""
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            self._changed.notify_all()
            is_polling = self._is_polling
        if is_polling:
            with suppress(ServerlessDistError):  # then the poll ends by itself
                self._transport.wake()
        self._thread.join(_GOODBYE)

    def _read(self) -> None:
        while True:
            with self._changed:
                self._is_polling = False
                self._changed.wait_for(lambda: self._is_reading or self._is_closed)
                if self._is_closed:
                    return
                self._is_polling = True
            try:
                self._received.put(self._transport.receive(MAX_WAIT))
            except Exception as error:
                self._received.put(error)
                self._is_polling = False
                return


class MailboxHub:
    """The driver's end of the lines to workers with mailboxes; see `Hub`.

    Parameters
    ----------
    cloud
        The fabric; its last mailbox is the driver's.
    size
        How many mailboxes there are, the driver's included.
    key
        The session's key.
    """

    def __init__(self, cloud: Cloud, size: int, key: JobKey) -> None:
        self._driver = size - 1
        self._transport = HybridTransport(self._driver, size, cloud, key)
        self._reader = _Reader(self._transport, is_reading=False)
        self._lock = Lock()
        self._sending = Lock()  # apart: a request takes long
        self._mailboxes: dict[int, int] = {}  # of workers

    def __repr__(self) -> str:
        return f"<MailboxHub {len(self._mailboxes)} workers>"

    def expect(self, worker: int, mailbox: int) -> None:
        """Let a worker in, who has this mailbox."""
        with self._lock:
            self._mailboxes[worker] = mailbox
            self._reader.set_reading(is_reading=True)

    def send(self, bodies: Mapping[int, Sequence[Body]]) -> None:
        """Send bodies, those of several workers in common requests."""
        with self._lock:
            messages = [
                Message(self._driver, (self._mailboxes[worker],), worker, 0, body)
                for worker, each in bodies.items()
                for body in each
                if worker in self._mailboxes
            ]
        if messages:
            with self._sending:
                self._transport.send(messages)

    def receive(self, wait: float) -> list[Received]:
        """Return what workers have sent, waiting up to `wait` seconds for the first."""
        return [
            (worker, message.body[0])  # type: ignore[misc]
            for message in self._reader.take(wait)
            if self._mailboxes.get(worker := _worker(message.context)) == message.source
        ]

    def wake(self) -> None:
        """Make `receive` return soon; this needs no request."""
        self._reader.wake()

    def forget(self, worker: int) -> None:
        """Let nothing more of a worker in; without workers, do not poll."""
        with self._lock:
            self._mailboxes.pop(worker, None)
            if not self._mailboxes:
                self._reader.set_reading(is_reading=False)

    def close(self) -> None:
        """Stop polling and delete what was received."""
        self._reader.close()
        self._transport.close()


def mourn(
    cloud: Cloud, mailbox: int, size: int, *, worker: int, key: JobKey, body: Body
) -> None:
    """Send a body in a worker's name, since the worker cannot.

    It has a stream of its own: how far the worker's has come is not known.
    """
    transport = HybridTransport(mailbox, size, cloud, key)
    with closing(transport):
        context = _NOBODY - worker
        transport.send([Message(mailbox, (size - 1,), context, 0, body)])


def _worker(context: int) -> int:
    return context if context > 0 else _NOBODY - context


class _WorkerTransport(HybridTransport):
    """The transport of one of several workers that have a mailbox in turn.

    An object of its own is never put over one of an earlier worker, which the driver
    may not have read yet.
    """

    def __init__(
        self, mailbox: int, size: int, cloud: Cloud, *, worker: int, key: JobKey
    ) -> None:
        super().__init__(mailbox, size, cloud, key)
        self._prefix += f"{worker}-"


class MailboxLine:
    """A worker's end of its line; see `Line`.

    Parameters
    ----------
    cloud
        The fabric.
    mailbox, size
        The worker's mailbox, and how many there are, of which the last is the driver's.
    worker
        The worker's number.
    key
        The session's key.
    """

    patience = _PATIENCE
    is_remote = True

    def __init__(
        self, cloud: Cloud, mailbox: int, size: int, *, worker: int, key: JobKey
    ) -> None:
        self._worker = worker
        self._mailbox = mailbox
        self._driver = size - 1
        self._sending = Lock()
        self._transport = _WorkerTransport(mailbox, size, cloud, worker=worker, key=key)
        self._reader = _Reader(self._transport, is_reading=True)

    def __repr__(self) -> str:
        return f"<MailboxLine of worker {self._worker} at mailbox {self._mailbox}>"

    def send(self, bodies: Sequence[Body]) -> None:
        """Send bodies to the driver."""
        dests = (self._driver,)
        with self._sending:
            self._transport.send(
                [Message(self._mailbox, dests, self._worker, 0, b) for b in bodies]
            )

    def receive(self, wait: float) -> list[bytes | bytearray]:
        """Return what the driver has sent, waiting up to `wait` seconds."""
        try:
            messages = self._reader.take(wait)
        except ServerlessDistError as error:
            msg = f"worker {self._worker} cannot reach its driver any more: {error}"
            raise EOFError(msg) from error
        return [
            message.body[0]  # type: ignore[misc]
            for message in messages
            if message.context == self._worker
        ]

    def wake(self) -> None:
        """Make `receive` return soon; this needs no request."""
        self._reader.wake()

    def stop_reading(self) -> None:
        """Leave what comes from now on to whoever reads here next; sends go on."""
        self._reader.close()

    def close(self) -> None:
        """Stop polling and delete what was received."""
        self._reader.close()
        self._transport.close()
