"""A communicator's messages of one collective call, in one format."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from serverless_dist.comm.engine.matching import Receive
from serverless_dist.comm.engine.pickling import serializer
from serverless_dist.comm.engine.scope import Scope
from serverless_dist.comm.engine.sealed import pack, unpack
from serverless_dist.comm.steps import Send
from serverless_dist.transport import Message
from serverless_dist.wire.codec import Body

_REMEMBERED = 64  # formats: to make one takes longer than to use it


@dataclass(frozen=True, slots=True)
class Format:
    """How the data of steps become bodies, and back."""

    encode: Callable[[Any], Body]
    decode: Callable[[Body], Any]


OBJECTS = Format(serializer.encode, serializer.decode)
"""Data are objects: each receiver looks at what it gets."""

BUNDLES = Format(pack, unpack)
"""Data are lists of `Sealed`: ranks pass on what they do not look at."""


def arrays(dtype: DTypeLike) -> Format:
    """Return the format of data that are 1-D arrays of one type, without a head."""
    return _arrays(np.dtype(dtype))


@lru_cache(_REMEMBERED)
def _arrays(kind: np.dtype[Any]) -> Format:
    def encode(array: NDArray[Any]) -> Body:
        return (np.ascontiguousarray(array).view(np.uint8).data,)

    def decode(body: Body) -> NDArray[Any]:
        if not memoryview(body[0]).nbytes:  # numpy refuses to look at nothing
            return np.empty(0, kind)
        return np.frombuffer(body[0], kind)

    return Format(encode, decode)


@dataclass(frozen=True, slots=True)
class Channel:
    """Messages that never match those of another call.

    Parameters
    ----------
    state
        The communicator; ranks are those of its joint numbering.
    tag
        The tag of the messages.
    label
        What an error says: "in bcast for a message".
    form
        How data travel.
    """

    state: Scope
    tag: int
    label: str
    form: Format = OBJECTS

    def post(self, sends: Sequence[Send]) -> None:
        """Encode and send everything; what cannot be encoded stops all of it."""
        state, joint = self.state, self.state.joint
        source = state.endpoint.rank
        state.endpoint.post(
            [
                Message(
                    source,
                    tuple(joint[dest] for dest in send.dests),
                    state.context + 1,
                    self.tag,
                    self.form.encode(send.data),
                )
                for send in sends
            ]
        )

    def receives(self, sources: Sequence[int]) -> list[Receive]:
        """Return a receive, not yet posted, for each source."""
        joint, context = self.state.joint, self.state.context + 1
        return [Receive(context, joint[source], self.tag) for source in sources]

    def open(self, receive: Receive) -> Any:
        """Return the data that came."""
        message = receive.message
        return None if message is None else self.form.decode(message.body)
