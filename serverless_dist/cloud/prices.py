"""What requests and computing cost: every number with its source and date.

Prices are those of the first tier, without the monthly free allowance: what one more
job costs an account that is in use.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from serverless_dist.errors import UsageError

# Which field of `Prices` a kind of request is billed by.
_FIELDS = {
    "sns:PublishBatch": "sns_request",
    "sns:Delivery": "sns_delivery",
    "sqs:SendMessageBatch": "sqs_request",
    "sqs:ReceiveMessage": "sqs_request",
    "sqs:DeleteMessageBatch": "sqs_request",
    "s3:PutObject": "s3_put",
    "s3:ListObjectsV2": "s3_put",
    "s3:GetObject": "s3_get",
    "s3:DeleteObjects": "s3_delete",
    "lambda:Invoke": "lambda_request",
}
_SERVICES = ("sns", "sqs", "s3", "lambda")


@dataclass(frozen=True, slots=True)
class Prices:
    """Dollars for one request of each kind, and for a GB-second of computing.

    A request of SNS or SQS is one for each 64 KB chunk of its payload.
    """

    sns_request: float
    sns_delivery: float
    sqs_request: float
    s3_put: float
    s3_get: float
    s3_delete: float
    lambda_request: float
    lambda_gb_second: float


US_EAST_1 = Prices(
    # aws.amazon.com/sns/pricing; infracost's dated check of 2024-12-04, read 2026-11.
    sns_request=0.50e-6,
    # The copy into a queue. SNS takes nothing for it; whether SQS bills the owner of
    # the queue a request is told differently by different sources, so it is a number
    # of its own: put 0.40e-6 here to be on the safe side.
    sns_delivery=0.0,
    # Price list AWSQueueService of 2025-08-28, first 100 billion; checked 2026-08-03.
    sqs_request=0.40e-6,
    # Price list AmazonS3 of 2026-08-07: PUT, COPY, POST and LIST; GET; DELETE is free.
    s3_put=5.0e-6,
    s3_get=0.4e-6,
    s3_delete=0.0,
    # aws.amazon.com/lambda/pricing, x86, first 6 billion GB-s; read 2026-11.
    lambda_request=0.20e-6,
    lambda_gb_second=0.0000166667,
)


def dollars(
    billed: Mapping[str, int], gb_seconds: float = 0.0, prices: Prices = US_EAST_1
) -> dict[str, float]:
    """Return what was spent on each service, and in total.

    Parameters
    ----------
    billed
        How many requests of each kind were billed, as ``"sqs:ReceiveMessage"``.
    gb_seconds
        Memory in GB times seconds of computing.
    prices
        What to reckon with.

    Returns
    -------
    dict of str to float
        Dollars by ``"sns"``, ``"sqs"``, ``"s3"``, ``"lambda"`` and ``"total"``.

    Raises
    ------
    UsageError
        A kind of request has no price.

    Examples
    --------
    >>> spent = dollars({"s3:PutObject": 1_000, "s3:GetObject": 10_000})
    >>> f"{spent['s3']:.3f}", f"{spent['total']:.3f}"
    ('0.009', '0.009')
    """
    spent = dict.fromkeys(_SERVICES, 0.0)
    for kind, count in billed.items():
        if kind not in _FIELDS:
            msg = f"there is no price for {kind!r}: use one of {', '.join(_FIELDS)}"
            raise UsageError(msg)
        price: float = getattr(prices, _FIELDS[kind])
        spent[kind.partition(":")[0]] += count * price
    spent["lambda"] += gb_seconds * prices.lambda_gb_second
    spent["total"] = sum(spent.values())
    return spent
