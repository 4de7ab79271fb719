"""The timeline as a file for Chrome and Perfetto, by the rules of its format."""

import json
from pathlib import Path
from typing import Any

import pytest

import serverless_dist as sd
from serverless_dist import Communicator, Report, UsageError
from serverless_dist.comm import Phase, Span
from serverless_dist.runtime.control import Phases
from serverless_dist.runtime.timeline import trace_events, write_trace
from tests import reports


def made_up(*timelines: list[Span]) -> Report:
    size = len(timelines)
    return reports.made_up(
        ranks=size,
        phases=[Phases(0, 0, 0, 0)] * size,
        timelines=dict(enumerate(timelines)),
    )


def check_format(trace: dict[str, Any]) -> None:
    """Check the rules of "Trace Event Format" that concern the events we write."""
    assert trace["displayTimeUnit"] in ("ms", "ns")
    assert trace["traceEvents"]
    named = set()
    for event in trace["traceEvents"]:
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        assert isinstance(event["name"], str)
        if event["ph"] == "M":  # metadata: a known name, and its one argument
            argument = {
                "process_name": ("name", str),
                "thread_name": ("name", str),
                "thread_sort_index": ("sort_index", int),
            }[event["name"]]
            assert list(event["args"]) == [argument[0]]
            assert isinstance(event["args"][argument[0]], argument[1])
            named.add((event["pid"], event["tid"]))
        else:  # complete: a start and a length, in microseconds
            assert event["ph"] == "X"
            assert event["ts"] >= 0
            assert event["dur"] >= 0
            assert event["cat"]
            assert (event["pid"], event["tid"]) in named


def test_a_traced_run_is_written_by_the_rules_of_the_format(tmp_path: Path) -> None:
    def talk(comm: Communicator) -> None:
        comm.allgather(comm.rank)

    report = sd.run(talk, ranks=3, trace=True).report
    path = tmp_path / "trace.json"
    write_trace(report, path)
    trace = json.loads(path.read_text())
    check_format(trace)
    spans = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert {event["tid"] for event in spans} == {0, 1, 2}
    assert {event["name"] for event in spans} <= set(Phase)
    assert len({event["pid"] for event in spans}) == 1


def test_seconds_become_microseconds() -> None:
    spans = [(Phase.BOOT, 0.5, 1.25), (Phase.WAIT, 1.25, 2.0)]
    events = [e for e in trace_events(made_up(spans)) if e["ph"] == "X"]
    assert [(e["name"], e["ts"], e["dur"]) for e in events] == [
        ("boot", 500_000.0, 750_000.0),
        ("wait", 1_250_000.0, 750_000.0),
    ]


def test_a_rank_whose_clock_is_behind_starts_at_zero() -> None:
    report = made_up([(Phase.BOOT, 0.0, 1.0)], [(Phase.BOOT, -0.25, 1.0)], [])
    events = [e for e in trace_events(report) if e["ph"] == "X"]
    assert [e["ts"] for e in events] == [250_000.0, 0.0]


def test_a_report_without_a_timeline_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no timeline: run it with --trace"):
        write_trace(made_up(), tmp_path / "trace.json")
    assert not (tmp_path / "trace.json").exists()
