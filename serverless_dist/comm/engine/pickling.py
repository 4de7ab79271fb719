"""How objects travel: by the package's own codec, or by functions of the user's.

`serializer` is mpi4py's ``MPI.pickle``, the object that programs change to have all
lower-case calls use another serializer. It belongs to the process, as in mpi4py: the
ranks have to agree on it anyway.
"""

import pickle
from collections.abc import Callable
from typing import Any

from serverless_dist.cloud import Buffer
from serverless_dist.comm.data.memory import buffer
from serverless_dist.errors import ProtocolError, UnpicklableError
from serverless_dist.transport import Message
from serverless_dist.wire.codec import Body, decode, encode

_THRESHOLD = 262_144  # bytes: mpi4py's

# What pickle raises itself, for what it cannot handle.
_REFUSALS = (pickle.PicklingError, TypeError, AttributeError, RecursionError)


class Pickle:
    """Turns objects into bodies and back.

    Parameters
    ----------
    dumps, loads
        Use these instead of the codec: ``dumps(obj, protocol)``, or ``dumps(obj)`` if
        there is no protocol, and ``loads(data)``. All ranks have to use the same.
    protocol
        The pickle protocol of `dumps`; None: the highest of pickle's own.
    threshold
        The bytes from which on `dumps_oob` keeps a buffer apart; None: 256 KiB.

    Examples
    --------
    >>> import json
    >>> as_json = Pickle(lambda obj: json.dumps(obj).encode(), json.loads)
    >>> as_json.loads(as_json.dumps([1, None]))
    [1, None]
    """

    def __init__(
        self,
        dumps: Callable[..., bytes] | None = None,
        loads: Callable[[Buffer], Any] | None = None,
        protocol: int | None = None,
        threshold: int | None = None,
    ) -> None:
        self._dumps = dumps
        self._loads = loads
        self.PROTOCOL = protocol
        self.THRESHOLD = threshold

    def __repr__(self) -> str:
        name = getattr(self._dumps, "__qualname__", "the codec's")
        return f"<Pickle {name}, protocol {self.PROTOCOL}>"

    @property
    def PROTOCOL(self) -> int | None:
        """The protocol that `dumps` is given; None: none."""
        return self._protocol

    @PROTOCOL.setter
    def PROTOCOL(self, protocol: int | None) -> None:
        is_ours = protocol is None and self._dumps is None
        self._protocol = pickle.HIGHEST_PROTOCOL if is_ours else protocol

    @property
    def THRESHOLD(self) -> int:
        """The bytes from which on `dumps_oob` keeps a buffer apart."""
        return self._threshold

    @THRESHOLD.setter
    def THRESHOLD(self, threshold: int | None) -> None:
        self._threshold = _THRESHOLD if threshold is None else threshold

    def dumps(self, obj: Any) -> bytes:
        """Return `obj` as bytes."""
        if self._dumps is None:
            return pickle.dumps(obj, self._protocol)
        if self._protocol is None:
            return self._dumps(obj)
        return self._dumps(obj, self._protocol)

    def dumps_oob(self, obj: Any) -> tuple[bytes, list[buffer]]:
        """Return `obj` as bytes and the large buffers that it has."""
        apart: list[buffer] = []

        def keep_within(found: pickle.PickleBuffer) -> bool:
            raw = found.raw()
            if raw.nbytes < self._threshold:
                return True
            apart.append(buffer.frombuffer(raw))
            return False

        return pickle.dumps(obj, protocol=5, buffer_callback=keep_within), apart

    def loads(self, data: Buffer) -> Any:
        """Return the object in bytes that `dumps` made, or that a rank sent."""
        return self.decode((data,))

    def loads_oob(self, data: Buffer, buffers: list[Buffer]) -> Any:
        """Return the object that `dumps_oob` took apart."""
        return pickle.loads(data, buffers=buffers)

    def encode(self, obj: Any) -> Body:
        """Return `obj` as the body of a message.

        Raises
        ------
        UnpicklableError
            Pickle refuses. What the object's own code raises is raised as it is.
        """
        if self._dumps is not None:
            return (self.dumps(obj),)
        try:
            return encode(obj)
        except UnpicklableError as error:
            cause = error.__cause__
            if cause is None or isinstance(cause, _REFUSALS):
                raise
            raise cause from None

    def decode(self, body: Body) -> Any:
        """Return the object in the body of a message, which this job's key signed."""
        if self._loads is not None:
            return self._loads(bytes(body[0]))
        try:
            return decode(body)
        except ProtocolError:
            # A buffer that was sent by `Send`, as mpi4py allows: a pickle, or nothing.
            data = memoryview(body[0])
            return pickle.loads(data) if data.nbytes else None


serializer = Pickle()


def take_object(message: Message) -> Any:
    """Return the object that a message brings."""
    return serializer.decode(message.body)
