"""Messages that a probe has matched: only who holds one can receive it."""

from dataclasses import dataclass
from typing import Any, Self

from serverless_dist import transport
from serverless_dist.comm.constants import ANY_SOURCE, ANY_TAG
from serverless_dist.comm.data.buffers import recv_block
from serverless_dist.comm.engine.matching import Receive
from serverless_dist.comm.engine.messages import Origin, Take, into, nowhere
from serverless_dist.comm.engine.operations import Operation, Reception, envelope_of
from serverless_dist.comm.engine.pickling import take_object
from serverless_dist.comm.engine.scope import Scope
from serverless_dist.comm.engine.status import FROM_NOBODY, NO_MESSAGE, Status
from serverless_dist.comm.exceptions import ERR_REQUEST, MPIError
from serverless_dist.comm.handle import Handle
from serverless_dist.comm.member import Member
from serverless_dist.comm.request import Request


@dataclass(frozen=True, slots=True)
class _Matched:
    """A message and its communicator; both None: from `PROC_NULL`."""

    state: Scope | None = None
    message: transport.Message | None = None


class Message(Handle):
    """A matched message; it becomes null when it is received."""

    __slots__ = ()

    @classmethod
    def Probe(
        cls,
        comm: Member,
        source: int = ANY_SOURCE,
        tag: int = ANY_TAG,
        status: Status | None = None,
    ) -> Self:
        """Wait for a message that fits, and return it.

        Parameters
        ----------
        comm
            The communicator.
        source, tag
            What to wait for; from `PROC_NULL` comes `MESSAGE_NO_PROC`.
        status
            Filled in.
        """
        origin = Origin.at(comm.state, source, tag)
        return cls._of(origin, origin.wait_and_take(), status)

    @classmethod
    def Iprobe(
        cls,
        comm: Member,
        source: int = ANY_SOURCE,
        tag: int = ANY_TAG,
        status: Status | None = None,
    ) -> Self | None:
        """Return a message that is here and fits, or None; see `Probe`."""
        origin = Origin.at(comm.state, source, tag)
        message = origin.take()
        if message is None and origin.source is not None:
            if status is not None:
                status.fill(NO_MESSAGE)
            return None
        return cls._of(origin, message, status)

    probe = Probe
    iprobe = Iprobe

    def recv(self, status: Status | None = None) -> Any:
        """Return the object."""
        return self._start(take_object).wait(status)

    def irecv(self) -> Request:
        """Return a request whose `wait` returns the object."""
        return self._start(take_object)

    def Recv(self, buf: Any, status: Status | None = None) -> None:
        """Receive into the buffer."""
        Message.Irecv(self, buf).wait(status)

    def Irecv(self, buf: Any) -> Request:
        """Return a request that fills the buffer when it is completed."""
        is_some = self._target is not None and self._target.message is not None
        return self._start(into(recv_block(buf)) if is_some else nowhere)

    @classmethod
    def _of(
        cls, origin: Origin, message: transport.Message | None, status: Status | None
    ) -> Self:
        if message is None:
            if status is not None:
                status.fill(FROM_NOBODY)
            return cls(MESSAGE_NO_PROC)
        if status is not None:
            status.fill(envelope_of(origin.state, message))
        return cls._wrap(_Matched(origin.state, message))

    def _start(self, take: Take) -> Request:
        matched: _Matched | None = self._target
        if matched is None:
            msg = "the message is null: it has been received, or was never matched"
            raise MPIError(ERR_REQUEST, msg)
        self._forget()
        if matched.state is None:
            return Request.of(Operation(envelope=FROM_NOBODY))
        receive = Receive(matched.state.context, ANY_SOURCE, ANY_TAG)
        receive.message = matched.message
        return Request.of(Reception(matched.state, receive, take))


MESSAGE_NULL = Message._wrap(None, "MESSAGE_NULL")
MESSAGE_NO_PROC = Message._wrap(_Matched(), "MESSAGE_NO_PROC")
