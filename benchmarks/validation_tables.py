"""The validation as text: a table for each channel, and what they sum up to."""

from collections.abc import Iterable, Sequence

from validation_compare import Comparison, Kind, median_error, worst
from validation_sensitivity import Shift

KINDS = {
    Kind.COUNT: "requests and messages",
    Kind.DOLLARS: "dollars, at published time",
    Kind.TIMED: "dollars, at predicted time",
    Kind.SECONDS: "seconds of the batch",
    Kind.LOADING: "share of loading",
    Kind.INPUT: "inputs, as a check",
}
# How a column of a table is headed, by channel and quantity.
COLUMNS = {
    "queue": {
        "seconds": "seconds",
        "load_launch_share_pct": "loading, %",
        "publish_calls": "PublishBatch",
        "publishes_billed": "billed publishes",
        "messages_received": "messages",
        "polls": "polls",
        "mb": "MB (input)",
        "sns_usd": "SNS $",
        "sqs_usd": "SQS $",
        "lambda_usd": "Lambda $, time published",
        "lambda_usd at predicted time": "Lambda $, time predicted",
        "total_usd": "total $, time published",
        "total_usd at predicted time": "total $, time predicted",
    },
    "object": {
        "seconds": "seconds",
        "puts": "PUTs (input)",
        "puts from the network alone": "PUTs, network alone",
        "gets": "GETs",
        "lists": "LISTs",
        "mb": "MB (input)",
        "s3_usd": "S3 $",
        "lambda_usd": "Lambda $, time published",
        "lambda_usd at predicted time": "Lambda $, time predicted",
        "total_usd": "total $, time published",
        "total_usd at predicted time": "total $, time predicted",
    },
}


def experiments(found: Sequence[Comparison], channel: str) -> str:
    """Return a table of all experiments on one channel: predicted, published, error."""
    columns = COLUMNS[channel]
    cells: dict[str, dict[str, str]] = {}
    for each in found:
        if each.channel == channel:
            name = each.row + ("" if each.is_fitted else " *")
            cells.setdefault(name, {})[each.quantity] = (
                f"{_number(each.predicted)} / {_number(each.published)}"
                f" ({each.error:+.0%})"
            )
    rows = [
        [name, *(line.get(quantity, "-") for quantity in columns)]
        for name, line in cells.items()
    ]
    return table(["N x P", *columns.values()], rows)


def summary(found: Sequence[Comparison]) -> str:
    """Return the median and the worst error of each kind of number."""
    rows = []
    for channel in COLUMNS:
        for kind, text in KINDS.items():
            for fitted in (True, False):
                some = [
                    each
                    for each in found
                    if (each.channel, each.kind) == (channel, kind)
                    and each.is_fitted == fitted
                ]
                if some:
                    rows.append([channel, text, *_errors(some, is_fitted=fitted)])
    heads = ["channel", "what", "experiments", "median error", "within 10 %", "worst"]
    return table(heads, rows)


def _errors(some: list[Comparison], *, is_fitted: bool) -> list[str]:
    most = worst(some)
    near = sum(abs(each.error) <= 0.1 for each in some)
    return [
        "fitted to" if is_fitted else "left for the test",
        f"{median_error(some):.1%}",
        f"{near} of {len(some)}",
        f"{most.error:+.0%}, {most.quantity} of {most.row}",
    ]


def shifts(found: Iterable[Shift]) -> str:
    """Return how seconds change with each number."""
    rows = [
        [each.name, each.channel, _number(each.seconds)]
        + [f"{change:+.1%}" for change in (each.halved, each.doubled)]
        for each in found
    ]
    return table(["number", "replay", "seconds", "halved", "doubled"], rows)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
