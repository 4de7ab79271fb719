"""What one call of a collective takes: its steps in virtual time, counted and priced.

All ranks begin at once, and the call is over when the last of them has its result.
Quadratic algorithms among many ranks are not run message by message: of those, and of
the direct channel, the closed form of `comm.algorithms` is told, and says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from serverless_dist.cloud import Usage
from serverless_dist.cloud.latency import US_EAST_1, Profile
from serverless_dist.cloud.limits import VCPU_MEMORY_MB
from serverless_dist.cloud.prices import (
    US_EAST_1 as US_EAST_1_PRICES,
    Prices,
    dollars,
)
from serverless_dist.comm.algorithms import Algorithm, named
from serverless_dist.plan.collectives.hybrid_clock import HybridClock
from serverless_dist.plan.collectives.object_clock import ObjectClock
from serverless_dist.plan.collectives.payloads import payload_of
from serverless_dist.plan.collectives.queue_clock import QueueClock
from serverless_dist.plan.collectives.services_clock import ServicesClock
from serverless_dist.plan.collectives.steps_clock import Channel, Ranks, StepsClock

MOST_MESSAGES = 500_000
"""Of calls that are simulated: about ten seconds' worth."""
MOST_ITEMS = 1 << 22
"""Of the lists that all ranks hold together, where each holds an item of every rank."""

_LISTING = ("allgather", "alltoall", "reduce_scatter")
_CLOCKS: Mapping[str, Callable[[ServicesClock, int, Ranks], Channel]] = {
    "queue": QueueClock,
    "object": ObjectClock,
    "hybrid": HybridClock,
}
_SHARES = (0.5, 0.9, 0.99)


class Method(StrEnum):
    """How an estimate was made."""

    SIMULATION = "simulation"
    CLOSED_FORM = "closed form"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Under what a collective is called.

    Attributes
    ----------
    channel
        How ranks talk.
    profile, prices
        What the cloud is like, and takes.
    memory_mb
        Of a function.
    seed
        Of all that is left to chance.
    objects
        Data are objects, not arrays.
    """

    channel: str = "queue"
    profile: Profile = US_EAST_1
    prices: Prices = US_EAST_1_PRICES
    memory_mb: int = VCPU_MEMORY_MB
    seed: int = 0
    objects: bool = False


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a call is expected to take.

    Attributes
    ----------
    algorithm, channel, ranks, nbytes
        What was asked.
    method
        How the numbers were found.
    seconds
        From the ranks' calls to the last rank's return.
    lines
        Dollars for the requests of each service and, as ``"lambda"``, for the seconds
        of all ranks: each is there until the last one returns. A closed form knows
        ``"requests"`` as a whole.
    usage
        Requests, and bytes; of a closed form nothing is known.
    quantiles
        By which second a share of the ranks has returned.
    """

    algorithm: str
    channel: str
    ranks: int
    nbytes: int
    method: Method
    seconds: float
    lines: Mapping[str, float]
    usage: Usage = field(default_factory=Usage)
    quantiles: Mapping[float, float] = field(default_factory=dict)

    @property
    def dollars(self) -> float:
        """Dollars in all."""
        return sum(self.lines.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate as values that JSON knows."""
        return {
            "algorithm": self.algorithm,
            "channel": self.channel,
            "ranks": self.ranks,
            "bytes": self.nbytes,
            "method": self.method.value,
            "seconds": self.seconds,
            "dollars": self.dollars,
            "lines": dict(self.lines),
            "requests": dict(self.usage.requests),
            "billed": dict(self.usage.billed),
            "sent": self.usage.bytes_sent,
            "received": self.usage.bytes_received,
            "quantiles": {f"{share:g}": at for share, at in self.quantiles.items()},
        }


def estimate(
    collective: str, algorithm: str, ranks: int, nbytes: int, given: Circumstances
) -> Estimate:
    """Return what a call takes: simulated if that can be done, else by closed form.

    Parameters
    ----------
    collective, algorithm
        As ``"allreduce"``, ``"multicast"``.
    ranks
        How many take part.
    nbytes
        Of what each rank gives, in the sense of `choose`.
    given
        The channel, and what else there is.

    Raises
    ------
    UsageError
        There is no such collective or algorithm.

    Examples
    --------
    >>> found = estimate("bcast", "multicast", 8, 100, Circumstances())
    >>> found.usage.requests["sns:PublishBatch"], found.usage.billed["sns:Delivery"]
    (1, 7)
    >>> found == estimate("bcast", "multicast", 8, 100, Circumstances())
    True
    """
    if is_simulated(collective, algorithm, ranks, nbytes, given.channel):
        return simulate_collective(collective, algorithm, ranks, nbytes, given)
    return predict_collective(collective, algorithm, ranks, nbytes, given)


def is_simulated(
    collective: str, algorithm: str, ranks: int, nbytes: int, channel: str
) -> bool:
    """Tell whether `estimate` runs such a call message by message."""
    messages = named(collective, algorithm).cost(ranks, nbytes).messages
    items = ranks**2 if collective in _LISTING else ranks
    return channel in _CLOCKS and messages <= MOST_MESSAGES and items <= MOST_ITEMS


def simulate_collective(
    collective: str, algorithm: str, ranks: int, nbytes: int, given: Circumstances
) -> Estimate:
    """Run all steps of a call in virtual time; see `estimate`.

    Raises
    ------
    ProtocolError
        Ranks wait for each other for ever; the message names them all.
    """
    payload = payload_of(collective, ranks, nbytes, objects=given.objects)
    services = ServicesClock(
        ranks, profile=given.profile, memory_mb=given.memory_mb, seed=given.seed
    )
    clock = StepsClock(
        payload.steps(named(collective, algorithm), ranks), payload.measure
    )
    ends = clock.run(_CLOCKS[given.channel](services, ranks, clock))
    seconds, usage = max(ends), services.usage()
    shares = np.quantile(ends, _SHARES).tolist()
    return Estimate(
        algorithm=algorithm,
        channel=given.channel,
        ranks=ranks,
        nbytes=nbytes,
        method=Method.SIMULATION,
        seconds=seconds,
        lines=_lines(usage, ranks * seconds, given),
        usage=usage,
        quantiles=dict(zip(_SHARES, shares, strict=True)),
    )


def predict_collective(
    collective: str, algorithm: str, ranks: int, nbytes: int, given: Circumstances
) -> Estimate:
    """Return what the closed form says of a call; see `estimate`.

    Its latencies and prices of requests are those of us-east-1.
    """
    found: Algorithm = named(collective, algorithm)
    predicted = found.predict(given.channel, ranks, nbytes)
    spent = _lines(Usage(), ranks * predicted.seconds, given)["lambda"]
    return Estimate(
        algorithm=algorithm,
        channel=given.channel,
        ranks=ranks,
        nbytes=nbytes,
        method=Method.CLOSED_FORM,
        seconds=predicted.seconds,
        lines={"lambda": spent, "requests": predicted.requests},
    )


def _lines(usage: Usage, rank_seconds: float, given: Circumstances) -> dict[str, float]:
    gb_seconds = rank_seconds * given.memory_mb / 1_024
    spent = dollars(usage.billed, gb_seconds, given.prices)
    return {name: value for name, value in spent.items() if name != "total"}
