"""A transport between threads of one process, and threads to run as ranks."""

import queue
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from typing import TypeVar

from serverless_dist.errors import DeadlineError, ProtocolError
from serverless_dist.transport import Message

T = TypeVar("T")

GRACE = 5.0  # seconds that the other threads have to end after one failed


class LinkedTransport:
    """One of several transports that `connect` has linked: see there."""

    def __init__(
        self,
        rank: int,
        inboxes: Sequence["queue.SimpleQueue[Sequence[Message] | None]"],
    ) -> None:
        self.rank = rank
        self.size = len(inboxes)
        self._inboxes = inboxes

    def send(self, messages: Sequence[Message]) -> None:
        """Put a copy of each message into the inbox of each of its dests."""
        for message in messages:
            source, context, tag = message.source, message.context, message.tag
            for dest in message.dests:
                if dest == self.rank:
                    msg = f"rank {dest} sends to itself through its transport"
                    raise ProtocolError(msg)
                body = (bytearray().join(message.body),)
                copy = Message(source, (dest,), context, tag, body)
                self._inboxes[dest].put((copy,))

    def receive(self, wait: float, expect: Collection[int] = ()) -> Sequence[Message]:
        """Return the next message, waiting up to `wait` seconds; of any source."""
        inbox = self._inboxes[self.rank]
        try:
            arrived = inbox.get(timeout=wait)
        except queue.Empty:
            return ()
        if arrived is None:
            inbox.put(None)
            msg = f"the transport of rank {self.rank} is closed"
            raise ProtocolError(msg)
        return arrived

    def wake(self) -> None:
        """Make `receive` return, in its turn, with nothing."""
        self._inboxes[self.rank].put(())

    def close(self) -> None:
        """End the waits of this rank with a `ProtocolError`."""
        self._inboxes[self.rank].put(None)

    def __repr__(self) -> str:
        waiting = self._inboxes[self.rank].qsize()
        return f"<LinkedTransport rank {self.rank} of {self.size}: {waiting} waiting>"


def connect(size: int) -> list[LinkedTransport]:
    """Return the transports of `size` ranks in one process.

    >>> here, there = connect(2)
    >>> here.send([Message(0, (1,), 0, 7, (b"hel", b"lo"))])
    >>> there.receive(1.0)[0].body
    (bytearray(b'hello'),)
    """
    inboxes: list[queue.SimpleQueue[Sequence[Message] | None]]
    inboxes = [queue.SimpleQueue() for _ in range(size)]
    return [LinkedTransport(rank, inboxes) for rank in range(size)]


def run_threads(
    size: int,
    function: Callable[[int], T],
    *,
    on_failure: Callable[[], None] = lambda: None,
    timeout: float = 60.0,
) -> list[T]:
    """Call `function` with each rank in a thread of its own; return the results.

    Parameters
    ----------
    size
        The number of threads.
    function
        Called with 0, 1, ... `size` - 1.
    on_failure
        Called once when the first of them raises; it should end the waits of the
        others.
    timeout
        Seconds after which all must have returned.

    Raises
    ------
    Exception
        What the first of them to fail raised.
    DeadlineError
        Some have not returned; the message names them.

    Examples
    --------
    >>> run_threads(3, lambda rank: rank * rank)
    [0, 1, 4]
    """
    futures: list[Future[T]] = [Future() for _ in range(size)]
    for rank, future in enumerate(futures):
        arguments = (function, rank, future)
        threading.Thread(target=_settle, args=arguments, daemon=True).start()
    done, _ = wait(futures, timeout, FIRST_EXCEPTION)
    failed = [future for future in futures if future in done and future.exception()]
    if failed:
        on_failure()
        wait(futures, GRACE)
        failed[0].result()
    running = [rank for rank, future in enumerate(futures) if not future.done()]
    if running:
        msg = f"after {timeout:.1f} s these ranks still run: {running}"
        raise DeadlineError(msg)
    return [future.result() for future in futures]


def _settle(function: Callable[[int], T], rank: int, future: Future[T]) -> None:
    try:
        future.set_result(function(rank))
    except BaseException as error:
        future.set_exception(error)
