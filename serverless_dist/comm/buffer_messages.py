"""Messages of buffers between two ranks: the upper-case calls.

A buffer is anything with the buffer protocol, alone or with count and datatype; see
`comm.data.buffers`. What is sent is the packed data, without a head.
"""

from collections.abc import Callable
from typing import Any, Literal

from serverless_dist.comm.constants import ANY_SOURCE, ANY_TAG
from serverless_dist.comm.data.buffers import recv_block, send_block
from serverless_dist.comm.engine.messages import (
    Origin,
    Take,
    Way,
    into,
    nowhere,
)
from serverless_dist.comm.engine.operations import Operation, Persistent
from serverless_dist.comm.engine.status import Status
from serverless_dist.comm.matched import Message
from serverless_dist.comm.member import Member
from serverless_dist.comm.request import Prequest, Request


class BufferMessages(Member):
    """Sends and receives the contents of buffers.

    A method of a subclass may be made of any others: these here never call each other
    by way of `self`.
    """

    __slots__ = ()

    def Send(self, buf: Any, dest: int, tag: int = 0) -> None:
        """Send the buffer; it may be changed once the call returns.

        Parameters
        ----------
        buf
            A buffer, ``[buffer, datatype]`` or ``[buffer, count, datatype]``.
        dest
            The receiving rank; nothing is sent to `PROC_NULL`.
        tag
            A number from 0 to 2**31 - 1 that the receiver may ask for.
        """
        way = Way.to(self.state, dest, tag)
        if way.dest is not None:
            way.send((send_block(buf).read(),))

    def Bsend(self, buf: Any, dest: int, tag: int = 0) -> None:
        """Send the buffer; the same as `Send`, which never waits for the receiver."""
        BufferMessages.Send(self, buf, dest, tag)

    def Rsend(self, buf: Any, dest: int, tag: int = 0) -> None:
        """Send the buffer; the same as `Send`."""
        BufferMessages.Send(self, buf, dest, tag)

    def Ssend(self, buf: Any, dest: int, tag: int = 0) -> None:
        """Send the buffer, and return once its receiver has asked for it."""
        BufferMessages.Issend(self, buf, dest, tag).wait()

    def Isend(self, buf: Any, dest: int, tag: int = 0) -> Request:
        """Send the buffer; the request is done at once."""
        BufferMessages.Send(self, buf, dest, tag)
        return Request.of(Operation())

    def Ibsend(self, buf: Any, dest: int, tag: int = 0) -> Request:
        """Send the buffer; the same as `Isend`."""
        return BufferMessages.Isend(self, buf, dest, tag)

    def Irsend(self, buf: Any, dest: int, tag: int = 0) -> Request:
        """Send the buffer; the same as `Isend`."""
        return BufferMessages.Isend(self, buf, dest, tag)

    def Issend(self, buf: Any, dest: int, tag: int = 0) -> Request:
        """Send the buffer; the request is done once its receiver has asked for it."""
        way = Way.to(self.state, dest, tag)
        if way.dest is None:
            return Request.of(Operation())
        return Request.of(way.send_synchronously((send_block(buf).read(),)))

    def Recv(
        self,
        buf: Any,
        source: int = ANY_SOURCE,
        tag: int = ANY_TAG,
        status: Status | None = None,
    ) -> None:
        """Wait for a message and put it into the buffer; it may be shorter.

        Parameters
        ----------
        buf
            A writable buffer, ``[buffer, datatype]`` or ``[buffer, count, datatype]``.
        source
            The sending rank, or `ANY_SOURCE`; from `PROC_NULL` comes nothing.
        tag
            The tag that was sent, or `ANY_TAG`.
        status
            Filled in with source, tag and size of the message.

        Raises
        ------
        MPIError
            There is no such rank or tag, or the message is longer than the buffer.
        DeadlineError
            The job's deadline came first.
        """
        origin = Origin.at(self.state, source, tag)
        origin.receive(_take(origin, buf), status)

    def Irecv(self, buf: Any, source: int = ANY_SOURCE, tag: int = ANY_TAG) -> Request:
        """Return a request that fills the buffer when it is completed; see `Recv`."""
        origin = Origin.at(self.state, source, tag)
        return Request.of(origin.start(_take(origin, buf)))

    def Sendrecv(
        self,
        sendbuf: Any,
        dest: int,
        sendtag: int = 0,
        recvbuf: Any = None,
        source: int = ANY_SOURCE,
        recvtag: int = ANY_TAG,
        status: Status | None = None,
    ) -> None:
        """Send one buffer and receive into another; see `Send` and `Recv`."""
        BufferMessages.Isendrecv(
            self, sendbuf, dest, sendtag, recvbuf, source, recvtag
        ).wait(status)

    def Sendrecv_replace(
        self,
        buf: Any,
        dest: int,
        sendtag: int = 0,
        source: int = ANY_SOURCE,
        recvtag: int = ANY_TAG,
        status: Status | None = None,
    ) -> None:
        """Send a buffer and receive into the same; see `Send` and `Recv`."""
        BufferMessages.Sendrecv(self, buf, dest, sendtag, buf, source, recvtag, status)

    def Isendrecv(
        self,
        sendbuf: Any,
        dest: int,
        sendtag: int = 0,
        recvbuf: Any = None,
        source: int = ANY_SOURCE,
        recvtag: int = ANY_TAG,
    ) -> Request:
        """Send one buffer; return a request for the other; see `Sendrecv`."""
        # A mistake is found before the send.
        origin = Origin.at(self.state, source, recvtag)
        take = _take(origin, recvbuf)
        BufferMessages.Send(self, sendbuf, dest, sendtag)
        return Request.of(origin.start(take))

    def Isendrecv_replace(
        self,
        buf: Any,
        dest: int,
        sendtag: int = 0,
        source: int = ANY_SOURCE,
        recvtag: int = ANY_TAG,
    ) -> Request:
        """Send a buffer; return a request that refills it; see `Sendrecv_replace`."""
        return BufferMessages.Isendrecv(self, buf, dest, sendtag, buf, source, recvtag)

    def Probe(
        self,
        source: int = ANY_SOURCE,
        tag: int = ANY_TAG,
        status: Status | None = None,
    ) -> Literal[True]:
        """Wait until a message is here that fits; it is not received."""
        envelope = Origin.at(self.state, source, tag).wait()
        if status is not None:
            status.fill(envelope)
        return True

    def Iprobe(
        self,
        source: int = ANY_SOURCE,
        tag: int = ANY_TAG,
        status: Status | None = None,
    ) -> bool:
        """Return whether a message is here that fits; it is not received."""
        envelope = Origin.at(self.state, source, tag).find()
        if status is not None and envelope is not None:
            status.fill(envelope)
        return envelope is not None

    def Mprobe(
        self,
        source: int = ANY_SOURCE,
        tag: int = ANY_TAG,
        status: Status | None = None,
    ) -> Message:
        """Wait for a message that fits, and return it; nobody else can receive it."""
        return Message.Probe(self, source, tag, status)

    def Improbe(
        self,
        source: int = ANY_SOURCE,
        tag: int = ANY_TAG,
        status: Status | None = None,
    ) -> Message | None:
        """Return a message that is here and fits, or None; see `Mprobe`."""
        return Message.Iprobe(self, source, tag, status)

    def Send_init(self, buf: Any, dest: int, tag: int = 0) -> Prequest:
        """Return a request whose `Start` sends what the buffer then holds."""
        way = Way.to(self.state, dest, tag)
        block = None if way.dest is None else send_block(buf)

        def begin() -> Operation:
            if block is not None:
                way.send((block.read(),))
            return Operation()

        return self._persistent(begin)

    def Bsend_init(self, buf: Any, dest: int, tag: int = 0) -> Prequest:
        """Return a persistent send; the same as `Send_init`."""
        return BufferMessages.Send_init(self, buf, dest, tag)

    def Rsend_init(self, buf: Any, dest: int, tag: int = 0) -> Prequest:
        """Return a persistent send; the same as `Send_init`."""
        return BufferMessages.Send_init(self, buf, dest, tag)

    def Ssend_init(self, buf: Any, dest: int, tag: int = 0) -> Prequest:
        """Return a persistent synchronous send."""
        way = Way.to(self.state, dest, tag)
        if way.dest is None:
            return self._persistent(Operation)
        block = send_block(buf)
        return self._persistent(lambda: way.send_synchronously((block.read(),)))

    def Recv_init(
        self, buf: Any, source: int = ANY_SOURCE, tag: int = ANY_TAG
    ) -> Prequest:
        """Return a request whose `Start` receives into the buffer."""
        origin = Origin.at(self.state, source, tag)
        take = _take(origin, buf)
        return self._persistent(lambda: origin.start(take))

    def _persistent(self, begin: Callable[[], Operation]) -> Prequest:
        return Prequest.of(Persistent(self.state.endpoint, begin))


def _take(origin: Origin, buf: Any) -> Take:
    return nowhere if origin.source is None else into(recv_block(buf))
