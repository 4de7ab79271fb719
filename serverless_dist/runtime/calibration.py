"""What measurements tell of a profile; nothing here asks a cloud."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from statistics import median
from typing import Any

from serverless_dist.cloud import Usage
from serverless_dist.cloud.latency import Latency
from serverless_dist.cloud.latency_fit import fit
from serverless_dist.runtime.measurements import SERVICES, Findings, one_way


@dataclass(frozen=True, slots=True)
class Measured:
    """One field of a profile, and of how many samples it is."""

    value: Latency | float
    samples: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured, and what that took.

    Attributes
    ----------
    name
        What the profile is called.
    cloud, region, memory_mb
        Where it was measured, and in a function of how much memory.
    day
        When.
    fields
        By the names of the fields of `Profile`.
    usage, gb_seconds
        What is billed for it.
    """

    name: str
    cloud: str
    region: str
    memory_mb: int
    day: date
    fields: Mapping[str, Measured]
    usage: Usage
    gb_seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the profile as `load_profile` reads it: what was measured."""
        values: dict[str, Any] = {
            "about": {
                "cloud": self.cloud,
                "region": self.region,
                "memory_mb": self.memory_mb,
                "measured": self.day.isoformat(),
                "samples": {name: got.samples for name, got in self.fields.items()},
            },
            "name": self.name,
        }
        for name, got in self.fields.items():
            value = got.value
            values[name] = asdict(value) if isinstance(value, Latency) else value
        return values


def fields_of(
    first: Findings, second: Findings, stream_bytes: int
) -> dict[str, Measured]:
    """Return what the findings of both ranks tell of a profile."""
    seconds = {
        name: [*first.seconds.get(name, ()), *second.seconds.get(name, ())]
        for name in first.seconds | second.seconds
    }
    cpu, streams = seconds.pop("request_cpu"), seconds.pop("stream")
    ways = {
        service: one_way(first.rallies[service], second.rallies[service])
        for service in SERVICES
    }
    receive = fit(ways["sqs"])
    seconds["sqs_receive"] = ways["sqs"]
    # What comes by topic is received, too: the rest of its way is the hop.
    seconds["sns_hop"] = [way - receive.typical for way in ways["sns"]]
    fields = {
        name: Measured(fit(taken), len(taken))
        for name, taken in sorted(seconds.items())
    }
    begin = median(seconds["s3_get"])
    rates = [stream_bytes / max(taken - begin, taken / 2) for taken in streams]
    fields["stream_rate"] = Measured(round(median(rates)), len(rates))
    fields["request_cpu"] = Measured(round(median(cpu), 7), len(cpu))
    return fields
