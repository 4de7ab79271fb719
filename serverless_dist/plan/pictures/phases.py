"""How each rank spent its time, for runs that were not traced."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from serverless_dist.plan.pictures.drawing import PHASES, as_floats, figure
from serverless_dist.plan.pictures.numbers import percent, safe
from serverless_dist.plan.pictures.page import Section

MOST_BARS = 64
"""Ranks that get a bar each; more are drawn as one surface, the longest first."""


def section(report: Mapping[str, Any]) -> Section:
    """Return the times of a report's ranks, phase by phase."""
    rows = report["phases"]
    title = "Time of each rank"
    if len(rows) <= MOST_BARS:
        caption = "What each rank did, added up."
        return Section("timeline", title, caption + shares(rows), _bars(rows))
    caption = "What each rank did, added up; the rank with most time stands first."
    return Section("timeline", title, caption + shares(rows), _surface(rows))


def shares(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say what all ranks together spent their time on; empty if nobody has told."""
    totals = {phase: sum(row[phase] for row in rows) for phase in PHASES}
    total = sum(totals.values())
    if not total:
        return ""
    parts = (f"{percent(each / total)} {name}" for name, each in totals.items() if each)
    return f" Of the time of all ranks: {', '.join(parts)}."


def _bars(rows: Sequence[Mapping[str, Any]]) -> Any:
    drawn = figure(min(760, 150 + 24 * len(rows)), x="seconds", y="rank")
    names = [safe(row["rank"]) for row in rows]
    for phase, colour in PHASES.items():
        drawn.add_bar(
            name=phase,
            orientation="h",
            y=names,
            x=as_floats([row[phase] for row in rows]),
            marker={"color": colour},
            hovertemplate=f"rank %{{y}}<br>{phase}: %{{x:.4g}} s<extra></extra>",
        )
    drawn.update_layout(barmode="stack", bargap=0.25, legend_traceorder="normal")
    drawn.update_yaxes(type="category", autorange="reversed", showgrid=False)
    return drawn


def _surface(rows: Sequence[Mapping[str, Any]]) -> Any:
    table = np.array([[row[phase] for phase in PHASES] for row in rows], dtype=float)
    order = np.argsort(-table.sum(axis=1), kind="stable")
    ranks = np.array([row["rank"] for row in rows])[order]
    drawn = figure(460, x="ranks, by their time", y="seconds")
    for column, (phase, colour) in enumerate(PHASES.items()):
        drawn.add_trace(
            go.Scatter(
                name=phase,
                stackgroup="time",
                x=np.arange(len(rows)),
                y=table[order, column],
                customdata=ranks,
                line={"width": 0, "shape": "hvh"},
                fillcolor=colour,
                hovertemplate=(
                    f"rank %{{customdata}}<br>{phase}: %{{y:.4g}} s<extra></extra>"
                ),
            )
        )
    drawn.update_layout(legend_traceorder="normal")
    drawn.update_yaxes(rangemode="tozero")
    return drawn
