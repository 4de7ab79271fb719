"""Who spoke to whom: a matrix of senders and receivers, coloured by orders of size."""

from collections.abc import Mapping
from math import ceil, floor
from typing import Any

import numpy as np

from serverless_dist.plan.pictures.drawing import (
    cells,
    figure,
    members,
    per_cell,
    ticks,
)
from serverless_dist.plan.pictures.numbers import count, size
from serverless_dist.plan.pictures.page import Section

MOST_TEXTS = 12
"""Ranks whose cells are large enough to be written in."""

_TOP = 65_535
# From pale to dark, ever darker: the order is seen without telling colours apart.
_SHADES = ("#e8f1f8", "#a9cbe3", "#5c9fcb", "#0072b2", "#00497a", "#001f3d")


def section(report: Mapping[str, Any]) -> Section:
    """Return the traffic between the ranks of a report."""
    pairs, ranks = report["traffic"], report["ranks"]
    if not pairs:
        return Section("traffic", "Traffic", "No rank has sent another anything.")
    table = np.array(pairs, dtype=np.int64)
    messages, sent = count(table[:, 2].sum()), size(table[:, 3].sum())
    together = per_cell(ranks)
    title = "Traffic"
    caption = (
        f"{sent} in {messages} messages between {count(len(pairs))} pairs of ranks."
    )
    if together > 1:
        title = f"Traffic, {together} x {together} ranks in each cell"
    drawn = _picture(_matrix(table, ranks, together), members(ranks, together))
    return Section("traffic", title, caption, drawn)


def _matrix(table: Any, ranks: int, together: int) -> Any:
    """Return the bytes of each cell; -1 where nobody spoke."""
    side = -(-ranks // together)
    source, dest = table[:, 0] // together, table[:, 1] // together
    matrix = np.full((side, side), -1, dtype=np.int64)
    matrix[source, dest] = 0
    np.add.at(matrix, (source, dest), table[:, 3])
    return matrix


def _picture(matrix: Any, names: list[str]) -> Any:
    drawn = figure(720, x="receiver (rank)", y="sender (rank)")
    # A message of no bytes is drawn like one of a byte.
    sizes = np.log10(np.maximum(matrix, 1))
    spoke = matrix >= 0
    low, high = floor(sizes[spoke].min()), max(ceil(sizes[spoke].max()), 1)
    low = min(low, high - 1)
    codes = 1 + np.rint((sizes - low) / (high - low) * (_TOP - 1))
    codes = np.where(spoke, codes, 0).astype(np.uint16)
    values, where = np.unique(codes[spoke], return_index=True)
    labels = dict(zip(values.tolist(), map(size, matrix[spoke][where]), strict=True))
    drawn.add_trace(
        cells(
            codes,
            labels,
            x=names,
            y=names,
            zmin=0,
            zmax=_TOP,
            colorscale=_scale(),
            colorbar=_bar(low, high),
            texttemplate="%{text}" if len(names) <= MOST_TEXTS else None,
            hovertemplate=("rank %{y} to rank %{x}<br>%{text}<extra></extra>"),
            hoverongaps=False,
        )
    )
    drawn.update_xaxes(
        type="category", showgrid=False, constrain="domain", tickvals=ticks(names)
    )
    drawn.update_yaxes(
        type="category",
        autorange="reversed",
        showgrid=False,
        scaleanchor="x",
        constrain="domain",
        tickvals=ticks(names),
    )
    return drawn


def _scale() -> list[tuple[float, str]]:
    """Return white for nothing, then the shades."""
    last = len(_SHADES) - 1
    edge = 0.5 / _TOP
    shades = [
        (edge + (1 - edge) * index / last, shade) for index, shade in enumerate(_SHADES)
    ]
    return [(0.0, "#ffffff"), (edge, "#ffffff"), *shades]


def _bar(low: int, high: int) -> dict[str, Any]:
    step = 1 + (high - low) // 8
    powers = range(low, high + 1, step)
    return {
        "title": {"text": "bytes"},
        "outlinewidth": 0,
        "tickvals": [1 + (power - low) / (high - low) * (_TOP - 1) for power in powers],
        "ticktext": [size(10**power) for power in powers],
    }
