"""The writing end of the stream from one rank to another on the same machine."""

import errno
import os
import select
import socket
import time
from array import array
from collections import deque
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from threading import Lock, Thread

from serverless_dist.cloud import Buffer
from serverless_dist.errors import CloudError
from serverless_dist.transport.vectors import MAX_PIECES, Piece, advance, pieces
from serverless_dist.wire import Body

_PATIENCE = 2  # ms that a send waits for the receiver to make room before it copies
_FOREVER = -1
_RETRY = 0.005  # seconds between attempts to reach a rank that has not started


def closed_mark(directory: Path, rank: int) -> Path:
    """Return the file that says that `rank` has closed: it reads no more."""
    return directory / f"{rank}.closed"


class Outgoing:
    """The stream to one rank; a thread writes what the kernel does not take at once.

    Parameters
    ----------
    directory
        Where the sockets are.
    rank, dest
        The rank that writes, and the one at the other end.
    greeting
        The bytes to open the stream with.
    """

    def __init__(self, directory: Path, rank: int, dest: int, greeting: bytes) -> None:
        self._path = os.fspath(directory / f"{dest}.socket")
        self._mark = closed_mark(directory, dest)
        self._rank = rank
        self._dest = dest
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(0.0)
        self._greeting = greeting
        self._is_connected = False
        self._is_gone = False  # nobody will read what is written
        self._lock = Lock()
        self._backlog: deque[Piece] = deque()
        self._writer: Thread | None = None
        self._failure: Exception | None = None  # what was sent is not all written

    def __repr__(self) -> str:
        return f"<Outgoing to {self._dest}: {len(self._backlog)} in the backlog>"

    def send(self, buffers: Body, descriptor: int | None = None) -> bool:
        """Write the buffers, or copy what does not go and leave it to the writer.

        Returns False if nobody is left to read them: none of it was written.

        Parameters
        ----------
        buffers
            What to write; it may change once this has returned.
        descriptor
            Goes along with the first byte. It must stay open until it has arrived.

        Raises
        ------
        CloudError
            The machine refuses to write, now or since the last call.
        """
        with self._lock:
            if self._failure is not None:
                raise self._refusal(self._failure)
            try:
                rest = self._begin(buffers) if descriptor is None else buffers
                if rest and not self._is_gone:
                    self._send_rest(pieces(rest, descriptor))
            except OSError as error:
                self._failure = error
                raise self._refusal(error) from error
            return not self._is_gone

    def close(self) -> None:
        """Wait for the writer, then close the stream.

        Raises
        ------
        CloudError
            Not all that was sent could be written.
        """
        writer = self._writer
        if writer is not None:
            writer.join()
        self._socket.close()
        if self._failure is not None:
            raise self._refusal(self._failure)

    def _refusal(self, failure: Exception) -> CloudError:
        msg = f"rank {self._rank} cannot write what it sent to rank {self._dest}"
        error = CloudError(f"{msg}: {failure}", retryable=False)
        error.__cause__ = failure
        return error

    def _begin(self, buffers: Body) -> Sequence[Buffer]:
        """Write a single buffer if it goes in one piece: most do; return the rest."""
        if len(buffers) > 1 or self._writer is not None or not self._is_connected:
            return buffers
        (buffer,) = buffers
        try:
            done = self._socket.send(buffer)
        except BlockingIOError:
            return buffers
        except ConnectionError:
            self._is_gone = True
            return ()
        return () if done == len(buffer) else (memoryview(buffer)[done:],)

    def _send_rest(self, rest: deque[Piece]) -> None:
        if self._writer is None and self._connect():
            self._write(rest, _PATIENCE)
        if not rest:
            return
        self._backlog += [(memoryview(bytes(view)), fd) for view, fd in rest]
        if self._writer is None:
            self._writer = Thread(
                target=self._drain, name="serverless_dist writer", daemon=True
            )
            self._writer.start()

    def _connect(self) -> bool:
        if not self._is_connected:
            try:
                self._socket.connect(self._path)
            except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
                return False  # not started yet, or its backlog is full
            self._is_connected = True
            self._write(pieces((self._greeting,)), _PATIENCE)
        return True

    def _write(self, rest: deque[Piece], patience_ms: int) -> None:
        """Write from the front of `rest` until no room was made for so long."""
        poller = select.poll()
        poller.register(self._socket, select.POLLOUT)
        while rest:
            try:
                advance(rest, self._write_some(rest))
            except BlockingIOError:
                if not poller.poll(patience_ms):
                    return
            except ConnectionError:
                self._is_gone = True
                rest.clear()  # the receiver has closed: nobody will read it
            except OSError as error:
                if error.errno != errno.ETOOMANYREFS:
                    raise
                # Readers must first take the descriptors that are on their way.
                if patience_ms != _FOREVER:
                    return
                time.sleep(_RETRY)

    def _write_some(self, rest: deque[Piece]) -> int:
        """Write pieces up to the next that has a descriptor; return the bytes."""
        view, descriptor = rest[0]
        if descriptor is None:
            views = [view]
            for following, its_descriptor in islice(rest, 1, MAX_PIECES):
                if its_descriptor is not None:
                    break
                views.append(following)
            return self._socket.sendmsg(views)
        rights = array("i", [descriptor])
        control = (socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)
        return self._socket.sendmsg([view], [control])

    def _drain(self) -> None:
        """Write the backlog to its end; what stops it is told to the next caller."""
        try:
            self._write_backlog()
        except Exception as error:
            with self._lock:
                self._failure = error
                self._backlog.clear()
                self._writer = None

    def _write_backlog(self) -> None:
        while not self._connect():
            if self._mark.exists():
                with self._lock:
                    self._is_gone = True
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
