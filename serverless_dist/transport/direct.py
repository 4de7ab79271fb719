"""The direct channel: Unix sockets between the processes of one machine.

Each rank listens on a socket in a directory that only this user may enter, and opens
one stream to each rank it sends to. A send writes what the kernel takes; if the
receiver reads along, all of it. What is left is copied and written by a thread of
that stream, so a send never waits for a receiver that does something else.

A rank that closes leaves a mark, because a peer that has not opened its stream yet
must tell "not started" (try again) from "gone" (nobody will read it).
"""

import os
import select
import selectors
import socket
import time
from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path
from threading import Lock, Thread
from typing import cast

from serverless_dist.cloud import Meter
from serverless_dist.transport.message import Message
from serverless_dist.transport.streams import StreamReader, greeting, pack_message
from serverless_dist.wire import Body, Flaw, JobKey

_BACKLOG = 1_024
_READ = 65_536  # bytes asked of the kernel at once
_PATIENCE = 2  # ms that a send waits for the receiver to make room before it copies
_FOREVER = -1
_RETRY = 0.005  # seconds between attempts to reach a rank that has not started
_MAX_BUFFERS = 512  # of one sendmsg; the kernel's limit is 1024


class DirectTransport:
    """Messages over Unix sockets; see `Transport`.

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
    """

    def __init__(
        self, rank: int, size: int, directory: Path, key: JobKey, meter: Meter
    ) -> None:
        self.rank = rank
        self.size = size
        self.dropped: Counter[Flaw] = Counter()
        self._meter = meter
        self._directory = directory
        self._key = key
        self._outgoing: dict[int, _Outgoing] = {}
        self._is_closed = False
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.settimeout(0.0)
        self._listener.bind(os.fspath(directory / f"{rank}.socket"))
        self._listener.listen(_BACKLOG)
        self._selector.register(self._listener, selectors.EVENT_READ)

    def __repr__(self) -> str:
        return f"<DirectTransport rank {self.rank} of {self.size}>"

    def send(self, messages: Sequence[Message]) -> None:
        """Write the messages to their streams."""
        for message in messages:
            buffers = pack_message(message)
            size = sum(memoryview(buffer).nbytes for buffer in buffers)
            for dest in message.dests:
                self._stream_to(dest).send(buffers)
            self._count(sent=size * len(message.dests))

    def receive(self, wait: float, expect: Collection[int] = ()) -> Sequence[Message]:
        """Return what has arrived, waiting up to `wait` seconds for the first."""
        del expect  # the selector watches all streams at once
        deadline = time.monotonic() + wait
        messages: list[Message] = []
        while not messages:
            left = deadline - time.monotonic()
            for selected, _ in self._selector.select(max(0.0, left)):
                messages += self._serve(selected)
            if left <= 0:
                break
        return messages

    def close(self) -> None:
        """Return when all that was sent is written or nobody is left to read it."""
        if not self._is_closed:
            self._is_closed = True
            # First: two that close must not wait for each other to read.
            _closed_mark(self._directory, self.rank).touch()
            for selected in list(self._selector.get_map().values()):
                self._drop(selected)
            self._selector.close()
        for outgoing in self._outgoing.values():
            outgoing.close()
        self._outgoing.clear()

    def _stream_to(self, dest: int) -> "_Outgoing":
        if dest not in self._outgoing:
            hello = greeting(self._key, self.rank, dest)
            self._outgoing[dest] = _Outgoing(self._directory, dest, hello)
        return self._outgoing[dest]

    def _serve(self, selected: selectors.SelectorKey) -> Sequence[Message]:
        """Accept a stream, or read what one holds."""
        if selected.data is None:
            connection, _ = self._listener.accept()
            connection.settimeout(0.0)
            fresh = StreamReader(self.rank, self._key)
            self._selector.register(connection, selectors.EVENT_READ, fresh)
            return []
        connection = cast("socket.socket", selected.fileobj)
        reader: StreamReader = selected.data
        target = reader.target
        try:
            if target is None:
                data = connection.recv(_READ)
                count, messages = len(data), reader.feed(data)
            else:
                count = connection.recv_into(target)
                messages = reader.filled(count)
        except ConnectionError:
            count, messages = 0, []
        self._count(received=count)
        if reader.is_refused:
            self.dropped[Flaw.FORGED] += 1
        if not count or reader.is_refused:
            self._drop(selected)
        return messages

    def _count(self, *, sent: int = 0, received: int = 0) -> None:
        self._meter.count("direct:Socket", 0, requests=0, sent=sent, received=received)

    def _drop(self, selected: selectors.SelectorKey) -> None:
        self._selector.unregister(selected.fileobj)
        cast("socket.socket", selected.fileobj).close()


class _Outgoing:
    """The stream to one rank; a thread writes what the kernel does not take at once."""

    def __init__(self, directory: Path, dest: int, hello: bytes) -> None:
        self._path = os.fspath(directory / f"{dest}.socket")
        self._mark = _closed_mark(directory, dest)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(0.0)
        self._is_connected = False
        self._lock = Lock()
        self._backlog: deque[memoryview] = deque()
        self._writer: Thread | None = None
        self._hello = hello

    def send(self, buffers: Body) -> None:
        """Write the buffers, or copy what does not go and leave it to the writer."""
        with self._lock:
            rest: deque[memoryview] = deque(_views(buffers))
            if self._writer is None and self._connect():
                self._write(rest, _PATIENCE)
            if not rest:
                return
            self._backlog += [memoryview(bytes(view)) for view in rest]
            if self._writer is None:
                self._writer = Thread(target=self._drain, daemon=True)
                self._writer.start()

    def close(self) -> None:
        """Wait for the writer, then close the stream."""
        writer = self._writer
        if writer is not None:
            writer.join()
        self._socket.close()

    def _connect(self) -> bool:
        if not self._is_connected:
            try:
                self._socket.connect(self._path)
            except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
                return False  # not started yet, or its backlog is full
            self._is_connected = True
            self._write(deque([memoryview(self._hello)]), _PATIENCE)
        return True

    def _write(self, rest: deque[memoryview], patience_ms: int) -> None:
        """Write from the front of `rest` until no room was made for so long."""
        poller = select.poll()
        poller.register(self._socket, select.POLLOUT)
        while rest:
            try:
                count = self._socket.sendmsg(islice(rest, _MAX_BUFFERS))
            except BlockingIOError:
                if not poller.poll(patience_ms):
                    return
            except ConnectionError:
                rest.clear()  # the receiver has closed: nobody will read it
            else:
                _advance(rest, count)

    def _drain(self) -> None:
        """Write the backlog to its end, then stop."""
        while not self._connect():
            if self._mark.exists():
                with self._lock:
                    self._backlog.clear()
                    self._writer = None
                return
            time.sleep(_RETRY)
        while True:
            with self._lock:
                work, self._backlog = self._backlog, deque()
                if not work:
                    self._writer = None
                    return
            self._write(work, _FOREVER)


def _closed_mark(directory: Path, rank: int) -> Path:
    return directory / f"{rank}.closed"


def _views(buffers: Body) -> Iterator[memoryview]:
    for buffer in buffers:
        view = memoryview(buffer).cast("B")
        if view.nbytes:
            yield view


def _advance(rest: deque[memoryview], count: int) -> None:
    while rest and count >= rest[0].nbytes:
        count -= rest.popleft().nbytes
    if count:
        rest[0] = rest[0][count:]
