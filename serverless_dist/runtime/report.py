"""What a run took."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isclose
from statistics import median
from typing import Any

from serverless_dist.cloud import Usage
from serverless_dist.comm import Phase, Span
from serverless_dist.runtime.bill import COMPUTING, SERVICES, Line, bill, by_service
from serverless_dist.runtime.control import Phases
from serverless_dist.runtime.documents import (
    count,
    counts,
    fields_of,
    finite,
    listed,
    number,
    numbers,
    optional,
    reading,
    take,
    text,
    whole,
)

KIND = "run"
"""What the JSON of a report says that it is."""

Pair = tuple[int, int, int, int]
"""Source, dest, and how many messages and bytes of payload went from one to the other.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
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
        What was assumed, if the run was simulated: profile, seed, where the seconds
        of computing are from, and how often which requests were throttled; None if it
        was real.
    """

    job: str
    ranks: int
    channel: str
    cloud: str
    seconds: float
    usage: Usage
    memory_mb: int
    phases: Sequence[Phases]
    started: float
    region: str
    priced_in: str
    prices: Mapping[str, float] = field(repr=False)
    dropped: Mapping[str, int]
    traffic: Sequence[Pair] = field(repr=False)
    timelines: Mapping[int, Sequence[Span]] = field(repr=False)
    simulation: Mapping[str, Any] | None

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
            "prices": dict(self.prices),
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

        What follows from other values, as the dollars, is reckoned anew.

        Raises
        ------
        UsageError
            It is no report, or its parts contradict one another.
        """
        with reading("this is no report of a run"):
            if values["kind"] != KIND:
                msg = f"it is of the kind {values['kind']!r}"
                raise ValueError(msg)
            report = cls(
                job=take(values, "job", text),
                ranks=take(values, "ranks", count),
                channel=take(values, "channel", text),
                cloud=take(values, "cloud", text),
                seconds=take(values, "seconds", number),
                usage=_usage(values),
                memory_mb=take(values, "memory_mb", count),
                phases=take(values, "phases", _all_phases),
                started=take(values, "started", number),
                region=take(values, "region", text),
                priced_in=take(values, "priced_in", text),
                prices=take(values, "prices", numbers),
                dropped=take(values, "dropped", counts),
                traffic=take(values, "traffic", _pairs),
                timelines=take(values, "timeline", _timelines),
                simulation=take(values, "simulation", optional(_simulation)),
            )
            report.check()
            _check_total(report, take(values, "dollars", fields_of))
        return report

    def check(self) -> None:
        """Raise a `ValueError` if its parts contradict one another."""
        if not self.ranks:
            msg = "it is of 0 ranks"
            raise ValueError(msg)
        if len(self.phases) != self.ranks:
            msg = f"it has the phases of {len(self.phases)} of {self.ranks} ranks"
            raise ValueError(msg)
        named = {rank for pair in self.traffic for rank in pair[:2]}
        strangers = sorted((named | self.timelines.keys()) - set(range(self.ranks)))
        if strangers:
            msg = f"it names rank {strangers[0]}, but has {self.ranks} ranks"
            raise ValueError(msg)
        billed = {*self.usage.billed, COMPUTING}
        if unpriced := sorted(billed - self.prices.keys()):
            msg = f"it has no price for {unpriced[0]}"
            raise ValueError(msg)
        others = sorted(i for i in billed if i.partition(":")[0] not in SERVICES)
        if others:
            msg = f"nobody bills {others[0]}: a service is one of {', '.join(SERVICES)}"
            raise ValueError(msg)


def _sorted(values: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(values.items()))


def _check_total(report: Report, dollars: Mapping[str, Any]) -> None:
    total, written = report.dollars["total"], take(dollars, "total", number)
    if not isclose(total, written, rel_tol=1e-6, abs_tol=1e-12):
        msg = f"it says ${written:g}, but its counts and prices make ${total:g}"
        raise ValueError(msg)


def _usage(values: Mapping[str, Any]) -> Usage:
    size = take(values, "bytes", fields_of)
    return Usage(
        requests=take(values, "requests", counts),
        billed=take(values, "billed", counts),
        sent=take(size, "sent_by", counts),
        received=take(size, "received_by", counts),
        retries=take(values, "retries", counts),
    )


def _all_phases(rows: object) -> Sequence[Phases]:
    phases = []
    for rank, row in enumerate(listed(rows)):
        told = fields_of(row)
        if count(told["rank"]) != rank:
            msg = f"the phases of rank {rank} are said to be those of {told['rank']}"
            raise ValueError(msg)
        phases.append(Phases(**{p.value: number(told[p.value]) for p in Phase}))
    return phases


def _pairs(rows: object) -> Sequence[Pair]:
    return list(map(_pair, listed(rows)))


def _pair(values: object) -> Pair:
    if len(pair := listed(values)) != len(("source", "dest", "messages", "bytes")):
        msg = f"{values!r} is no source, dest, messages and bytes"
        raise ValueError(msg)
    source, dest, messages, nbytes = map(count, pair)
    return source, dest, messages, nbytes


def _timelines(rows: object) -> Mapping[int, Sequence[Span]]:
    return dict(map(_timeline, listed(rows)))


def _timeline(row: object) -> tuple[int, Sequence[Span]]:
    values = fields_of(row)
    return count(values["rank"]), [_span(each) for each in listed(values["spans"])]


def _span(values: object) -> Span:
    if len(span := listed(values)) != len(("phase", "start", "stop")):
        msg = f"{values!r} is no phase, start and stop"
        raise ValueError(msg)
    phase, start, stop = span
    # By its own clock a rank may have begun before the run.
    return Phase(phase), finite(start), finite(stop)


def _simulation(value: object) -> Mapping[str, Any]:
    values = fields_of(value)
    return {
        "profile": take(values, "profile", text),
        "seed": take(values, "seed", whole),
        "compute": take(values, "compute", text),
        "throttled": take(values, "throttled", counts),
    }


def _sentences(report: Report) -> Sequence[str]:
    kind = "simulated" if report.simulation is not None else f"{report.cloud} cloud"
    ranks = "1 rank" if report.ranks == 1 else f"{report.ranks:,} ranks"
    spent = report.dollars
    requests: Counter[str] = Counter()
    for item, times in report.usage.requests.items():
        requests[item.partition(":")[0]] += times
    usage = report.usage
    medians = {
        phase: median(getattr(each, phase) for each in report.phases) for phase in Phase
    }
    heading = f"{ranks}, {report.channel} channel, {kind}, {report.region}"
    retried, dropped = sum(usage.retries.values()), sum(report.dropped.values())
    return [
        f"{heading}: {report.seconds:.2f} s, ${spent['total']:.6f}",
        "dollars: " + ", ".join(f"{name} {spent[name]:.6f}" for name in SERVICES),
        "requests: "
        + ", ".join(f"{n:,} {name}" for name, n in sorted(requests.items())),
        f"bytes: {usage.bytes_sent:,} sent, {usage.bytes_received:,} received",
        f"faults: {retried:,} requests retried, {dropped:,} messages dropped",
        "median rank: " + ", ".join(f"{p} {s:.2f} s" for p, s in medians.items()),
        f"job {report.job}",
    ]
