"""What the money went to: a bar for each line of the bill."""

from collections.abc import Mapping, Sequence
from typing import Any

from serverless_dist.plan.pictures.drawing import SERIES, as_floats, figure
from serverless_dist.plan.pictures.numbers import count, money, percent, plain, safe
from serverless_dist.plan.pictures.page import Row, Section, table

_COLOURS = dict(zip(("lambda", "sns", "sqs", "s3"), SERIES, strict=False))


def section(report: Mapping[str, Any]) -> Section:
    """Return the costs of a report, the dearest line first."""
    lines = sorted(report["lines"], key=lambda line: -line["dollars"])
    total = report["dollars"]["total"]
    whose = "" if report["cloud"] == "aws" else "What AWS would bill: "
    caption = f"{whose}{money(total)} in all" + "".join(
        f"; {service} {money(dollars)}"
        for service, dollars in report["dollars"].items()
        if service != "total" and dollars
    )
    body = "<h3>The bill</h3>" + _bill(lines, total) + _requests(report)
    drawn = [line for line in lines if line["dollars"]]
    return Section(
        "costs", "Costs", f"{caption}.", _bars(drawn) if drawn else None, body
    )


def _bars(lines: Sequence[Mapping[str, Any]]) -> Any:
    drawn = figure(130 + 34 * len(lines), x="dollars", y="")
    drawn.add_bar(
        orientation="h",
        # The line's number keeps two of the same name apart.
        y=list(range(len(lines))),
        x=as_floats([line["dollars"] for line in lines]),
        marker={"color": [_colour(line["item"]) for line in lines]},
        text=[
            f" {money(line['dollars'])}: {plain(line['count'])} {safe(line['unit'])}"
            for line in lines
        ],
        textposition="outside",
        cliponaxis=False,
        customdata=[[safe(line["item"]), _price(line["price"])] for line in lines],
        hovertemplate=(
            "%{customdata[0]}<br>%{text}<br>at %{customdata[1]} each<extra></extra>"
        ),
    )
    drawn.update_yaxes(
        autorange="reversed",
        showgrid=False,
        tickvals=list(range(len(lines))),
        ticktext=[safe(line["item"]) for line in lines],
    )
    # Room for what is written behind the longest bar.
    drawn.update_xaxes(
        range=[0, 1.6 * lines[0]["dollars"]], tickprefix="$", exponentformat="none"
    )
    drawn.update_layout(showlegend=False, margin_t=30)
    return drawn


def _colour(item: str) -> str:
    return _COLOURS.get(item.partition(":")[0], SERIES[-1])


def _price(price: float) -> str:
    return f"{money(price * 1e6)} per million" if price < 0.001 else money(price)


def _bill(lines: Sequence[Mapping[str, Any]], total: float) -> str:
    rows = [
        Row(
            (
                safe(line["item"]),
                plain(line["count"]),
                safe(line["unit"]),
                _price(line["price"]),
                money(line["dollars"]),
                percent(line["dollars"] / total) if total else "",
            )
        )
        for line in lines
    ]
    headings = ("line", "count", "unit", "price", "dollars", "share")
    return table(headings, rows, numbers={"count", "price", "dollars", "share"})


def _requests(report: Mapping[str, Any]) -> str:
    made, billed = report["requests"], report["billed"]
    rows = [
        Row((safe(name), count(made.get(name, 0)), count(billed.get(name, 0))))
        for name in sorted({*made, *billed})
    ]
    if not rows:
        return ""
    headings = ("operation", "made", "billed")
    return "<h3>Requests</h3>" + table(headings, rows, numbers={"made", "billed"})
