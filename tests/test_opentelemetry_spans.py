"""A run as spans of OpenTelemetry."""

import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import serverless_dist as sd
from serverless_dist import Communicator, UsageError
from serverless_dist.integrations.opentelemetry_spans import export_spans


def talk(comm: Communicator) -> None:
    comm.allgather(comm.rank)


def test_a_run_is_a_span_with_one_for_each_rank_and_their_phases_in_these() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    report = sd.run(talk, ranks=2, trace=True).report
    export_spans(report, provider)
    spans = exporter.get_finished_spans()
    (root,) = [span for span in spans if span.parent is None]
    assert root.name == "run"
    assert root.start_time == round(report.started * 1e9)
    assert root.end_time == round((report.started + report.seconds) * 1e9)
    assert root.attributes
    assert root.attributes["serverless_dist.job"] == report.job
    assert root.attributes["serverless_dist.dollars"] == report.dollars["total"]
    for rank, timeline in report.timelines.items():
        (parent,) = [span for span in spans if span.name == f"rank {rank}"]
        assert parent.parent
        assert parent.parent.span_id == root.context.span_id
        children = [
            span
            for span in spans
            if span.parent and span.parent.span_id == parent.context.span_id
        ]
        assert [span.name for span in children] == [phase for phase, _, _ in timeline]
        for span, (_, start, stop) in zip(children, timeline, strict=True):
            assert span.start_time == round((report.started + start) * 1e9)
            assert span.end_time == round((report.started + stop) * 1e9)
    assert len({span.context.trace_id for span in spans}) == 1


def test_a_report_without_a_timeline_is_refused() -> None:
    report = sd.run(talk, ranks=1).report
    with pytest.raises(UsageError, match="no timeline"):
        export_spans(report, TracerProvider())


def test_without_opentelemetry_the_error_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['opentelemetry.trace'] = None\n"
        "import serverless_dist.integrations.opentelemetry_spans"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "ImportError: spans need OpenTelemetry: pip install" in done.stderr
