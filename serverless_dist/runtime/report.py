"""What a run took."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from serverless_dist.cloud import Usage
from serverless_dist.cloud.prices import dollars
from serverless_dist.runtime.control import Phases


@dataclass(frozen=True, slots=True)
class Report:
    """Requests, bytes, dollars and seconds of one run.

    Attributes
    ----------
    job
        The job's id, as ``serverless-dist logs`` takes it.
    ranks, channel, cloud
        What was run, and where.
    seconds
        From the first start of a rank to the last result.
    usage
        Requests and bytes of all ranks and of the driver. On a cloud other than AWS
        they are what AWS would have counted.
    memory_mb
        The memory of the function that the dollars are for.
    phases
        Where each rank's time went.
    """

    job: str
    ranks: int
    channel: str
    cloud: str
    seconds: float
    usage: Usage
    memory_mb: int
    phases: Sequence[Phases]

    @property
    def gb_seconds(self) -> float:
        """What Lambda would bill: the time of all ranks by their memory."""
        return sum(phases.total for phases in self.phases) * self.memory_mb / 1_024

    @property
    def dollars(self) -> dict[str, float]:
        """Dollars by service and in total, as on AWS in us-east-1."""
        return dollars(self.usage.billed, self.gb_seconds)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as values that JSON knows."""
        return {
            "job": self.job,
            "ranks": self.ranks,
            "channel": self.channel,
            "cloud": self.cloud,
            "seconds": self.seconds,
            "requests": dict(sorted(self.usage.requests.items())),
            "billed": dict(sorted(self.usage.billed.items())),
            "bytes": {
                "sent": self.usage.bytes_sent,
                "received": self.usage.bytes_received,
            },
            "dollars": self.dollars,
            "memory_mb": self.memory_mb,
            "phases": [
                {"rank": rank, **asdict(phases)}
                for rank, phases in enumerate(self.phases)
            ],
        }
