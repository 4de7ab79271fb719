"""The hybrid channel: small bodies by queue, large ones by object.

A body that one topic entry holds travels in the queue. A larger one is put into an
object, one object for all large bodies of a `send` call, and a pointer to it travels
in its place: key, span and SHA-256. The pointer is a signed frame in the stream, so
order and exactly once are the queue's, the bytes are the object's, and nobody polls.

One entry is about where the prices cross for a single receiver: 190 KB cost four
publish units and four receive units ($0.0000036), a PUT and a GET $0.0000054.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

import msgpack

from serverless_dist.cloud import Cloud
from serverless_dist.cloud.beside import map_beside
from serverless_dist.cloud.limits import MAX_FILTERS
from serverless_dist.errors import ProtocolError
from serverless_dist.transport.inbox import Arrival
from serverless_dist.transport.message import Message
from serverless_dist.transport.queues import QueueTransport
from serverless_dist.wire import Flaw, JobKey, Kind
from serverless_dist.wire.frames import header_reserve

_GETS = 16  # of one rank at a time


class HybridTransport:
    """Messages over queues and objects; see `Transport`.

    Parameters
    ----------
    rank, size
        This rank, which reads mailbox `rank`, and the number of ranks.
    cloud
        The fabric.
    key
        The job's key.
    """

    def __init__(self, rank: int, size: int, cloud: Cloud, key: JobKey) -> None:
        self.rank = rank
        self.size = size
        self._clock = cloud.clock
        self._blobs = cloud.blobs
        self._queues = QueueTransport(rank, size, cloud, key)
        self._largest = cloud.topic.max_body - header_reserve(min(size, MAX_FILTERS))
        self._prefix = f"{key.job.hex()}/large/{rank}/"
        self._puts = 0

    def __repr__(self) -> str:
        return f"<HybridTransport rank {self.rank} of {self.size}: {self._puts} puts>"

    @property
    def dropped(self) -> Counter[Flaw]:
        """How many frames were dropped, by reason."""
        return self._queues.dropped

    def send(self, messages: Sequence[Message]) -> None:
        """Put what is large, then queue the rest and the pointers."""
        large = [m for m in messages if m.nbytes > self._largest]
        if not large:
            self._queues.send(messages)
            return
        pointers = dict(zip(map(id, large), self._store(large), strict=True))
        self._queues.send_kinds(
            [
                (pointers[id(m)], Kind.POINTER) if id(m) in pointers else (m, Kind.DATA)
                for m in messages
            ]
        )

    def receive(self, wait: float, expect: Collection[int] = ()) -> Sequence[Message]:
        """Return what has arrived, waiting up to `wait` seconds for the first."""
        del expect  # one mailbox holds what all sources send
        arrivals = self._queues.receive_arrivals(wait)
        pointers = [arrival for arrival in arrivals if arrival.kind is Kind.POINTER]
        if not pointers:
            return [arrival.message for arrival in arrivals]
        limit = min(len(pointers), _GETS)
        return map_beside(self._clock, self._resolve, arrivals, limit=limit)

    def wake(self) -> None:
        """Make `receive` return soon."""
        self._queues.wake()

    def close(self) -> None:
        """Delete what was received; what was sent stays for others."""
        self._queues.close()

    def _store(self, messages: Sequence[Message]) -> list[Message]:
        """Put the bodies as one object; return messages that point into it."""
        key = f"{self._prefix}{self._puts}"
        self._puts += 1
        bodies = [b"".join(message.body) for message in messages]
        self._blobs.put(key, bodies[0] if len(bodies) == 1 else b"".join(bodies))
        pointers = []
        start = 0
        for message, body in zip(messages, bodies, strict=True):
            stop = start + len(body)
            digest = hashlib.sha256(body).digest()
            pointer = msgpack.packb([key, start, stop, digest])
            pointers.append(replace(message, body=(pointer,)))
            start = stop
        return pointers

    def _resolve(self, arrival: Arrival) -> Message:
        message = arrival.message
        if arrival.kind is Kind.DATA:
            return message
        key, start, stop, digest = msgpack.unpackb(message.body[0])
        body = bytearray(self._blobs.get(key, start=start, stop=stop) or b"")
        if hashlib.sha256(body).digest() != digest:
            msg = (
                f"rank {self.rank} was sent object {key} by rank {message.source}, "
                "but it is gone or was changed"
            )
            raise ProtocolError(msg)
        return replace(message, body=(body,))
