"""How long a rank waits for the last of its messages: expectations by sampling.

In an exchange that is repeated, a rank goes on when the slowest of its sources has been
heard, so what counts is the expectation of the largest of several sums of latencies.
No formula gives that for shifted lognormals, so they are drawn, always alike.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from serverless_dist.cloud.latency import Latency, Profile

LOOKS = 0.43  # in vain for each object: taken from simulations of 2 and 8 ranks
_DRAWS = 10_000
_KNOWN = 256  # combinations of profile and number of messages: a plan has some 30

Seconds = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Waiting:
    """What it takes until a rank has all its messages.

    Attributes
    ----------
    seconds
        From when it and its sources begin to send until it has them, expected.
    polls
        The requests to its queue that bring them, expected; 0 without a queue.
    """

    seconds: float
    polls: float


@lru_cache(_KNOWN)
def by_queue(profile: Profile, messages: int, *, is_direct: bool) -> Waiting:
    """Return what it takes until so many messages have come by queue.

    A request to the queue brings what has come so far, so the last message waits for
    the end of the request under way, and then for its own.

    Parameters
    ----------
    profile
        What the cloud is like.
    messages
        How many come.
    is_direct
        Whether they are sent to the queue itself, and not over a topic.

    Examples
    --------
    >>> from serverless_dist.cloud.latency import US_EAST_1
    >>> by_queue(US_EAST_1, 1, is_direct=True).polls
    1.0
    """
    random = np.random.default_rng(0)
    receive = _drawn(profile.sqs_receive, random)
    longer = random.choice(receive, _DRAWS, p=receive / receive.sum())
    under_way = longer * random.random(_DRAWS)
    under_way[random.random(_DRAWS) < 1 / messages] = 0.0  # nobody else's was there
    if is_direct:
        way = _drawn(profile.sqs_send, random)
    else:
        way = _drawn(profile.sns_publish, random) + _drawn(profile.sns_hop, random)
    sums = np.sort(way + receive + under_way)
    last = _largest(sums, messages)
    first = -_largest(np.sort(-sums), messages)
    fitting = max(1.0, (last - first) / float(receive.mean()))
    polls = fitting * (1 - (1 - 1 / fitting) ** messages)
    return Waiting(last, max(1.0, polls))


@lru_cache(_KNOWN)
def by_object(profile: Profile, objects: int) -> float:
    """Return the seconds until so many objects, put at the same time, are here.

    They are looked for side by side. A look that is in vain takes two requests.
    """
    random = np.random.default_rng(0)
    sums = _drawn(profile.s3_put, random) + _drawn(profile.s3_get, random)
    vain = _drawn(profile.s3_get, random) + _drawn(profile.s3_get, random)
    sums += np.where(random.random(_DRAWS) < LOOKS, vain, 0.0)
    return _largest(np.sort(sums), objects)


def _drawn(latency: Latency, random: np.random.Generator) -> Seconds:
    normal = random.standard_normal(_DRAWS)
    drawn: Seconds = latency.floor + latency.median * np.exp(latency.sigma * normal)
    return drawn


def _largest(ascending: Seconds, count: int) -> float:
    """Return the expectation of the largest of so many draws.

    >>> round(_largest(np.arange(1.0, 7.0), 2), 3)  # of two dice
    4.472
    """
    below = np.arange(ascending.size + 1) / ascending.size
    return float(ascending @ np.diff(below**count))
