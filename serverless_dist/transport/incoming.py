"""The reading end of the stream from one rank to another on the same machine."""

import os
import socket
from collections import deque
from collections.abc import Sequence

from serverless_dist.errors import ProtocolError
from serverless_dist.transport.loans import Loans
from serverless_dist.transport.message import Message
from serverless_dist.transport.streams import Event, Loan, Retired, StreamReader
from serverless_dist.wire import Flaw, JobKey

READ = 65_536  # bytes asked of the kernel at once
_CONTROL = socket.CMSG_SPACE(4)  # room for one descriptor: one comes at a time
_INT = 4


class Incoming:
    """A stream that was accepted.

    Parameters
    ----------
    connection
        The accepted socket, which this closes.
    rank
        The rank that reads.
    key
        The job's key, which the stream must prove.
    greeted
        The sources that have greeted this rank so far, on any stream.

    Attributes
    ----------
    is_over
        Whether nothing more will come.
    """

    def __init__(
        self, connection: socket.socket, rank: int, key: JobKey, greeted: set[int]
    ) -> None:
        connection.settimeout(0.0)
        self._connection = connection
        self._rank = rank
        self._reader = StreamReader(rank, key, greeted)
        self._loans: Loans | None = None
        self._descriptors: deque[int] = deque()
        self.is_over = False

    def __repr__(self) -> str:
        return f"<Incoming at rank {self._rank}: {self._reader!r}>"

    @property
    def flaw(self) -> Flaw | None:
        """Why the stream was refused, if it was."""
        return self._reader.flaw

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._connection.fileno()

    def read(self) -> tuple[int, Sequence[Message]]:
        """Read once; return how many bytes came, loans included, and the messages.

        Raises
        ------
        ProtocolError
            A peer that has proved the key does not keep to the format.
        """
        reader = self._reader
        target = reader.target
        try:
            if target is None:
                data, control, _, _ = self._connection.recvmsg(
                    READ, _CONTROL, socket.MSG_CMSG_CLOEXEC
                )
                count = len(data)
                if control:
                    self._keep(control)
                events = reader.feed(data)
                if self._descriptors and reader.source is None:
                    reader.flaw = reader.flaw or Flaw.MALFORMED
            else:
                count = self._connection.recv_into(target)
                events = reader.filled(count)
        except ConnectionError:
            count, events = 0, []
        if not count or reader.flaw is not None:
            self.is_over = True
        return self._resolve(count, events)

    def close(self) -> None:
        """Close the stream; bodies that came by it stay."""
        self._connection.close()
        while self._descriptors:
            os.close(self._descriptors.popleft())
        self._loans = None

    def _keep(self, control: Sequence[tuple[int, int, bytes]]) -> None:
        for level, kind, data in control:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                for start in range(0, len(data) - len(data) % _INT, _INT):
                    number = int.from_bytes(data[start : start + _INT], "little")
                    self._descriptors.append(number)

    def _resolve(
        self, count: int, events: Sequence[Event]
    ) -> tuple[int, Sequence[Message]]:
        """Make messages of loans."""
        messages = []
        for event in events:
            if type(event) is Message:
                messages.append(event)
            elif isinstance(event, Loan):
                messages.append(self._borrow(event))
                count += event.size
            elif isinstance(event, Retired):
                self._forget(event)
        if len(self._descriptors) > 1:
            msg = (
                f"rank {self._rank} was sent descriptors by rank "
                f"{self._reader.source} that belong to no message"
            )
            raise ProtocolError(msg)
        return count, messages

    def _borrow(self, loan: Loan) -> Message:
        source = self._reader.source or 0
        if self._loans is None:
            self._loans = Loans(self._rank, source)
        if loan.is_fresh:
            descriptor = self._descriptors.popleft() if self._descriptors else None
            try:
                self._loans.admit(loan.number, descriptor)
            finally:
                if descriptor is not None:
                    os.close(descriptor)
        body = (self._loans.borrow(loan),)
        return Message(source, (self._rank,), loan.context, loan.tag, body)

    def _forget(self, retired: Retired) -> None:
        if self._loans is not None:
            self._loans.forget(retired.number)
