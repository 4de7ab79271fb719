"""How long functions take to start and to load what they need."""

import math
from dataclasses import dataclass

from serverless_dist.cloud.latency import Profile
from serverless_dist.plan.inference.exchanges import RequestSums
from serverless_dist.runtime.tree import choose_branching, last_start
from serverless_dist.transport.blobs import GETS_BESIDE

_LOOK_SECONDS = 2.0  # a rank looks so often whether its job is still wanted


@dataclass(frozen=True, slots=True)
class Start:
    """What it takes until functions run.

    Attributes
    ----------
    last
        Seconds until the last of them runs.
    mean
        The same, on average.
    billed
        Seconds before that which each is billed for: starting Python.
    """

    last: float
    mean: float
    billed: float


def start(ranks: int, profile: Profile, *, is_cold: bool) -> Start:
    """Return what it takes to start so many functions, in the tree that runs use.

    Parameters
    ----------
    ranks
        How many.
    profile
        What the cloud is like.
    is_cold
        Whether there are no warm environments; each then begins with starting Python.
    """
    once = profile.lambda_delivery.typical
    billed = 0.0
    late = profile.lambda_delivery.quantile(ranks / (ranks + 1))
    if is_cold:
        billed = profile.lambda_init.mean
        once += profile.lambda_environment.typical + profile.lambda_init.typical
        late += profile.lambda_environment.quantile(ranks / (ranks + 1))
        late += profile.lambda_init.quantile(ranks / (ranks + 1))
    branching = choose_branching(ranks)
    accept = profile.lambda_accept.typical
    way = last_start(ranks, branching, start=once, invoke=accept, driver_invoke=accept)
    last = way - once + late
    if is_cold:  # so many new environments a second
        last = max(last, ranks / profile.environment_rate)
    return Start(last=last, mean=(way + accept + once) / 2, billed=billed)


def launched(ranks: int, seconds: float) -> RequestSums:
    """Return the requests of starting, watching and reporting."""
    tally = RequestSums()
    tally.count("lambda:Invoke", ranks)
    tally.count("s3:PutObject", ranks)  # each claims its place
    tally.count("s3:GetObject", ranks * (1 + seconds / _LOOK_SECONDS))
    tally.count("sqs:SendMessageBatch", ranks)  # outcome and farewell
    tally.count("sqs:ReceiveMessage", math.ceil(ranks / 2))
    tally.count("sqs:DeleteMessageBatch", math.ceil(ranks / 10))
    return tally


def transfer_seconds(size: float, profile: Profile) -> float:
    """Return how long one function's network takes for so many bytes, one way.

    >>> from serverless_dist.cloud.latency import US_EAST_1
    >>> f"{transfer_seconds(300 * 2**20 + 75 * 2**20, US_EAST_1):.2f}"
    '1.24'
    """
    burst = min(size, profile.burst_bytes)
    return burst / profile.burst_rate + (size - burst) / profile.network_rate


def load_seconds(size: float, objects: float, profile: Profile) -> float:
    """Return how long a function reads so many bytes in so many objects from S3."""
    waves = math.ceil(objects / GETS_BESIDE)
    streams = min(objects, GETS_BESIDE) * profile.stream_rate
    waiting = waves * profile.s3_get.mean
    return waiting + max(transfer_seconds(size, profile), size / max(streams, 1.0))
