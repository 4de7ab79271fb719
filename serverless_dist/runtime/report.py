"""What a run took."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from serverless_dist.cloud import Usage
from serverless_dist.cloud.prices import US_EAST_1
from serverless_dist.comm import Phase, Span
from serverless_dist.errors import UsageError
from serverless_dist.runtime.bill import SERVICES, Line, bill, by_service, unit_prices
from serverless_dist.runtime.control import Phases

KIND = "run"
"""What the JSON of a report says that it is."""

Pair = tuple[int, int, int, int]
"""Source, dest, and how many messages and bytes of payload went from one to the other.
"""


def _default_prices() -> Mapping[str, float]:
    return unit_prices(US_EAST_1)


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
        Requests and bytes of all ranks and of the driver, and how many requests were
        made again. On a cloud other than AWS they are what AWS would have counted.
    memory_mb
        The memory of the function that the dollars are for.
    phases
        Where each rank's time went.
    started
        When it began, in seconds since the epoch.
    region
        Where it ran; on a cloud other than AWS, where it would have.
    priced_in
        The region that the prices are of, which is another one where nobody knows
        those of `region`.
    prices
        Dollars for one unit of each item.
    dropped
        How many messages were dropped, by reason: what SQS has delivered twice is a
        ``"duplicate"``.
    traffic
        Each pair of ranks that spoke, and what went from the first to the second.
    timelines
        When each rank did what, in seconds since the run's start, if that was asked
        for. The clocks of two machines differ by milliseconds.
    simulation
        What was assumed, if the run was simulated: profile, seed, and where the
        seconds of computing are from; None if it was real.
    """

    job: str
    ranks: int
    channel: str
    cloud: str
    seconds: float
    usage: Usage
    memory_mb: int
    phases: Sequence[Phases]
    started: float = 0.0
    region: str = US_EAST_1.region
    priced_in: str = US_EAST_1.region
    prices: Mapping[str, float] = field(default_factory=_default_prices, repr=False)
    dropped: Mapping[str, int] = field(default_factory=dict)
    traffic: Sequence[Pair] = field(default=(), repr=False)
    timelines: Mapping[int, Sequence[Span]] = field(default_factory=dict, repr=False)
    simulation: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        return "\n".join(_sentences(self))

    @property
    def gb_seconds(self) -> float:
        """What Lambda would bill: the time of all ranks by their memory."""
        return sum(phases.total for phases in self.phases) * self.memory_mb / 1_024

    @property
    def lines(self) -> Sequence[Line]:
        """What the dollars are for, line by line."""
        return bill(self.usage.billed, self.gb_seconds, self.prices)

    @property
    def dollars(self) -> dict[str, float]:
        """Dollars by service and in total, as on AWS."""
        return by_service(self.lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as values that JSON knows."""
        usage, lines = self.usage, self.lines
        return {
            "kind": KIND,
            "job": self.job,
            "ranks": self.ranks,
            "channel": self.channel,
            "cloud": self.cloud,
            "region": self.region,
            "started": self.started,
            "seconds": self.seconds,
            "memory_mb": self.memory_mb,
            "gb_seconds": self.gb_seconds,
            "requests": _sorted(usage.requests),
            "billed": _sorted(usage.billed),
            "bytes": {
                "sent": usage.bytes_sent,
                "received": usage.bytes_received,
                "sent_by": _sorted(usage.sent),
                "received_by": _sorted(usage.received),
            },
            "dollars": by_service(lines),
            "priced_in": self.priced_in,
            "lines": [{**asdict(line), "dollars": line.dollars} for line in lines],
            "retries": _sorted(usage.retries),
            "dropped": _sorted(self.dropped),
            "phases": [
                {"rank": rank, **{phase: getattr(each, phase) for phase in Phase}}
                for rank, each in enumerate(self.phases)
            ],
            "traffic": [list(pair) for pair in self.traffic],
            "timeline": [
                {
                    "rank": rank,
                    "spans": [[p.value, start, stop] for p, start, stop in s],
                }
                for rank, s in self.timelines.items()
            ],
            "simulation": None if self.simulation is None else dict(self.simulation),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Report":
        """Return the report that `to_dict` has written.

        The dollars are reckoned anew, with the prices that are written there.

        Raises
        ------
        UsageError
            It is no report.
        """
        try:
            if values["kind"] != KIND:
                msg = f"it is of the kind {values['kind']!r}"
                raise ValueError(msg)
            report = cls(
                job=str(values["job"]),
                ranks=_count(values["ranks"]),
                channel=str(values["channel"]),
                cloud=str(values["cloud"]),
                seconds=_number(values["seconds"]),
                usage=_usage(values),
                memory_mb=_count(values["memory_mb"]),
                phases=[_phases(each) for each in values["phases"]],
                started=_number(values["started"]),
                region=str(values["region"]),
                priced_in=str(values["priced_in"]),
                prices={
                    line["item"]: _number(line["price"]) for line in values["lines"]
                },
                dropped=_counts(values["dropped"]),
                traffic=[_pair(pair) for pair in values["traffic"]],
                timelines=dict(map(_timeline, values["timeline"])),
                simulation=values["simulation"],
            )
            report.check()
        except UsageError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            what = f"it has no {error}" if isinstance(error, KeyError) else error
            msg = f"this is no report of a run: {what}"
            raise UsageError(msg) from error
        return report

    def check(self) -> None:
        """Raise a `ValueError` if its parts contradict one another."""
        if len(self.phases) != self.ranks:
            msg = f"it has the phases of {len(self.phases)} of {self.ranks} ranks"
            raise ValueError(msg)
        named = {rank for pair in self.traffic for rank in pair[:2]}
        strangers = sorted((named | self.timelines.keys()) - set(range(self.ranks)))
        if strangers:
            msg = f"it names rank {strangers[0]}, but has {self.ranks} ranks"
            raise ValueError(msg)
        if unpriced := sorted(self.usage.billed.keys() - self.prices.keys()):
            msg = f"it has no price for {unpriced[0]}"
            raise ValueError(msg)


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"{value!r} is no number"
        raise TypeError(msg)
    if not math.isfinite(value):
        msg = f"a number in it is {value}"
        raise ValueError(msg)
    return float(value)


def _number(value: object) -> float:
    number = _finite(value)
    if number < 0:
        msg = f"a number in it is {value}"
        raise ValueError(msg)
    return number


def _count(value: object) -> int:
    number = _number(value)
    if number != int(number):
        msg = f"a count in it is {value}"
        raise ValueError(msg)
    return int(number)


def _counts(values: Mapping[str, object]) -> dict[str, int]:
    return {str(name): _count(value) for name, value in values.items()}


def _usage(values: Mapping[str, Any]) -> Usage:
    return Usage(
        requests=_counts(values["requests"]),
        billed=_counts(values["billed"]),
        sent=_counts(values["bytes"]["sent_by"]),
        received=_counts(values["bytes"]["received_by"]),
        retries=_counts(values["retries"]),
    )


def _phases(values: Mapping[str, object]) -> Phases:
    return Phases(**{phase.value: _number(values[phase.value]) for phase in Phase})


def _pair(values: Sequence[object]) -> Pair:
    source, dest, messages, nbytes = map(_count, values)
    return source, dest, messages, nbytes


def _timeline(values: Mapping[str, Any]) -> tuple[int, Sequence[Span]]:
    spans = [
        # By its own clock a rank may have begun before the run.
        (Phase(phase), _finite(start), _finite(stop))
        for phase, start, stop in values["spans"]
    ]
    return _count(values["rank"]), spans


def _sentences(report: Report) -> Sequence[str]:
    kind = "simulated" if report.simulation is not None else f"{report.cloud} cloud"
    ranks = "1 rank" if report.ranks == 1 else f"{report.ranks:,} ranks"
    spent = report.dollars
    counts: Counter[str] = Counter()
    for item, count in report.usage.requests.items():
        counts[item.partition(":")[0]] += count
    usage = report.usage
    medians = {
        phase: median(getattr(each, phase) for each in report.phases) for phase in Phase
    }
    heading = f"{ranks}, {report.channel} channel, {kind}, {report.region}"
    retried, dropped = sum(usage.retries.values()), sum(report.dropped.values())
    return [
        f"{heading}: {report.seconds:.2f} s, ${spent['total']:.6f}",
        "dollars: " + ", ".join(f"{name} {spent[name]:.6f}" for name in SERVICES),
        "requests: " + ", ".join(f"{n:,} {name}" for name, n in sorted(counts.items())),
        f"bytes: {usage.bytes_sent:,} sent, {usage.bytes_received:,} received",
        f"faults: {retried:,} requests retried, {dropped:,} messages dropped",
        "median rank: " + ", ".join(f"{p} {s:.2f} s" for p, s in medians.items()),
        f"job {report.job}",
    ]
