"""What one exchange among ranks asks of a channel, and how long it takes.

Sizes and numbers of requests follow from the packing of `cloud.batches`, by which
senders cut their batches. How often a receiver asks depends on when messages come, and
is an estimate: see `waits`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from serverless_dist.cloud.batches import (
    QUEUE_MAX_BODY,
    TOPIC_MAX_BODY,
    billed,
    queue_batches,
    text_size,
    topic_batches,
)
from serverless_dist.cloud.latency import Profile
from serverless_dist.cloud.limits import BILLING_CHUNK, MAX_BATCH, MAX_FILTERS
from serverless_dist.plan.inference.waits import LOOKS, by_object, by_queue
from serverless_dist.transport.blobs import GETS_BESIDE, HEAD_BYTES
from serverless_dist.wire.frames import header_reserve

HEAD_OF_BODY = 64  # what the codec puts before bytes: `wire.codec`
FRAME_BYTES = 80  # around each part of a body, for one dest: `wire.frames`
ATTRIBUTE_BYTES = len("targetString.Array[]")
SIDE_BY_SIDE = 8  # requests of one rank at a time: connections of `AwsClients`
POINTER_BYTES = 130  # of the hybrid channel: key, span, digest


class Via(StrEnum):
    """A channel of a cloud."""

    QUEUE = "queue"
    OBJECT = "object"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True)
class Call:
    """What each rank sends in one exchange; each receives as much.

    Attributes
    ----------
    ranks
        How many do so.
    messages
        How many different messages each sends.
    dests
        How many ranks each of those is for.
    size
        Bytes of each.
    """

    ranks: int
    messages: float
    dests: float
    size: float

    @property
    def fan(self) -> int:
        """The ranks that a message is for, as a whole number."""
        return max(1, round(self.dests))

    @property
    def arrivals(self) -> float:
        """The messages that each rank receives."""
        return self.messages * self.dests


@dataclass
class RequestSums:
    """Requests, what they are billed as, and bytes; of all ranks together."""

    requests: dict[str, float] = field(default_factory=dict)
    billed: dict[str, float] = field(default_factory=dict)
    sent: float = 0.0
    received: float = 0.0

    def count(self, kind: str, requests: float, bill: float | None = None) -> None:
        """Add requests of a kind, billed as so many."""
        bill = requests if bill is None else bill
        self.requests[kind] = self.requests.get(kind, 0.0) + requests
        self.billed[kind] = self.billed.get(kind, 0.0) + bill

    def add(self, other: "RequestSums", times: float = 1.0) -> None:
        """Add what another has counted, so many times."""
        for kind, number in other.requests.items():
            self.count(kind, number * times, other.billed[kind] * times)
        self.sent += other.sent * times
        self.received += other.received * times


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one exchange takes.

    Attributes
    ----------
    tally
        The requests of all ranks.
    seconds
        From when ranks begin to send until the last has everything, but for the bytes'
        way through a function's network.
    cpu
        Seconds of a whole vCPU of each rank.
    """

    tally: RequestSums
    seconds: float
    cpu: float


def exchange(via: Via, call: Call, profile: Profile) -> Exchange:
    """Return what an exchange takes over a channel.

    Examples
    --------
    >>> from serverless_dist.cloud.latency import US_EAST_1
    >>> multicast = Call(ranks=8, messages=1, dests=7, size=1_000)
    >>> exchange(Via.QUEUE, multicast, US_EAST_1).tally.requests["sns:PublishBatch"]
    8.0
    >>> exchange(Via.OBJECT, multicast, US_EAST_1).tally.requests["s3:PutObject"]
    8.0
    """
    if call.arrivals <= 0:
        return Exchange(RequestSums(), 0.0, 0.0)
    return _WAYS[via](call, profile)


def _frames(call: Call, most: int) -> list[int]:
    """Return the sizes of the frames that carry a message of at most so many bytes."""
    named = math.ceil(call.fan / _reached(call))
    room = most - header_reserve(named)
    body = round(call.size) + HEAD_OF_BODY
    parts = max(1, math.ceil(body / room))
    last = body - (parts - 1) * room
    around = _around(call, named)
    return [room + around] * (parts - 1) + [last + around]


def _reached(call: Call) -> int:
    """Return by how many topics a message goes; each names those that it serves."""
    return min(math.ceil(call.ranks / MAX_FILTERS), call.fan)


def _around(call: Call, named: int) -> int:
    """Return the bytes around a part of a body that names so many dests.

    msgpack takes 1 to 3 bytes for a rank. Streams in which as much was sent before, as
    here, share one number.
    """
    rank = 1 if call.ranks <= 128 else 2 if call.ranks <= 512 else 3
    return FRAME_BYTES + (named - 1) * rank


def _by_queue(call: Call, profile: Profile) -> Exchange:
    tally = RequestSums()
    is_direct = call.messages * call.dests <= 1
    count = max(1, round(call.messages))
    share = call.ranks * call.messages / count
    frames = _frames(call, QUEUE_MAX_BODY if is_direct else TOPIC_MAX_BODY)
    if is_direct:
        requests = _send(tally, frames * count, share)
        sent, rate = profile.sqs_send.typical, math.inf
    else:
        requests = _publish(tally, frames, count, call, share)
        sent, rate = profile.sns_publish.typical, profile.sns_rate
    arrivals = call.arrivals * len(frames)
    waiting = by_queue(profile, max(1, round(arrivals)), is_direct=is_direct)
    polls = min(arrivals, max(math.ceil(arrivals / MAX_BATCH), waiting.polls))
    _receive(tally, call, frames, polls)
    later = math.ceil(requests / SIDE_BY_SIDE) - 1  # waves of requests
    waited = max(waiting.seconds + later * sent, polls * profile.sqs_receive.mean)
    published = call.ranks * count * len(frames) / rate
    texts = sum(map(text_size, frames)) * count
    asked = requests + polls + arrivals / MAX_BATCH
    cpu = asked * profile.request_cpu
    cpu += 0.0 if is_direct else texts * profile.sns_byte_cpu
    return Exchange(tally, max(waited, published), cpu)


def _send(tally: RequestSums, frames: list[int], share: float) -> int:
    batches = queue_batches(frames)
    texts = [sum(map(text_size, frames[start:stop])) for start, stop in batches]
    tally.count(
        "sqs:SendMessageBatch", len(batches) * share, sum(map(billed, texts)) * share
    )
    tally.sent += sum(texts) * share
    return len(batches)


def _publish(
    tally: RequestSums, frames: list[int], count: int, call: Call, share: float
) -> int:
    """Count the batches; a topic of SNS serves 200 mailboxes, so there are several."""
    topics = math.ceil(call.ranks / MAX_FILTERS)
    reached = _reached(call)
    digits = len(str(call.ranks)) + 3
    attribute = ATTRIBUTE_BYTES + digits * math.ceil(call.fan / reached)
    each = max(1, math.ceil(count * reached / topics))  # messages of a topic
    entries = [text_size(frame) + attribute for frame in frames] * each
    batches = topic_batches(entries)
    bill = sum(billed(sum(entries[start:stop])) for start, stop in batches)
    scale = share * count * reached / each
    tally.count("sns:PublishBatch", len(batches) * scale, bill * scale)
    tally.sent += sum(map(text_size, frames)) * each * scale
    copies = sum(billed(text_size(frame)) for frame in frames)
    tally.count("sns:Delivery", 0, copies * call.ranks * call.arrivals)
    return len(batches) * round(count * reached / each)


def _receive(tally: RequestSums, call: Call, frames: list[int], polls: float) -> None:
    """Count what receivers ask, each so often."""
    arrivals = call.arrivals * len(frames)
    size = sum(map(text_size, frames)) * call.arrivals
    chunks = size / polls / BILLING_CHUNK
    bill = polls * (1.0 if chunks <= 0.5 else chunks + 0.5)
    tally.count("sqs:ReceiveMessage", polls * call.ranks, bill * call.ranks)
    tally.count("sqs:DeleteMessageBatch", arrivals / MAX_BATCH * call.ranks)
    tally.received += size * call.ranks


def _by_object(call: Call, profile: Profile) -> Exchange:
    tally = RequestSums()
    frame = call.size + HEAD_OF_BODY + _around(call, call.fan)
    is_own = call.messages * call.dests <= 1
    index = 4 + call.messages * (7 + 2.5 * call.fan)
    crate = index + frame * call.messages
    tally.count("s3:PutObject", call.ranks)
    tally.sent += crate * call.ranks
    sources = min(call.ranks - 1.0, call.arrivals)
    found, size = _reads(crate, index, frame, is_own=is_own)
    gets = sources * (found + 2 * LOOKS)  # a look is for both of a source's sequences
    tally.count("s3:GetObject", gets * call.ranks)
    if is_own:
        tally.count("s3:DeleteObjects", call.ranks / 1_000)
    tally.received += size * sources * call.ranks
    waves = math.ceil(sources / GETS_BESIDE)
    beside = max(1, min(round(sources), GETS_BESIDE))
    waited = by_object(profile, beside) + (found - 1) * profile.s3_get.mean
    waited += (found + 2 * LOOKS) * profile.s3_get.mean * (waves - 1)
    waited += (crate + size) / profile.stream_rate
    # A job's keys have one prefix, which takes so many requests a second.
    limit = max(
        gets * call.ranks / profile.s3_get_rate, call.ranks / profile.s3_put_rate
    )
    return Exchange(tally, max(waited, limit), (gets + 1) * profile.request_cpu)


def _reads(
    crate: float, index: float, frame: float, *, is_own: bool
) -> tuple[float, float]:
    """Return how many GETs bring one source's messages, and how many bytes."""
    if is_own:
        return 1.0, crate
    if crate <= HEAD_BYTES:
        return 1.0, crate
    head = max(index, HEAD_BYTES)
    longer = 1.0 if index > HEAD_BYTES else 0.0
    beyond = 1 - HEAD_BYTES / crate if frame < HEAD_BYTES else 1.0
    return 1.0 + longer + beyond, head + frame * beyond


def _by_hybrid(call: Call, profile: Profile) -> Exchange:
    if call.size <= TOPIC_MAX_BODY - header_reserve(min(call.ranks, MAX_FILTERS)):
        return _by_queue(call, profile)
    pointers = Call(call.ranks, call.messages, call.dests, POINTER_BYTES)
    queued = _by_queue(pointers, profile)
    tally = queued.tally
    whole = call.size * call.messages
    tally.count("s3:PutObject", call.ranks)
    tally.count("s3:GetObject", call.arrivals * call.ranks)
    tally.sent += whole * call.ranks
    tally.received += call.size * call.arrivals * call.ranks
    waves = math.ceil(call.arrivals / GETS_BESIDE)
    got = (waves - 1) * profile.s3_get.typical
    got += _last_of(min(call.arrivals, GETS_BESIDE), profile.s3_get.quantile)
    moved = (whole + call.size * waves) / profile.stream_rate
    seconds = queued.seconds + profile.s3_put.typical + got + moved
    cpu = queued.cpu + (call.arrivals + 1) * profile.request_cpu
    return Exchange(tally, seconds, cpu)


def _last_of(count: float, quantile: Callable[[float], float]) -> float:
    """Return what the last of so many is expected to take: about their quantile."""
    return quantile(max(0.5, count / (count + 1)))


_WAYS: Mapping[Via, Callable[[Call, Profile], Exchange]] = {
    Via.QUEUE: _by_queue,
    Via.OBJECT: _by_object,
    Via.HYBRID: _by_hybrid,
}
