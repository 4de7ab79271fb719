"""What every rank did when: a bar for each span, or cells where there are too many.

Cells are columns of time and rows of ranks. Each shows the phase that took most of
its time; white where nothing was told.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from serverless_dist.plan.pictures.drawing import (
    MOST_CELLS,
    PHASES,
    as_floats,
    cells,
    figure,
    members,
    per_cell,
    ticks,
)
from serverless_dist.plan.pictures.numbers import count, safe, seconds
from serverless_dist.plan.pictures.page import Section
from serverless_dist.plan.pictures.phases import shares

MOST_SPANS = 2_000
"""Spans that are drawn one by one: each is an element of the page."""

MOST_ROWS = 64
"""Ranks whose bars are high enough to be seen."""

_CODES = {phase: code for code, phase in enumerate(PHASES, start=1)}


def section(report: Mapping[str, Any]) -> Section:
    """Return the timeline of a report whose run was traced."""
    rows = sorted(report["timeline"], key=lambda row: row["rank"])
    told = shares(report["phases"])
    spans = sum(len(row["spans"]) for row in rows)
    if spans <= MOST_SPANS and len(rows) <= MOST_ROWS:
        caption = "What each rank did from the start of the run on."
        return Section("timeline", "Timeline", caption + told, _bars(rows))
    end = max(
        (stop for row in rows for _, _, stop in row["spans"]), default=report["seconds"]
    )
    together = per_cell(len(rows))
    codes = _dominating(rows, end, together)
    whose = "a rank" if together == 1 else f"{together} ranks together"
    caption = (
        f"What each rank did from the start of the run on: {count(spans)} spans. "
        f"Each cell is {seconds(end / MOST_CELLS)} of {whose}; it shows what took most."
    )
    drawn = _picture(codes, members(len(rows), together), end)
    return Section("timeline", "Timeline", caption + told, drawn)


def _bars(rows: Sequence[Mapping[str, Any]]) -> Any:
    drawn = figure(min(760, 150 + 34 * len(rows)), x="seconds from the start", y="rank")
    for phase, colour in PHASES.items():
        spans = [
            (safe(row["rank"]), start, stop)
            for row in rows
            for name, start, stop in row["spans"]
            if name == phase
        ]
        drawn.add_bar(
            name=phase,
            orientation="h",
            y=[rank for rank, _, _ in spans],
            base=as_floats([start for _, start, _ in spans]),
            x=as_floats([stop - start for _, start, stop in spans]),
            customdata=as_floats([stop for _, _, stop in spans]),
            marker={"color": colour, "line": {"width": 0}},
            hovertemplate=(
                f"rank %{{y}}<br>{phase}<br>%{{base:.4f}} to %{{customdata:.4f}} s"
                "<extra></extra>"
            ),
        )
    drawn.update_layout(barmode="overlay", bargap=0.2, legend_traceorder="normal")
    drawn.update_xaxes(rangemode="tozero")
    drawn.update_yaxes(
        type="category",
        categoryarray=[safe(row["rank"]) for row in rows],
        autorange="reversed",
        showgrid=False,
    )
    return drawn


def _dominating(rows: Sequence[Mapping[str, Any]], end: float, together: int) -> Any:
    """Return the phase of each cell as a code, 0 where no phase was under way."""
    edges = np.linspace(0.0, end, MOST_CELLS + 1)
    height = -(-len(rows) // together)
    busy = np.zeros((len(PHASES), height, MOST_CELLS))
    for index, row in enumerate(rows):
        kinds: dict[str, list[tuple[float, float]]] = {}
        for phase, start, stop in row["spans"]:
            kinds.setdefault(phase, []).append((start, stop))
        for phase, spans in kinds.items():
            busy[_CODES[phase] - 1, index // together] += _busy(spans, edges)
    codes = busy.argmax(axis=0).astype(np.uint8) + np.uint8(1)
    # What is less is left over from the subtraction of sums.
    codes[busy.max(axis=0) < 1e-6 * edges[1]] = 0
    return codes


def _busy(spans: Sequence[tuple[float, float]], edges: Any) -> Any:
    """Return how much of each column the spans cover, counted once for each of them.

    Up to a time t they have covered the sum of t - start over those that have started,
    less the sum of t - stop over those that have stopped.
    """
    starts, stops = np.sort(np.array(spans), axis=0).T
    return np.diff(_since(starts, edges) - _since(stops, edges))


def _since(events: Any, edges: Any) -> Any:
    """Return the sum of the time since each event before each edge."""
    passed = np.searchsorted(events, edges)
    sums = np.concatenate(([0.0], np.cumsum(events)))
    return passed * edges - sums[passed]


def _picture(codes: Any, names: Sequence[str], end: float) -> Any:
    drawn = figure(
        min(760, 160 + 10 * len(names)), x="seconds from the start", y="rank"
    )
    trace = cells(
        codes,
        {code: phase for phase, code in _CODES.items()},
        x0=end / MOST_CELLS / 2,
        dx=end / MOST_CELLS,
        y=names,
        zmin=-0.5,
        zmax=len(PHASES) + 0.5,
        colorscale=_steps(["#ffffff", *PHASES.values()]),
        showscale=False,
        hovertemplate="rank %{y}<br>%{text}<extra></extra>",
    )
    trace.meta = {**trace.meta, "start": 0.0, "step": end / MOST_CELLS}
    drawn.add_trace(trace)
    for phase, colour in PHASES.items():  # the legend, which cells do not have
        drawn.add_trace(
            go.Scatter(
                name=phase,
                x=[None],
                y=[None],
                mode="markers",
                marker={"symbol": "square", "size": 12, "color": colour},
            )
        )
    drawn.update_layout(legend={"itemclick": False, "itemdoubleclick": False})
    drawn.update_yaxes(
        type="category", autorange="reversed", showgrid=False, tickvals=ticks(names)
    )
    drawn.update_xaxes(range=[0.0, end], showgrid=False)
    return drawn


def _steps(colours: Sequence[str]) -> list[tuple[float, str]]:
    """Return a colour scale of equal steps, without anything in between."""
    width = 1 / len(colours)
    return [
        (side * width, colour)
        for index, colour in enumerate(colours)
        for side in (index, index + 1)
    ]
