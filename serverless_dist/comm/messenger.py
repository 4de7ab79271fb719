"""The half of a communicator that is between two ranks."""

import warnings
from typing import Any

from serverless_dist.comm.checks import check_rank, check_tag
from serverless_dist.comm.endpoint import Endpoint, Wanted
from serverless_dist.comm.status import ANY_SOURCE, ANY_TAG, PROC_NULL, Status
from serverless_dist.comm.times import PhaseTimes
from serverless_dist.transport import Message
from serverless_dist.wire.codec import decode, encode


class Messenger:
    """A rank among others; `Communicator` adds the collective calls.

    Parameters
    ----------
    endpoint
        This rank's end of the transport.
    context
        Keeps communicators of one endpoint apart: an even number, of which
        `context` is for messages and `context` + 1 for collective calls.
    """

    def __init__(self, endpoint: Endpoint, context: int = 0) -> None:
        self._endpoint = endpoint
        self._context = context
        self._rank = endpoint.rank
        self._size = endpoint.size

    def __repr__(self) -> str:
        waiting = self._endpoint.waiting
        return f"<Communicator rank {self._rank} of {self._size}: {waiting} waiting>"

    @property
    def rank(self) -> int:
        """The number of this rank, from 0."""
        return self._rank

    @property
    def size(self) -> int:
        """The number of ranks."""
        return self._size

    def Get_rank(self) -> int:
        """Return the number of this rank, from 0."""
        return self._rank

    def Get_size(self) -> int:
        """Return the number of ranks."""
        return self._size

    @property
    def times(self) -> PhaseTimes:
        """The seconds that this rank has spent sending and waiting."""
        return self._endpoint.times

    def send(self, obj: Any, dest: int, tag: int = 0) -> None:
        """Send `obj` to rank `dest`; it may be changed once the call returns.

        Parameters
        ----------
        obj
            Anything that pickle or cloudpickle can handle.
        dest
            The receiving rank; nothing is sent to `PROC_NULL`.
        tag
            A number from 0 to 2**31 - 1 that the receiver may ask for.

        Raises
        ------
        UsageError
            There is no such rank or tag.
        UnpicklableError
            `obj` cannot travel.
        """
        dest = check_rank("dest", dest, self._size, (PROC_NULL,))
        tag = check_tag(tag)
        if dest == PROC_NULL:
            return
        endpoint = self._endpoint
        with endpoint.stopwatch.sending():
            body = encode(obj)
            endpoint.post([Message(self._rank, (dest,), self._context, tag, body)])

    def recv(
        self,
        buf: Any = None,
        source: int = ANY_SOURCE,
        tag: int = ANY_TAG,
        status: Status | None = None,
    ) -> Any:
        """Wait for a message and return its object.

        Parameters
        ----------
        buf
            Not used; it keeps mpi4py's signature, and a warning says so.
        source
            The sending rank, or `ANY_SOURCE`; from `PROC_NULL` comes None at once.
        tag
            The tag that was sent, or `ANY_TAG`.
        status
            Filled in with source, tag and size of the message.

        Raises
        ------
        UsageError
            There is no such rank or tag, or only this rank could have sent it.
        DeadlineError
            The job's deadline came first.
        """
        if buf is not None:
            note = "recv returns the object; it does not fill the buffer it is given"
            warnings.warn(note, stacklevel=2)
        source = check_rank("source", source, self._size, (ANY_SOURCE, PROC_NULL))
        tag = check_tag(tag, any_tag=True)
        status = Status() if status is None else status
        if source == PROC_NULL:
            status.source, status.tag, status.count = PROC_NULL, ANY_TAG, 0
            return None
        label = "for any tag" if tag == ANY_TAG else f"for tag {tag}"
        wanted = Wanted(self._context, tag, label)
        with self._endpoint.stopwatch.waiting():
            (message,) = self._endpoint.collect(wanted, (source,))
            status.source, status.tag = message.source, message.tag
            status.count = sum(memoryview(buffer).nbytes for buffer in message.body)
            return decode(message.body)

    def sendrecv(
        self,
        sendobj: Any,
        dest: int,
        sendtag: int = 0,
        recvbuf: Any = None,
        source: int = ANY_SOURCE,
        recvtag: int = ANY_TAG,
        status: Status | None = None,
    ) -> Any:
        """Send one object and receive another; see `send` and `recv`."""
        check_rank("source", source, self._size, (ANY_SOURCE, PROC_NULL))
        check_tag(recvtag, any_tag=True)
        self.send(sendobj, dest, sendtag)
        return self.recv(recvbuf, source, recvtag, status)
