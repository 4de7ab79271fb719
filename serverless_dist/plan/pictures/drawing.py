"""What all figures share: colours, axes, and cells that say what they stand for.

The colours are those of Okabe and Ito, which people tell apart however they see
colours; a phase and a service also differ in lightness.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

PHASES = {
    "boot": "#7f7f7f",
    "load": "#cc79a7",
    "compute": "#0072b2",
    "send": "#d55e00",
    "wait": "#f3e3a1",
}
"""The colour of each phase, in the order in which a rank passes through them."""

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d")
"""The colours of kinds that have none of their own."""

INK = "#222222"
FAINT = "#e5e5e5"
MOST_CELLS = 1_000
"""Rows or columns of a picture made of cells: a screen has hardly more."""


def figure(height: int, *, x: str, y: str) -> Any:
    """Return an empty figure with titles at its axes."""
    drawn = go.Figure()
    axis = {
        "showline": True,
        "linecolor": "#999999",
        "gridcolor": FAINT,
        "zeroline": False,
        "ticks": "outside",
        "tickcolor": "#999999",
        "automargin": True,
        "title_standoff": 10,
    }
    drawn.update_layout(
        template="none",
        height=height,
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
        margin={"l": 60, "r": 20, "t": 40, "b": 50},
        plot_bgcolor="white",
        paper_bgcolor="white",
        hoverlabel={"bgcolor": "white", "font": {"size": 13}, "align": "left"},
        xaxis={**axis, "title_text": x},
        yaxis={**axis, "title_text": y},
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"},
    )
    return drawn


def cells(values: Any, labels: Mapping[int, str], **options: Any) -> Any:
    """Return a heatmap whose cells carry small numbers.

    Parameters
    ----------
    values
        Rows of unsigned integers of one or two bytes: what keeps a million cells small.
    labels
        What each number means; the page's script looks it up, for ``%{text}``.
    options
        Whatever else the heatmap has.
    """
    known = {str(value): label for value, label in labels.items()}
    return go.Heatmap(z=values, meta={"labels": known}, **options)


def per_cell(ranks: int) -> int:
    """Return how many ranks share a row of cells.

    >>> per_cell(1000), per_cell(1001), per_cell(16384)
    (1, 2, 17)
    """
    return max(1, -(-ranks // MOST_CELLS))


def members(ranks: int, together: int) -> list[str]:
    """Return the name of each row: its rank, or its first and its last.

    >>> members(3, 1), members(5, 2)
    (['0', '1', '2'], ['0 to 1', '2 to 3', '4'])
    """
    rows = (
        (first, min(first + together, ranks) - 1) for first in range(0, ranks, together)
    )
    return [str(a) if a == b else f"{a} to {b}" for a, b in rows]


def ticks(values: Any, most: int = 10) -> Any:
    """Return at most so many of the values, evenly spread, the first among them."""
    return values[:: max(1, -(-len(values) // most))]


def as_floats(values: Any) -> Any:
    """Return an array of floats, which figures keep as bytes."""
    return np.asarray(values, dtype=np.float64)
