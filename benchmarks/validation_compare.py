"""Predicted against published: counts, dollars and seconds of each experiment."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from validation_fsd import Outcome
from validation_rows import (
    SQS_CALL,
    Row,
    billed_publishes,
    lambda_dollars,
    s3_dollars,
    sns_dollars,
)
from validation_workload import expected_pairs


class Kind(StrEnum):
    """Where a predicted number is from."""

    INPUT = "input"  # the published one was put in
    COUNT = "count"
    DOLLARS = "dollars"
    TIMED = "timed dollars"  # hang on the predicted seconds
    SECONDS = "seconds"
    LOADING = "loading"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One number of one experiment on one channel."""

    row: str
    channel: str
    quantity: str
    kind: Kind
    published: float
    predicted: float
    is_fitted: bool

    @property
    def error(self) -> float:
        """How much too high the prediction is, as a share of what was published."""
        return self.predicted / self.published - 1

    def to_dict(self) -> dict[str, str | float | bool]:
        """Return it as values that JSON knows."""
        return {
            "row": self.row,
            "channel": self.channel,
            "quantity": self.quantity,
            "kind": self.kind.value,
            "published": self.published,
            "predicted": float(f"{self.predicted:.6g}"),
            "error": round(self.error, 4),
            "fitted": self.is_fitted,
        }


def compare(row: Row, channel: str, outcome: Outcome) -> list[Comparison]:
    """Return all numbers of one experiment on one channel that were published."""
    counts = _count_queue if channel == "queue" else _count_object
    found = [
        (f"{channel}_seconds", Kind.SECONDS, outcome.seconds),
        *counts(row, outcome),
        *_lambda_lines(row, channel, outcome),
    ]
    values = {quantity: predicted for quantity, _, predicted in found}
    services = ("sns_usd", "sqs_usd") if channel == "queue" else ("s3_usd",)
    requests = sum(values[f"{channel}_{name}"] for name in services)
    for suffix, kind in (("", Kind.DOLLARS), (" at predicted time", Kind.TIMED)):
        total = requests + values[f"{channel}_lambda_usd{suffix}"]
        found.append((f"{channel}_total_usd{suffix}", kind, total))
    published = {**row.published, f"{channel}_seconds": row.seconds(channel)}
    return [
        Comparison(
            row=row.name,
            channel=channel,
            quantity=quantity.removeprefix(f"{channel}_"),
            kind=kind,
            published=number,
            predicted=predicted,
            is_fitted=row.is_fitted,
        )
        for quantity, kind, predicted in found
        if (number := published.get(quantity.partition(" ")[0])) is not None
    ]


def _count_queue(row: Row, outcome: Outcome) -> Iterable[tuple[str, Kind, float]]:
    usage = outcome.usage
    calls = usage.requests["sns:PublishBatch"]
    nbytes = usage.sent["sns:PublishBatch"]
    polls = usage.requests["sqs:ReceiveMessage"]
    billed = billed_publishes(calls, nbytes)
    return (
        ("queue_publish_calls", Kind.COUNT, calls),
        ("queue_publishes_billed", Kind.COUNT, billed),
        ("queue_messages_received", Kind.COUNT, outcome.received),
        ("queue_polls", Kind.COUNT, polls),
        ("queue_mb", Kind.INPUT, nbytes / 1e6),
        (
            "queue_load_launch_share_pct",
            Kind.LOADING,
            100 * outcome.loading / outcome.runtime,
        ),
        ("queue_sns_usd", Kind.DOLLARS, sns_dollars(billed, nbytes)),
        ("queue_sqs_usd", Kind.DOLLARS, polls * SQS_CALL),
    )


def _count_object(row: Row, outcome: Outcome) -> Iterable[tuple[str, Kind, float]]:
    usage = outcome.usage
    puts = usage.requests["s3:PutObject"]
    gets = usage.requests["s3:GetObject"]
    lists = usage.requests["s3:ListObjectsV2"]
    return (
        ("object_puts", Kind.INPUT, puts),
        ("object_puts from the network alone", Kind.COUNT, expected_pairs(row)),
        ("object_gets", Kind.COUNT, gets),
        ("object_lists", Kind.COUNT, lists),
        ("object_mb", Kind.INPUT, usage.sent["s3:PutObject"] / 1e6),
        ("object_s3_usd", Kind.DOLLARS, s3_dollars(puts, gets, lists)),
    )


def _lambda_lines(
    row: Row, channel: str, outcome: Outcome
) -> Iterable[tuple[str, Kind, float]]:
    """Return what functions cost, as long as published and as long as predicted."""
    loading = outcome.loading
    share = row.published["queue_load_launch_share_pct"]
    if share is not None:  # published for queues; objects load the same
        loading = row.seconds("queue") * share / (100 - share)
    name = f"{channel}_lambda_usd"
    yield name, Kind.DOLLARS, lambda_dollars(row, row.seconds(channel) + loading)
    suffix = " at predicted time"
    yield name + suffix, Kind.TIMED, lambda_dollars(row, outcome.runtime)


def median_error(found: Iterable[Comparison]) -> float:
    """Return the median of the sizes of the errors."""
    return median(abs(each.error) for each in found)


def worst(found: Iterable[Comparison]) -> Comparison:
    """Return the comparison with the largest error."""
    return max(found, key=lambda each: abs(each.error))
