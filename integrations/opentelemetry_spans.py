"""A run as spans of OpenTelemetry, for whatever stores or shows traces.

    report = serverless_dist.run(main, ranks=8, trace=True).report
    export_spans(report, tracer_provider)

It needs `opentelemetry-sdk`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from serverless_dist import Report, UsageError

try:
    from opentelemetry.trace import (
        Span,
        Tracer,
        TracerProvider,
        get_tracer_provider,
        set_span_in_context,
    )
except ImportError as error:
    msg = "spans need OpenTelemetry: pip install opentelemetry-sdk"
    raise ImportError(msg) from error

_NANOSECONDS = 1_000_000_000


def export_spans(report: Report, provider: TracerProvider | None = None) -> None:
    """Make the spans of a run that is over: one for it, for each rank, for each phase.

    Parameters
    ----------
    report
        Of a run with ``trace=True``.
    provider
        Whose tracer makes them; None: the process's.

    Raises
    ------
    UsageError
        The report has no timeline.
    """
    if not report.timelines:
        text = f"the report of job {report.job} has no timeline: run with trace=True"
        raise UsageError(text)
    provider = get_tracer_provider() if provider is None else provider
    exporter = _Exporter(provider.get_tracer("serverless_dist"), report.started)
    attributes: dict[str, str | int | float] = {
        "serverless_dist.job": report.job,
        "serverless_dist.ranks": report.ranks,
        "serverless_dist.channel": report.channel,
        "serverless_dist.dollars": report.dollars["total"],
        "cloud.region": report.region,
    }
    with exporter.span("run", 0.0, report.seconds, attributes=attributes) as root:
        for rank, spans in report.timelines.items():
            start = min((start for _, start, _ in spans), default=0.0)
            stop = max((stop for _, _, stop in spans), default=start)
            number = {"serverless_dist.rank": rank}
            name = f"rank {rank}"
            with exporter.span(name, start, stop, root, attributes=number) as parent:
                for phase, begin, end in spans:
                    with exporter.span(phase.value, begin, end, parent):
                        pass


class _Exporter:
    """Makes spans of a run that started at `started`, in seconds since the epoch."""

    def __init__(self, tracer: Tracer, started: float) -> None:
        self._tracer = tracer
        self._started = started

    @contextmanager
    def span(
        self,
        name: str,
        start: float,
        stop: float,
        parent: Span | None = None,
        *,
        attributes: dict[str, str | int | float] | dict[str, int] | None = None,
    ) -> Iterator[Span]:
        """Give a span; its children are made in the block."""
        span = self._tracer.start_span(
            name,
            context=None if parent is None else set_span_in_context(parent),
            attributes=attributes,
            start_time=self._nanoseconds(start),
        )
        yield span
        span.end(self._nanoseconds(stop))

    def _nanoseconds(self, seconds: float) -> int:
        return round((self._started + seconds) * _NANOSECONDS)
