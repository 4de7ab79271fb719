"""The direct channel: sockets and shared memory between the processes of one machine.

Each rank listens on a socket in a directory that only this user may enter, and opens
one stream to each rank it sends to. A send writes what the kernel takes; if the
receiver reads along, all of it. What is left is copied and written by a thread of
that stream, so a send never waits for a receiver that does something else.

A large body is written to shared memory, once for all its dests, and only its place
is told on the stream: see `segments` and `loans`. All of this is Linux's.

A rank that closes leaves a mark, because a peer that has not opened its stream yet
must tell "not started" (try again) from "gone" (nobody will read it).
"""

import contextlib
import os
import platform
import socket
import time
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from serverless_dist.cloud import Meter
from serverless_dist.errors import UsageError
from serverless_dist.transport.incoming import READ, Incoming
from serverless_dist.transport.message import Message
from serverless_dist.transport.outgoing import Outgoing, closed_mark
from serverless_dist.transport.segments import Segment, SegmentPool
from serverless_dist.transport.streams import (
    Loan,
    pack_greeting,
    pack_header,
    pack_loan,
    pack_retired,
)
from serverless_dist.transport.watch import Watch
from serverless_dist.wire import Flaw, JobKey

_BACKLOG = 1_024
_JOINED = 16_384  # bytes of a message up to which one copy is cheaper than a vector
_SHARED = 65_536  # bytes of a body from which shared memory is faster than the socket


class DirectTransport:
    """Messages over Unix sockets and shared memory; see `Transport`.

    Parameters
    ----------
    rank, size
        This rank and the number of ranks.
    directory
        Where the sockets of the job are: private to the user, the same for all.
    key
        The job's key, which every stream proves when it opens.
    meter
        Counts the bytes that are written and read.

    Raises
    ------
    UsageError
        The machine does not run Linux, which alone has what this is made of.
    """

    def __init__(
        self, rank: int, size: int, directory: Path, key: JobKey, meter: Meter
    ) -> None:
        if platform.system() != "Linux":
            msg = (
                f"the direct channel needs Linux, this is {platform.system()}: "
                "choose another channel, such as queue"
            )
            raise UsageError(msg)
        self.rank = rank
        self.size = size
        self.dropped: Counter[Flaw] = Counter()
        self._meter = meter
        self._directory = directory
        self._key = key
        self._outgoing: dict[int, Outgoing] = {}
        self._pool = SegmentPool(size)
        self._incoming: dict[int, Incoming] = {}
        self._greeted: set[int] = set()
        self._received = 0  # bytes that the meter has not been told yet
        self._is_closed = False
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.settimeout(0.0)
        self._listener.bind(os.fspath(directory / f"{rank}.socket"))
        self._listener.listen(_BACKLOG)
        self._woken, self._waker = socket.socketpair()
        self._woken.settimeout(0.0)
        self._waker.settimeout(0.0)
        self._watch = Watch(size)
        self._watch.add(self._listener.fileno())
        self._watch.add(self._woken.fileno())

    def __repr__(self) -> str:
        return f"<DirectTransport rank {self.rank} of {self.size}>"

    def send(self, messages: Sequence[Message]) -> None:
        """Write the messages to their streams, large bodies to shared memory."""
        for message in messages:
            size = message.nbytes
            if size < _SHARED or not self._lend(message, size):
                header = pack_header(message, size)
                whole = (header, *message.body)
                if size <= _JOINED:
                    whole = (b"".join(whole),)
                for dest in message.dests:
                    self._stream_to(dest).send(whole)
                self._count_sent((len(header) + size) * len(message.dests))
        self._retire(self._pool.trim())

    def receive(self, wait: float, expect: Collection[int] = ()) -> Sequence[Message]:
        """Return what has arrived, waiting up to `wait` seconds for the first."""
        del expect  # all streams are watched at once
        self._count_received()  # now, not when a message is here and the caller waits
        deadline = time.monotonic() + wait
        left = wait
        messages: list[Message] = []
        while True:
            is_woken = False
            for descriptor, _ in self._watch.wait(left):
                incoming = self._incoming.get(descriptor)
                if incoming is not None:
                    messages += self._read(descriptor, incoming)
                elif descriptor == self._woken.fileno():
                    is_woken = bool(self._woken.recv(READ))
                else:
                    self._accept()
            left = deadline - time.monotonic()
            if messages or is_woken or left <= 0:
                return messages

    def wake(self) -> None:
        """Make `receive` return soon."""
        # Either it was woken a thousand times already, or it is closed.
        with contextlib.suppress(OSError):
            self._waker.send(b"w")

    def close(self) -> None:
        """Return when all that was sent is written or nobody is left to read it.

        Raises
        ------
        CloudError
            Not all of it could be written; everything is closed all the same.
        """
        if not self._is_closed:
            self._is_closed = True
            self._count_received()
            # First: two that close must not wait for each other to read.
            closed_mark(self._directory, self.rank).touch()
            for descriptor in list(self._incoming):
                self._drop(descriptor)
            for end in (self._listener, self._woken):
                self._watch.remove(end.fileno())
                end.close()
            self._waker.close()
        with contextlib.ExitStack() as stack:  # the next is closed if one fails
            stack.callback(self._pool.close)
            while self._outgoing:
                _, outgoing = self._outgoing.popitem()
                stack.callback(outgoing.close)

    def _stream_to(self, dest: int) -> Outgoing:
        stream = self._outgoing.get(dest)
        if stream is None:
            greeting = pack_greeting(self._key, self.rank, dest)
            stream = Outgoing(self._directory, self.rank, dest, greeting)
            self._outgoing[dest] = stream
        return stream

    def _lend(self, message: Message, size: int) -> bool:
        """Send by shared memory; return False if there is none to be had."""
        dests = message.dests
        segment, retired = self._pool.store(message.body, size, len(dests))
        self._retire(retired)
        if segment is None:
            return False
        for place, dest in enumerate(dests):
            is_fresh = dest not in segment.known
            loan = Loan(
                message.context,
                message.tag,
                segment.number,
                place,
                size,
                borrowers=len(dests),
                is_fresh=is_fresh,
            )
            packed = pack_loan(loan)
            descriptor = segment.descriptor if is_fresh else None
            if self._stream_to(dest).send((packed,), descriptor):
                segment.known.add(dest)
                self._count_sent(len(packed) + size)
            else:
                segment.give_back(place)
        return True

    def _retire(self, segments: Sequence[Segment]) -> None:
        for segment in segments:
            notice = (pack_retired(segment.number),)
            for dest in segment.known:
                self._stream_to(dest).send(notice)
            segment.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:  # who knocked has gone
            return
        incoming = Incoming(connection, self.rank, self._key, self._greeted)
        self._incoming[connection.fileno()] = incoming
        self._watch.add(connection.fileno())

    def _read(self, descriptor: int, incoming: Incoming) -> Sequence[Message]:
        try:
            count, messages = incoming.read()
        except BaseException:
            self._drop(descriptor)
            raise
        self._received += count
        if incoming.is_over:
            if incoming.flaw is not None:
                self.dropped[incoming.flaw] += 1
            self._drop(descriptor)
        return messages

    def _count_sent(self, size: int) -> None:
        self._meter.count("direct:Socket", 0, requests=0, sent=size)

    def _count_received(self) -> None:
        if self._received:
            size, self._received = self._received, 0
            self._meter.count("direct:Socket", 0, requests=0, received=size)

    def _drop(self, descriptor: int) -> None:
        self._watch.remove(descriptor)
        self._incoming.pop(descriptor).close()
