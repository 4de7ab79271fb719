"""What a `Cost` means on a channel: seconds and dollars.

The model is one of latency and bandwidth (Hockney 1994) with the requests that AWS
bills. It knows how a post becomes requests, but takes all posts of a call to be alike,
and no request to be slow or repeated. It is for comparing algorithms, not for billing.

What a call costs in all is its requests and the seconds that its ranks spend in it, at
the price of a Lambda function with one vCPU: the one currency in which time and
requests compare. Where requests are free, that is time alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil

from serverless_dist.cloud.batches import QUEUE_MAX_BODY, TOPIC_MAX_BODY, text_size
from serverless_dist.cloud.limits import (
    BILLING_CHUNK,
    MAX_BATCH,
    SQS_MAX_BYTES,
    VCPU_MEMORY_MB,
)
from serverless_dist.cloud.prices import US_EAST_1
from serverless_dist.comm.algorithms.costs import Cost, Load

# One machine: sockets between Python processes, measured on two x86-64 cores. Large
# bodies are written into shared memory, a multicast once, and read in place.
_WAKE_UP = 10e-6  # seconds until a waiting rank runs
_HANDLING = 10e-6  # seconds of a core to send a message, and again to receive it
_CORE = 4e9  # bytes a second that a core sends

# Medians from a sender to a waiting receiver. SQS: bitesizedserverless.com, "Serverless
# Messaging: Latency Compared", 2022-09. SNS adds 12 ms in the same table.
_SQS_HOP, _SNS_HOP = 0.016, 0.028
_RECEIVE = 0.007  # seconds of one more ReceiveMessage: an estimate
# Medians of 1 KB objects from Lambda: Bodner et al., arXiv 2501.07771, 2024-04.
_PUT, _GET = 0.041, 0.027
_PAUSE = 0.025  # seconds by which a poll misses an object: half of the longest pause
_GETS = 16  # at once, by one rank
_POLLS = 3  # GETs for each message: one finds it, others come early or try its twin
# Lambda's sustained network rate in each direction, same paper: 75 MiB/s.
_LAMBDA = 75 * 2**20
# Encoding for SNS's query protocol takes 11 ms of processor time for 192 KB.
_SNS = 17e6

_RANK_SECOND = VCPU_MEMORY_MB / 1_024 * US_EAST_1.lambda_gb_second


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a call is expected to take.

    Attributes
    ----------
    seconds
        From the first rank's call to the last rank's return.
    requests
        Dollars for all requests.
    dollars
        Dollars for requests and for the seconds of all ranks.
    """

    seconds: float
    requests: float
    dollars: float


def predict(
    channel: str, cost: Cost, size: int, cores: int | None = None
) -> Prediction:
    """Return what a call takes on a channel.

    Parameters
    ----------
    channel
        One of `CHANNELS`.
    cost
        What the algorithm asks of it.
    size
        The number of ranks.
    cores
        How many cores the ranks share on the direct channel; None: each has its own.
        Where ranks are functions, each has its own in any case.
    """
    if not cost.messages:
        return Prediction(0.0, 0.0, 0.0)
    if channel == "direct":
        seconds, requests = _direct(cost, min(size, cores or size)), 0.0
    else:
        seconds, requests = _SERVICES[channel](cost, size)
    return Prediction(seconds, requests, requests + size * seconds * _RANK_SECOND)


def _direct(cost: Cost, cores: int) -> float:
    """Return the seconds of the longest way, or of all work if cores are too few."""
    path = cost.path
    # Of each message on the path, one end is counted; each round has another end.
    handling = max(path.messages + cost.rounds, 2 * cost.messages / cores) * _HANDLING
    copying = max(cost.published_path.bytes, cost.published.bytes / cores) / _CORE
    return cost.rounds * _WAKE_UP + handling + copying


def _queue(cost: Cost, size: int) -> tuple[float, float]:
    is_single = cost.posts == cost.messages  # every post has one receiver: SQS alone
    path = cost.published_path
    receives = max(path.messages / MAX_BATCH, text_size(path.bytes) / SQS_MAX_BYTES)
    rate = _LAMBDA * 3 / 4 if is_single else _SNS
    seconds = (
        cost.rounds * (_SQS_HOP if is_single else _SNS_HOP)
        + max(0.0, receives - cost.rounds) * _RECEIVE
        + path.bytes / rate
    )
    largest = QUEUE_MAX_BODY if is_single else TOPIC_MAX_BODY
    frames = ceil(cost.bytes / cost.messages / largest) or 1  # of one message
    price = US_EAST_1.sqs_request if is_single else US_EAST_1.sns_request
    sent = cost.posts * _billed(_per(cost.published, cost.posts), frames) * price
    # What comes in one round to one rank may be received together.
    calls = max(1, cost.rounds * size)
    arriving = _per(Load(cost.messages, cost.bytes), min(calls, cost.messages))
    received = min(calls, cost.messages) * _billed(arriving, frames)
    deleted = cost.messages * frames / MAX_BATCH
    taken = (received + deleted) * US_EAST_1.sqs_request
    return seconds, sent + cost.messages * frames * US_EAST_1.sns_delivery + taken


def _object(cost: Cost, size: int) -> tuple[float, float]:
    del size
    seconds = cost.rounds * (_PUT + _GET + _PAUSE) + _transfer(cost)
    gets = _POLLS * cost.messages
    return seconds, cost.posts * US_EAST_1.s3_put + gets * US_EAST_1.s3_get


def _hybrid(cost: Cost, size: int) -> tuple[float, float]:
    if cost.bytes <= cost.messages * TOPIC_MAX_BODY:
        return _queue(cost, size)
    seconds, requests = _queue(_pointers(cost), size)
    seconds += cost.rounds * (_PUT + _GET) + _transfer(cost)
    objects = cost.posts * US_EAST_1.s3_put + cost.messages * US_EAST_1.s3_get
    return seconds, requests + objects


def _transfer(cost: Cost) -> float:
    """Return the seconds that data take up to S3 and down again."""
    path = cost.published_path
    waves = max(0.0, path.messages / _GETS - cost.rounds)
    return waves * _GET + 2 * path.bytes / _LAMBDA


def _pointers(cost: Cost) -> Cost:
    """Return the cost of the same messages without their bytes."""
    return Cost(
        rounds=cost.rounds,
        messages=cost.messages,
        bytes=0,
        posts=cost.posts,
        path=Load(cost.path.messages, 0),
        sent=Load(cost.published.messages, 0),
        sent_path=Load(cost.published_path.messages, 0),
    )


def _per(load: Load, count: int) -> tuple[float, float]:
    """Return the messages and bytes of each of `count` requests."""
    return load.messages / count, load.bytes / count


def _billed(each: tuple[float, float], frames: int) -> int:
    """Return what messages in `frames` entries each are billed as."""
    messages, size = each
    chunks = ceil(text_size(ceil(size)) / BILLING_CHUNK)
    return max(1, ceil(messages * frames / MAX_BATCH), chunks)


_SERVICES: Mapping[str, Callable[[Cost, int], tuple[float, float]]] = {
    "queue": _queue,
    "object": _object,
    "hybrid": _hybrid,
}
CHANNELS = ("direct", *_SERVICES)
