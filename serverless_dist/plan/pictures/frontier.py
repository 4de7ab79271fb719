"""Seconds against dollars: the options that can be, and those that nothing beats."""

from collections.abc import Callable, Mapping, Sequence
from math import ceil, floor, log10
from typing import Any

import plotly.graph_objects as go

from serverless_dist.plan.pictures.drawing import INK, SERIES, as_floats, figure
from serverless_dist.plan.pictures.numbers import (
    NOTHING,
    count,
    money,
    plain,
    safe,
    seconds,
    words,
)
from serverless_dist.plan.pictures.page import Section

_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star")
_SHOWN = {
    "name",
    "strategy",
    "channel",
    "ranks",
    "memory_mb",
    "seconds",
    "dollars",
    "lines",
    "requests",
    "is_feasible",
    "reason",
    "is_on_frontier",
    "marks",
    "why",
}
"""The fields that every option has; what else it has was chosen for it alone."""


def section(plan: Mapping[str, Any]) -> Section:
    """Return the drawing of a plan's feasible options."""
    able = [option for option in plan["options"] if option["is_feasible"]]
    title = "Seconds and dollars"
    if not able:
        caption = "No option can be done; the table says why."
        return Section("frontier", title, caption)
    best = [option for option in able if option["is_on_frontier"]]
    caption = (
        f"Each mark is an option. Nothing is both faster and cheaper than the "
        f"{len(best)} on the line."
    )
    return Section("frontier", title, caption, _picture(able, best))


def choices(option: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was chosen for an option beyond what every option has."""
    return {name: value for name, value in option.items() if name not in _SHOWN}


def _picture(
    able: Sequence[Mapping[str, Any]], best: Sequence[Mapping[str, Any]]
) -> Any:
    drawn = figure(560, x="seconds", y="dollars")
    line = sorted(best, key=lambda option: option["seconds"])
    drawn.add_trace(
        go.Scatter(
            name="frontier",
            mode="lines",
            x=as_floats([option["seconds"] for option in line]),
            y=as_floats([option["dollars"] for option in line]),
            line={"color": "#999999", "width": 2, "dash": "dot"},
            hoverinfo="skip",
        )
    )
    strategies = list(dict.fromkeys(option["strategy"] for option in able))
    for index, strategy in enumerate(strategies):
        drawn.add_trace(_strategy(strategy, index, able))
    # No logarithm of nothing: an option may be free where prices are 0.
    is_log = all(each[what] > 0 for each in able for what in ("seconds", "dollars"))
    drawn.update_xaxes(
        _axis([each["seconds"] for each in able], seconds, is_log=is_log)
    )
    drawn.update_yaxes(_axis([each["dollars"] for each in able], money, is_log=is_log))
    for option in able:
        if option["marks"]:
            drawn.add_annotation(_mark(option, is_log=is_log))
    return drawn


def _axis(
    values: Sequence[float], name: Callable[[float], str], *, is_log: bool
) -> dict[str, Any]:
    """Return an axis with room around the values, and ticks at round ones."""
    if not is_log:
        return {"rangemode": "tozero"}
    low, high = log10(min(values)), log10(max(values))
    room = 0.15 * (high - low) + 0.05
    places = [
        digit * 10.0**power
        for power in range(floor(low - room), ceil(high + room) + 1)
        for digit in ((1, 2, 5) if high - low < 3 else (1,))
    ]
    return {
        "type": "log",
        "range": [low - room, high + room],
        "tickvals": places,
        "ticktext": [name(place) for place in places],
    }


def _strategy(strategy: str, index: int, able: Sequence[Mapping[str, Any]]) -> Any:
    mine = [option for option in able if option["strategy"] == strategy]
    return go.Scatter(
        name=safe(strategy),
        mode="markers",
        x=as_floats([option["seconds"] for option in mine]),
        y=as_floats([option["dollars"] for option in mine]),
        marker={
            "color": SERIES[index % len(SERIES)],
            "symbol": _SYMBOLS[index % len(_SYMBOLS)],
            "size": 10,
            "opacity": 0.85,
            "line": {"width": 1, "color": "white"},
        },
        text=[_described(option) for option in mine],
        hovertemplate="%{text}<extra></extra>",
    )


def _described(option: Mapping[str, Any]) -> str:
    """Return all of an option, line by line."""
    requests, chosen = sum(option["requests"].values()), choices(option)
    lines = [
        f"<b>{safe(option['name'])}</b>",
        _price(option),
        f"strategy: {safe(option['strategy'])}",
        f"channel: {safe(option['channel'] or NOTHING)}",
        f"ranks: {count(option['ranks'])} of {count(option['memory_mb'])} MB",
        *(f"{safe(words(name))}: {plain(value)}" for name, value in chosen.items()),
        f"requests: {count(requests)}",
        *(f"{safe(name)}: {money(each)}" for name, each in option["lines"].items()),
    ]
    if option["marks"]:
        lines.append(safe(", ".join(option["marks"])))
    if option["why"]:
        lines.append(safe(option["why"]))
    return "<br>".join(lines)


def _price(option: Mapping[str, Any]) -> str:
    return f"{seconds(option['seconds'])}, {money(option['dollars'])}"


def _mark(option: Mapping[str, Any], *, is_log: bool) -> dict[str, Any]:
    place = [option["seconds"], option["dollars"]]
    x, y = (log10(each) for each in place) if is_log else place
    return {
        "x": x,
        "y": y,
        "text": f"<b>{safe(', '.join(option['marks']))}</b><br>{_price(option)}",
        "showarrow": True,
        "arrowhead": 0,
        "arrowwidth": 1,
        "arrowcolor": INK,
        "standoff": 6,
        "bgcolor": "rgba(255,255,255,0.85)",
        **_beside(option["marks"]),
    }


def _beside(marks: Sequence[str]) -> dict[str, Any]:
    """Return where an option's label stands: where no other option can be."""
    if "fastest" in marks:
        return {"ax": 0, "ay": -40}
    if "cheapest" in marks:
        return {"ax": 0, "ay": 40}
    return {"ax": -40, "ay": 40, "xanchor": "right"}
