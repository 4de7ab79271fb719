"""What the parts of a job have printed, from the logs of CloudWatch.

An environment of a function writes to one stream, and runs one invocation at a time: a
part's lines are those of its stream between "job JOB rank N begins" and "ends", or, if
it was cut off, Lambda's report of the invocation.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serverless_dist.cloud.attempts import Refusal, call
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_address import FabricNames
from serverless_dist.cloud.deployment import Deployment
from serverless_dist.cloud.limits import LAMBDA_TIMEOUT, LOG_STREAMS
from serverless_dist.errors import UsageError

_JOB = re.compile(r"[0-9a-f]{32}")
_MARK = re.compile(
    r"job (?P<job>[0-9a-f]{32}) (?P<part>\w+ \d+)"
    r" (?P<what>begins|ends|has been started before)"
)
_LOGGED = re.compile(r"\[(?P<level>\w+)\]\t[^\t]*\t[^\t]*\t")  # awslambdaric's format
_REPORT = "REPORT RequestId"  # Lambda's last line of an invocation
_AFTER = 10_000  # milliseconds: Lambda reports a little later than it ends a function


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a part's: when, in milliseconds since the epoch, and what."""

    part: str
    when: int
    text: str


def excerpt(events: Iterable[tuple[int, str]], job: str) -> Iterator[LogLine]:
    """Give the lines of a job's parts from the events of one stream, in order.

    >>> begins, ends = (f"job {'ab' * 16} rank 2 {what}" for what in ("begins", "ends"))
    >>> events = enumerate(["before", begins, "hello", ends, "after"])
    >>> list(excerpt(events, "ab" * 16))
    [LogLine(part='rank 2', when=2, text='hello')]
    """
    part: str | None = None
    for when, message in events:
        for line in message.splitlines():
            mark = _MARK.search(line)
            if mark and mark["what"] == "begins":
                part = mark["part"] if mark["job"] == job else None
            elif mark and mark["job"] == job and mark["what"] == "ends":
                part = None
            elif part is not None:
                yield LogLine(part, when, _LOGGED.sub(r"[\g<level>] ", line))
                if mark or line.startswith(_REPORT):
                    part = None


def read_logs(
    clients: AwsClients, made: Deployment, job: str, part: str | None = None
) -> Sequence[LogLine]:
    """Return what the parts of a job have printed, by time.

    Parameters
    ----------
    clients
        How AWS is asked.
    made
        The deployment that the job ran on.
    job
        Its number, as a run's report and the errors of one name it.
    part
        Only this part's lines: ``"rank 3"``; None: those of all.

    Raises
    ------
    UsageError
        No part of such a job has logged anything.
    """
    if not _JOB.fullmatch(job):
        msg = f"{job!r} is no job: give the 32 digits that a run's report shows"
        raise UsageError(msg)
    what = f"job {job} {part or ''}".rstrip()
    lines: list[LogLine] = []
    is_known = False
    for memory in made.functions:
        group = _Group(clients, FabricNames(made.name).log_group(memory))
        streams = group.find(job, what)
        is_known = is_known or bool(streams)
        for events in group.read(streams):
            lines += excerpt(events, job)
    if not is_known:
        msg = (
            f"no function of {made.name} has logged anything of {what}: lines come up"
            " to a minute late, and are kept for 14 days"
        )
        raise UsageError(msg)
    chosen = [line for line in lines if part in {None, line.part}]
    return sorted(chosen, key=lambda line: line.when)


class _Group:
    """The log group of one function."""

    def __init__(self, clients: AwsClients, name: str) -> None:
        self._service = clients.client("logs")
        self._name = name

    def find(self, job: str, what: str) -> Mapping[str, tuple[int, int]]:
        """Return when the job was in each of its streams, from and to."""
        spans: dict[str, tuple[int, int]] = {}
        for event in self._events(filterPattern=f'"{what}"'):
            mark = _MARK.search(event["message"])
            if mark is None or mark["job"] != job:
                continue
            when: int = event["timestamp"]
            until = when
            if mark["what"] == "begins":
                until += int(LAMBDA_TIMEOUT * 1_000) + _AFTER
            first, last = spans.get(event["logStreamName"], (when, when))
            spans[event["logStreamName"]] = min(first, when), max(last, until)
        return spans

    def read(
        self, spans: Mapping[str, tuple[int, int]]
    ) -> Iterator[Sequence[tuple[int, str]]]:
        """Give the events of each stream, within its span."""
        names = list(spans)
        for start in range(0, len(names), LOG_STREAMS):
            some = names[start : start + LOG_STREAMS]
            streams: dict[str, list[tuple[int, str]]] = {name: [] for name in some}
            for event in self._events(
                logStreamNames=some,
                startTime=min(spans[name][0] for name in some),
                endTime=max(spans[name][1] for name in some),
            ):
                entry = event["timestamp"], event["message"]
                streams[event["logStreamName"]].append(entry)
            yield from streams.values()

    def _events(self, **arguments: object) -> Iterator[Mapping[str, Any]]:
        more: dict[str, str] = {}
        while True:
            try:
                answer = call(
                    self._service,
                    "filter_log_events",
                    f"log group {self._name}",
                    logGroupName=self._name,
                    **arguments,
                    **more,
                )
            except Refusal as refusal:
                if refusal.code != "ResourceNotFoundException":
                    raise
                return
            yield from answer["events"]
            if "nextToken" not in answer:
                return
            more = {"nextToken": answer["nextToken"]}
