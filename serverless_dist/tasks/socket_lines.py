"""Lines on one machine: one Unix socket to each worker; see `lines`.

A worker connects to the driver's socket, in a directory that only this user may enter,
and opens with a sealed frame that proves the session's key. From then on both ends
write bodies, each with its length before it; the kernel keeps them whole and in order.
"""

import os
import select
import socket
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from threading import Lock

from serverless_dist.errors import CloudError, ProtocolError
from serverless_dist.tasks.framing import BodyReader, framed
from serverless_dist.transport.vectors import MAX_PIECES, Piece, advance, pieces
from serverless_dist.wire import Body, Flaw, Frame, JobKey, Kind, seal, unseal

NAME = "driver.socket"
_READ = 1 << 18  # bytes asked of the kernel at once
_LONGEST_GREETING = 512
_BACKLOG = 1_024
_LONGEST = 1e6  # seconds; what the kernel takes is limited
_PATIENCE = 0.005  # seconds: sending costs microseconds


class _Connection:
    """The driver's end of the socket of one worker, who is unknown at first."""

    def __init__(self, end: socket.socket) -> None:
        end.settimeout(0.0)
        self.end = end
        self.worker = 0
        self._reader = BodyReader(_LONGEST_GREETING)
        self._rest: deque[Piece] = deque()

    def __repr__(self) -> str:
        return f"<_Connection of worker {self.worker}, {len(self._rest)} to write>"

    @property
    def is_behind(self) -> bool:
        """Whether something has not been written yet."""
        return bool(self._rest)

    def admit(self, worker: int) -> list[bytes | bytearray]:
        """Take note of who this is; return what it has said after its greeting."""
        self.worker = worker
        self._reader.limit = None
        return self._reader.feed(b"")

    def read(self) -> list[bytes | bytearray] | None:
        """Read once; return the bodies that are complete, None at the end."""
        try:
            data = self.end.recv(_READ)
            return self._reader.feed(data) if data else None
        except BlockingIOError:
            return []
        except (OSError, ProtocolError):
            return None

    def write(self, data: bytes) -> None:
        """Write, or keep what the kernel does not take."""
        self._rest += pieces((data,))
        self.flush()

    def flush(self) -> None:
        """Write as much as the kernel takes; if nobody reads any more, drop it."""
        try:
            while self._rest:
                views = [view for view, _ in islice(self._rest, MAX_PIECES)]
                advance(self._rest, self.end.sendmsg(views))
        except BlockingIOError:
            pass
        except OSError:
            self._rest.clear()


class SocketHub:
    """The driver's end of the lines to workers of this machine; see `Hub`.

    Parameters
    ----------
    directory
        Where the socket is to be: private to the user.
    key
        The session's key, which every worker proves.
    """

    def __init__(self, directory: Path, key: JobKey) -> None:
        self._key = key
        self._lock = Lock()  # for all below, but not while `receive` waits
        self._kept: defaultdict[int, list[bytes]] = defaultdict(list)
        self._connections: dict[int, _Connection] = {}  # by descriptor
        self._workers: dict[int, _Connection] = {}
        self._is_full = False
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.settimeout(0.0)
        self._listener.bind(os.fspath(directory / NAME))
        self._listener.listen(_BACKLOG)
        self._woken, self._waker = _wake_pair()
        self._poll = select.epoll()
        for end in (self._listener, self._woken):
            self._poll.register(end.fileno(), select.EPOLLIN)

    def __repr__(self) -> str:
        return f"<SocketHub {len(self._workers)} workers>"

    def send(self, bodies: Mapping[int, Sequence[Body]]) -> None:
        """Send bodies, or keep them for workers that have not connected."""
        for worker, each in bodies.items():
            data = b"".join([framed(body) for body in each])
            with self._lock:
                connection = self._workers.get(worker)
                if connection is None:
                    self._kept[worker].append(data)
                else:
                    self._write(connection, data)

    def receive(self, wait: float) -> list[tuple[int, bytes | bytearray]]:
        """Return what workers have sent, waiting up to `wait` seconds for the first.

        Nothing after no wait means that nothing is on its way: bodies that come in
        parts, and workers that have just connected, are read to the end.
        """
        received: list[tuple[int, bytes | bytearray]] = []
        self._is_full = False
        events = self._poll.poll(wait)
        while events:
            with self._lock:
                for descriptor, event in events:
                    received += self._take(descriptor, event)
            events = [] if received or self._is_full else self._poll.poll(0.0)
        return received

    def wake(self) -> None:
        """Make `receive` return soon."""
        with suppress(OSError):  # it was woken often enough, or is closed
            self._waker.send(b"w")

    def forget(self, worker: int) -> None:
        """Close the socket of a worker that has ended."""
        with self._lock:
            self._kept.pop(worker, None)
            connection = self._workers.get(worker)
            if connection is not None:
                self._drop(connection)

    def close(self) -> None:
        """Close all sockets."""
        with self._lock:
            for connection in list(self._connections.values()):
                self._drop(connection)
            self._poll.close()
            for end in (self._listener, self._woken, self._waker):
                end.close()

    def _take(self, descriptor: int, event: int) -> list[tuple[int, bytes | bytearray]]:
        """Do what one descriptor is ready for; return what has come."""
        connection = self._connections.get(descriptor)
        if connection is not None:
            return self._serve(connection, event)
        if descriptor == self._listener.fileno():
            self._accept()
        elif descriptor == self._woken.fileno():
            self._woken.recv(_READ)
        return []

    def _serve(
        self, connection: _Connection, event: int
    ) -> list[tuple[int, bytes | bytearray]]:
        if event & select.EPOLLOUT:
            self._write(connection, b"")
        if not event & ~select.EPOLLOUT:
            return []
        bodies = connection.read()
        if bodies is None:
            self._drop(connection)
            return []
        if bodies and not connection.worker:
            bodies = self._admit(connection, bodies[0])
        return [(connection.worker, body) for body in bodies]

    def _accept(self) -> None:
        try:
            end, _ = self._listener.accept()
        except OSError:  # no more descriptors; whoever waits is let in later
            self._is_full = True
            return
        self._connections[end.fileno()] = _Connection(end)
        self._poll.register(end.fileno(), select.EPOLLIN)

    def _admit(
        self, connection: _Connection, greeting: bytes | bytearray
    ) -> list[bytes | bytearray]:
        """Let a worker in that proves the key, and only once; return its words."""
        frame = unseal(self._key, bytes(greeting))
        if isinstance(frame, Flaw) or frame.source in self._workers or not frame.source:
            self._drop(connection)
            return []
        self._workers[frame.source] = connection
        bodies = connection.admit(frame.source)
        for data in self._kept.pop(frame.source, []):
            self._write(connection, data)
        return bodies

    def _write(self, connection: _Connection, data: bytes) -> None:
        was_behind = connection.is_behind
        connection.write(data)
        if connection.is_behind != was_behind:
            out = select.EPOLLOUT if connection.is_behind else 0
            self._poll.modify(connection.end.fileno(), select.EPOLLIN | out)

    def _drop(self, connection: _Connection) -> None:
        self._poll.unregister(connection.end.fileno())
        del self._connections[connection.end.fileno()]
        self._workers.pop(connection.worker, None)
        connection.end.close()


class SocketLine:
    """A worker's end of its line; see `Line`.

    Parameters
    ----------
    directory
        Where the driver's socket is.
    worker
        The worker's number.
    key
        The session's key.
    """

    patience = _PATIENCE
    is_remote = False

    def __init__(self, directory: Path, worker: int, key: JobKey) -> None:
        self._reader = BodyReader()
        self._sending = Lock()
        self._end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._woken, self._waker = _wake_pair()
        self._poll = select.poll()
        try:
            self._end.connect(os.fspath(directory / NAME))
        except OSError as error:
            self.close()
            msg = f"worker {worker} cannot reach its driver: {error.strerror}"
            raise CloudError(msg, retryable=False) from error
        for end in (self._end, self._woken):
            self._poll.register(end.fileno(), select.POLLIN)
        frame = Frame(worker, 0, 0, (0,), (0,), 0, 1, Kind.DATA, memoryview(b""))
        self.send([(seal(key, frame),)])

    def __repr__(self) -> str:
        return f"<SocketLine on descriptor {self._end.fileno()}>"

    def send(self, bodies: Sequence[Body]) -> None:
        """Send bodies; the driver always reads along."""
        data = b"".join([framed(body) for body in bodies])
        # Without a driver, the end of the line is told by `receive`.
        with self._sending, suppress(ConnectionError):
            self._end.sendall(data)

    def receive(self, wait: float) -> list[bytes | bytearray]:
        """Return what the driver has sent, waiting up to `wait` seconds."""
        received: list[bytes | bytearray] = []
        for descriptor, _ in self._poll.poll(min(wait, _LONGEST) * 1_000):
            if descriptor == self._woken.fileno():
                self._woken.recv(_READ)
                continue
            try:
                data = self._end.recv(_READ)
            except ConnectionError:
                data = b""
            if not data:
                msg = "the driver is gone"
                raise EOFError(msg)
            received += self._reader.feed(data)
        return received

    def wake(self) -> None:
        """Make `receive` return soon."""
        with suppress(OSError):
            self._waker.send(b"w")

    def stop_reading(self) -> None:
        """Do nothing: nobody reads here next."""

    def close(self) -> None:
        """Close the sockets."""
        for end in (self._end, self._woken, self._waker):
            end.close()


def _wake_pair() -> tuple[socket.socket, socket.socket]:
    woken, waker = socket.socketpair()
    woken.settimeout(0.0)
    waker.settimeout(0.0)
    return woken, waker
