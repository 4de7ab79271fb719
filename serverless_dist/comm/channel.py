"""A port of an endpoint: the messages of one call, in one format."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from serverless_dist.comm.endpoint import Endpoint, Wanted
from serverless_dist.comm.sealed import pack, unpack
from serverless_dist.comm.steps import Send
from serverless_dist.transport import Message
from serverless_dist.wire.codec import Body, decode, encode


@dataclass(frozen=True, slots=True)
class Format:
    """How the data of steps become bodies, and back."""

    encode: Callable[[Any], Body]
    decode: Callable[[Body], Any]


OBJECTS = Format(encode, decode)
"""Data are objects: each receiver looks at what it gets."""

BUNDLES = Format(pack, unpack)
"""Data are lists of `Sealed`: ranks pass on what they do not look at."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A `Port` whose messages never match those of another call.

    Parameters
    ----------
    endpoint
        Posts and awaits the messages.
    wanted
        The context and tag of the messages.
    form
        How data travel.
    """

    endpoint: Endpoint
    wanted: Wanted
    form: Format = OBJECTS

    def post(self, sends: Sequence[Send]) -> None:
        """Encode and send everything; what cannot be encoded stops all of it."""
        rank, context, tag = self.endpoint.rank, self.wanted.context, self.wanted.tag
        with self.endpoint.stopwatch.sending():
            self.endpoint.post(
                [
                    Message(rank, send.dests, context, tag, self.form.encode(send.data))
                    for send in sends
                ]
            )

    def collect(self, sources: Sequence[int]) -> list[Any]:
        """Wait for the next data of each source; return them in that order."""
        with self.endpoint.stopwatch.waiting():
            messages = self.endpoint.collect(self.wanted, sources)
            return [self.form.decode(message.body) for message in messages]
