"""The broker: one process's mailboxes, served to the processes of its machine.

One request and one answer at a time on each connection, both as a length (4 bytes)
and a msgpack list::

    ["send", mailbox, bodies]            -> [null]
    ["receive", mailbox, limit, wait]    -> [null, [[body, receipt], ...]]
    ["delete", mailbox, receipts]        -> [null]
    ["publish", [[body, targets], ...]]  -> [null]
    a mistake of the caller              -> ["what was wrong"]

The socket lies in a directory that only this user may enter. Nothing that comes
through it is unpickled.
"""

import os
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingUnixStreamServer
from threading import Event, Lock, Thread, current_thread
from typing import Any

import msgpack

from serverless_dist.cloud.limits import SQS_MAX_BYTES
from serverless_dist.cloud.memory import MemoryCloud
from serverless_dist.cloud.services import Entry, Queue
from serverless_dist.errors import CloudError, ProtocolError, UsageError

SOCKET_NAME = "broker.socket"
_LENGTH = struct.Struct("<I")
_MAX_PACKET = 16 * SQS_MAX_BYTES  # ten of the largest bodies fit, and their receipts
_SLICE = 0.25  # seconds that a long poll goes without looking whether we are closing
_POLL = 0.02  # seconds between two looks of the accepting thread


class Broker:
    """Serves a `MemoryCloud` on a socket in `directory` until it is closed."""

    def __init__(self, cloud: MemoryCloud, directory: Path) -> None:
        self._server = _Server(os.fspath(directory / SOCKET_NAME), cloud)
        self._thread = Thread(
            target=self._server.serve_forever, args=(_POLL,), name="broker", daemon=True
        )
        self._thread.start()

    def __repr__(self) -> str:
        return f"<Broker {len(self._server.sessions)} connections>"

    def close(self) -> None:
        """Stop serving: connected clients see the connection end."""
        self._server.closing.set()
        self._server.shutdown()
        # Nobody new is let in now; whoever polls sees that we close.
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 1_024

    def __init__(self, address: str, cloud: MemoryCloud) -> None:
        self.cloud = cloud
        self.closing = Event()
        self.sessions: dict[Thread, socket.socket] = {}
        super().__init__(address, _Session)

    def hang_up(self) -> None:
        for session, connection in list(self.sessions.items()):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            session.join()


class _Session(BaseRequestHandler):
    """One connection: answers requests until the client hangs up."""

    server: _Server
    request: socket.socket

    def setup(self) -> None:
        self.server.sessions[current_thread()] = self.request

    def finish(self) -> None:
        del self.server.sessions[current_thread()]

    def handle(self) -> None:
        # Whoever does not speak our language is hung up on.
        with suppress(OSError, ProtocolError):
            while (request := read_packet(self.request)) is not None:
                write_packet(self.request, self._answer(request))

    def _answer(self, request: Sequence[Any]) -> Sequence[Any]:
        try:
            operation, *arguments = request
            match operation:
                case "send":
                    index, bodies = arguments
                    self._mailbox(index).send(bodies)
                case "receive":
                    return [None, self._receive(*arguments)]
                case "delete":
                    index, receipts = arguments
                    self._mailbox(index).delete(receipts)
                case "publish":
                    (entries,) = arguments
                    self.server.cloud.topic.publish(
                        [Entry(body, tuple(targets)) for body, targets in entries]
                    )
                case _:
                    return [f"the broker knows no request {operation!r}"]
        except UsageError as error:
            return [str(error)]
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            return [f"the broker was sent a malformed request: {error}"]
        return [None]

    def _mailbox(self, index: int) -> Queue:
        mailboxes = self.server.cloud.mailboxes
        if not 0 <= index < len(mailboxes):
            msg = f"the broker has no mailbox {index}: it has {len(mailboxes)}"
            raise UsageError(msg)
        return mailboxes[index]

    def _receive(self, index: int, limit: int, wait: float) -> list[tuple[bytes, str]]:
        mailbox = self._mailbox(index)
        deadline = time.monotonic() + wait
        while True:
            left = max(0.0, deadline - time.monotonic())
            deliveries = mailbox.receive(limit, min(left, _SLICE))
            if deliveries or left <= _SLICE or self.server.closing.is_set():
                return [(delivery.body, delivery.receipt) for delivery in deliveries]


class BrokerClient:
    """Asks a broker; each thread that asks has a connection of its own."""

    def __init__(self, directory: Path) -> None:
        self._address = os.fspath(directory / SOCKET_NAME)
        self._lock = Lock()
        self._idle: list[socket.socket] = []
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<BrokerClient of {self._address}>"

    def ask(self, *request: Any) -> Any:
        """Return the broker's answer.

        Raises
        ------
        UsageError
            The broker's, in its words.
        CloudError
            The broker has gone, or this client was closed.
        """
        with self._connection() as connection:
            write_packet(connection, request)
            answer = read_packet(connection)
            if answer is None:
                msg = f"the broker at {self._address} hung up"
                raise CloudError(msg, retryable=False)
        mistake, *value = answer
        if mistake is not None:
            raise UsageError(mistake)
        return value[0] if value else None

    def close(self) -> None:
        """Hang up; who asks just now still gets the answer, nobody after that."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def _connection(self) -> Iterator[socket.socket]:
        """Lend an idle connection or a new one; a failed one is closed."""
        with self._lock:
            if self._is_closed:
                msg = f"the connection to the broker at {self._address} was closed"
                raise CloudError(msg, retryable=False)
            connection = self._idle.pop() if self._idle else None
        try:
            if connection is None:
                connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                connection.connect(self._address)
            yield connection
        except OSError as error:
            if connection is not None:
                connection.close()
            msg = f"the broker at {self._address} does not answer: {error}"
            raise CloudError(msg, retryable=False) from error
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        with self._lock:
            if not self._is_closed:
                self._idle.append(connection)
                return
        connection.close()


def write_packet(connection: socket.socket, packet: Sequence[Any]) -> None:
    """Write one msgpack list with its length."""
    data = msgpack.packb(packet)
    connection.sendall(_LENGTH.pack(len(data)) + data)


def read_packet(connection: socket.socket) -> list[Any] | None:
    """Read one msgpack list; None at the end of the stream.

    Raises
    ------
    ProtocolError
        What comes is too long for a packet, or no list.
    """
    head = _read(connection, _LENGTH.size)
    if head is None:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > _MAX_PACKET:
        msg = f"a packet of {length} bytes is longer than any of the broker's"
        raise ProtocolError(msg)
    data = _read(connection, length)
    if data is None:
        return None
    try:
        packet = msgpack.unpackb(data)
    except (ValueError, msgpack.UnpackException) as error:
        msg = f"a packet of {length} bytes is not msgpack"
        raise ProtocolError(msg) from error
    if not isinstance(packet, list):
        msg = f"a packet of {length} bytes holds no list"
        raise ProtocolError(msg)
    return packet


def _read(connection: socket.socket, size: int) -> bytearray | None:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = connection.recv_into(view)
        if not count:
            return None
        view = view[count:]
    return data
