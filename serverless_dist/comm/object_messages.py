"""Messages of Python objects between two ranks: the lower-case calls."""

import warnings
from typing import Any, Literal

from serverless_dist.comm.constants import ANY_SOURCE, ANY_TAG
from serverless_dist.comm.engine.messages import Origin, Way
from serverless_dist.comm.engine.operations import Operation
from serverless_dist.comm.engine.pickling import serializer, take_object
from serverless_dist.comm.engine.status import Status
from serverless_dist.comm.matched import Message
from serverless_dist.comm.member import Member
from serverless_dist.comm.request import Request


class ObjectMessages(Member):
    """Sends and receives objects; anything that pickle or cloudpickle can handle."""

    __slots__ = ()

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
        MPIError
            There is no such rank or tag.
        UnpicklableError
            `obj` cannot travel.
        """
        Way.to(self.state, dest, tag).send(serializer.encode(obj))

    def bsend(self, obj: Any, dest: int, tag: int = 0) -> None:
        """Send `obj`; the same as `send`, which never waits for the receiver."""
        ObjectMessages.send(self, obj, dest, tag)

    def ssend(self, obj: Any, dest: int, tag: int = 0) -> None:
        """Send `obj`, and return once its receiver has asked for it."""
        ObjectMessages.issend(self, obj, dest, tag).wait()

    def isend(self, obj: Any, dest: int, tag: int = 0) -> Request:
        """Send `obj`; the request is done at once."""
        ObjectMessages.send(self, obj, dest, tag)
        return Request.of(Operation())

    def ibsend(self, obj: Any, dest: int, tag: int = 0) -> Request:
        """Send `obj`; the same as `isend`."""
        return ObjectMessages.isend(self, obj, dest, tag)

    def issend(self, obj: Any, dest: int, tag: int = 0) -> Request:
        """Send `obj`; the request is done once its receiver has asked for it."""
        way = Way.to(self.state, dest, tag)
        return Request.of(way.send_synchronously(serializer.encode(obj)))

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
        MPIError
            There is no such rank or tag.
        UsageError
            Only this rank could have sent it.
        DeadlineError
            The job's deadline came first.
        """
        if buf is not None:
            note = "recv returns the object; it does not fill the buffer it is given"
            warnings.warn(note, stacklevel=2)
        return Origin.at(self.state, source, tag).receive(take_object, status)

    def irecv(
        self, buf: Any = None, source: int = ANY_SOURCE, tag: int = ANY_TAG
    ) -> Request:
        """Return a request whose `wait` returns the object of a message.

        Parameters
        ----------
        buf
            Not used; it keeps mpi4py's signature.
        source, tag
            As for `recv`.
        """
        del buf
        return Request.of(Origin.at(self.state, source, tag).start(take_object))

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
        Origin.at(self.state, source, recvtag)  # a mistake is found before the send
        ObjectMessages.send(self, sendobj, dest, sendtag)
        return ObjectMessages.recv(self, recvbuf, source, recvtag, status)

    def probe(
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

    def iprobe(
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

    def mprobe(
        self,
        source: int = ANY_SOURCE,
        tag: int = ANY_TAG,
        status: Status | None = None,
    ) -> Message:
        """Wait for a message that fits, and return it; nobody else can receive it."""
        return Message.Probe(self, source, tag, status)

    def improbe(
        self,
        source: int = ANY_SOURCE,
        tag: int = ANY_TAG,
        status: Status | None = None,
    ) -> Message | None:
        """Return a message that is here and fits, or None; see `mprobe`."""
        return Message.Iprobe(self, source, tag, status)
