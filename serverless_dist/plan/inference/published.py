"""What the published system took, priced as AWS bills it today.

FSD-Inference (Oakley and Ferhatosmanoglu, ICDE 2024) splits rows over functions that
meet through SNS and SQS, or through S3. Its authors' workbook has the requests, bytes
and seconds of each run; dollars are worked out anew from those. What the workbook
leaves out is counted here as well: receives by 64 KB, and deletes.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from serverless_dist.cloud.limits import BILLING_CHUNK, MAX_BATCH
from serverless_dist.cloud.prices import Prices, dollars
from serverless_dist.plan.inference.shapes import Shape
from serverless_dist.plan.options import Option

PUBLISHED = "published"
"""The strategy of these options."""


def published_options(
    workbook: Mapping[str, Any], shape: Shape, prices: Prices
) -> tuple[Option, ...]:
    """Return the published runs of one question; none if it was not asked.

    Parameters
    ----------
    workbook
        What `inference.published` reads.
    shape
        The network and its inputs.
    prices
        What to reckon with.
    """
    asked = (shape.layers, shape.samples)
    if asked != (workbook["layers"], workbook["samples"]):
        return ()
    return tuple(
        option
        for run in workbook["runs"]
        if run["neurons"] == shape.neurons
        for option in _options(run, workbook, prices)
    )


def _options(
    run: Mapping[str, Any], workbook: Mapping[str, Any], prices: Prices
) -> Iterator[Option]:
    ranks = run["workers"]
    for channel, count in (("queue", _queue_counts), ("object", _object_counts)):
        if channel not in run:
            continue
        found = run[channel]
        requests, billed = count(found)
        invoked = ranks + 1  # and the coordinator
        computing = found["lambda_usd"] - invoked * workbook["lambda_usd_per_request"]
        gb_seconds = computing / workbook["lambda_usd_per_gb_second"]
        spent = dollars({**billed, "lambda:Invoke": invoked}, gb_seconds, prices)
        total = spent.pop("total")
        yield Option(
            name=f"{PUBLISHED}, {ranks} x {run['memory_mb']:,} MB, {channel}",
            strategy=PUBLISHED,
            channel=channel,
            ranks=ranks,
            memory_mb=run["memory_mb"],
            seconds=found["ms_per_sample"] * workbook["samples"] / 1_000,
            dollars=total,
            lines=spent,
            requests={**requests, "lambda:Invoke": invoked},
            choices={"batch": workbook["samples"], "told_dollars": found["total_usd"]},
        )


def _queue_counts(found: Mapping[str, Any]) -> tuple[dict[str, int], dict[str, int]]:
    """Return the requests of a run by queue, and what they are billed as."""
    deletes = -(-found["messages"] // MAX_BATCH)
    chunks = round(found["megabytes"] * 1e6 / BILLING_CHUNK)
    requests = {
        "sns:PublishBatch": found["publishes"],
        "sqs:ReceiveMessage": found["polls"],
        "sqs:DeleteMessageBatch": deletes,
    }
    billed = {
        "sns:PublishBatch": found["publishes_billed"],
        "sns:Delivery": max(found["messages"], chunks),
        "sqs:ReceiveMessage": max(found["polls"], chunks),
        "sqs:DeleteMessageBatch": deletes,
    }
    return requests, billed


def _object_counts(found: Mapping[str, Any]) -> tuple[dict[str, int], dict[str, int]]:
    """Return the requests of a run by object, which are billed as they are."""
    requests = {
        "s3:PutObject": found["puts"],
        "s3:GetObject": found["gets"],
        "s3:ListObjectsV2": found["lists"],
    }
    return requests, requests
