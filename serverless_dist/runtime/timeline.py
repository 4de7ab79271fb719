"""A run's timeline as a file that chrome://tracing and ui.perfetto.dev show.

The format is "Trace Event Format" (Google, revision of 2016): a process for the job, a
thread for each rank, a complete event for each span, times in microseconds.
"""

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serverless_dist.errors import UsageError
from serverless_dist.runtime.report import Report

Event = dict[str, Any]
_MICROSECONDS = 1e6


def trace_events(report: Report) -> Iterator[Event]:
    """Give the events of a report, those that name process and threads first.

    Times begin at the run's start, or before it where a rank's clock did.

    Raises
    ------
    UsageError
        The report has no timeline.
    """
    if not report.timelines:
        msg = (
            f"the report of job {report.job} has no timeline: run it with --trace, or"
            " with run(..., trace=True)"
        )
        raise UsageError(msg)
    job = zlib.crc32(report.job.encode())  # the viewers take numbers only
    yield _naming("process_name", job, 0, {"name": f"job {report.job}"})
    for rank in report.timelines:
        yield _naming("thread_name", job, rank, {"name": f"rank {rank}"})
        yield _naming("thread_sort_index", job, rank, {"sort_index": rank})
    zero = min((spans[0][1] for spans in report.timelines.values() if spans), default=0)
    zero = min(zero, 0.0)
    for rank, spans in report.timelines.items():
        for phase, start, stop in spans:
            yield {
                "name": phase.value,
                "cat": "phase",
                "ph": "X",
                "pid": job,
                "tid": rank,
                "ts": round((start - zero) * _MICROSECONDS, 3),
                "dur": round((stop - start) * _MICROSECONDS, 3),
            }


def write_trace(report: Report, path: Path) -> None:
    """Write the timeline to a file; see `trace_events`.

    It is written event by event: with a thousand ranks there are millions.
    """
    events = trace_events(report)
    first = next(events)
    with path.open("w") as file:
        file.write('{"displayTimeUnit": "ms",\n"traceEvents": [\n')
        file.write(json.dumps(first))
        for event in events:
            file.write(",\n" + json.dumps(event))
        file.write("\n]}\n")


def _naming(name: str, job: int, rank: int, what: Event) -> Event:
    return {"name": name, "ph": "M", "pid": job, "tid": rank, "args": what}
