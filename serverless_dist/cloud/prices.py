"""What requests and computing cost; the numbers are data, with their sources.

Prices are those of the first tier, without the monthly free allowance: what one more
job costs an account that is in use. Who pays for billions of requests pays less.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path

from serverless_dist.cloud.price_files import (
    PriceLine,
    find_lines,
    shipped_lines,
)
from serverless_dist.errors import DataFileError, UsageError

# Which field of `Prices` a kind of request is billed by.
_FIELDS = {
    "sns:PublishBatch": "sns_request",
    "sns:Delivery": "sns_delivery",
    "sqs:SendMessageBatch": "sqs_request",
    "sqs:ReceiveMessage": "sqs_request",
    "sqs:DeleteMessageBatch": "sqs_request",
    "s3:PutObject": "s3_put",
    "s3:ListObjectsV2": "s3_list",
    "s3:GetObject": "s3_get",
    "s3:DeleteObjects": "s3_delete",
    "lambda:Invoke": "lambda_request",
}
_SERVICES = ("sns", "sqs", "s3", "lambda")


@dataclass(frozen=True, slots=True)
class Prices:
    """Dollars for one unit of each kind, in one region.

    A request of SNS or SQS is one for each 64 KB chunk of its payload.

    Attributes
    ----------
    region
        Where they hold.
    sns_request
        One published request.
    sns_delivery
        The copy into a queue. SNS takes nothing for it; whether SQS bills the owner of
        the queue a request is told differently by different sources, so it is a number
        of its own: ``replace(prices, sns_delivery=prices.sqs_request)`` is on the safe
        side.
    sqs_request
        One request to a standard queue.
    s3_put, s3_list, s3_get, s3_delete
        One request to S3 Standard.
    s3_gb_month
        What lies there.
    lambda_request
        One invocation; an asynchronous event of more than 256 KB counts as several.
    lambda_gb_second, lambda_arm_gb_second
        Memory in GB times seconds, on x86 and on arm64.
    lambda_storage_gb_second
        GB of /tmp beyond 512 MB, times seconds.
    published
        When the price list of each was published, by the name of the field.
    """

    region: str
    sns_request: float
    sns_delivery: float
    sqs_request: float
    s3_put: float
    s3_list: float
    s3_get: float
    s3_delete: float
    s3_gb_month: float
    lambda_request: float
    lambda_gb_second: float
    lambda_arm_gb_second: float
    lambda_storage_gb_second: float
    published: Mapping[str, date] = field(hash=False)


PRICE_NAMES = tuple(f.name for f in fields(Prices) if f.type is float)
"""The fields of `Prices` that are prices."""


def prices_of(region: str, lines: Mapping[str, PriceLine]) -> Prices:
    """Return the prices that lines tell; one that is missing is a `DataFileError`."""
    missing = sorted(set(PRICE_NAMES) - lines.keys())
    if missing:
        msg = (
            f"the prices of {region} have no line {missing[0]}: get them anew with"
            f" serverless-dist prices --refresh --region {region}"
        )
        raise DataFileError(msg)
    dates = {name: lines[name].published for name in PRICE_NAMES}
    return Prices(
        region=region,
        published={name: when for name, when in dates.items() if when is not None},
        **{name: lines[name].value for name in PRICE_NAMES},
    )


def load_prices(region: str, directory: Path | None = None) -> Prices:
    """Return the prices of a region: refreshed ones, else those of the package.

    Parameters
    ----------
    region
        Its name.
    directory
        Where ``serverless-dist prices --refresh`` has written; None: the user's cache
        directory.

    Raises
    ------
    UsageError
        There are no prices of that region; the message says how to get them.

    Examples
    --------
    >>> f"{load_prices('us-east-1', Path('nowhere')).s3_get * 1e6:.2f} per million"
    '0.40 per million'
    """
    return prices_of(region, find_lines(region, directory))


US_EAST_1 = prices_of("us-east-1", shipped_lines("us-east-1"))
"""The prices of us-east-1 that the package comes with, whatever was refreshed."""


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
        spent[kind.partition(":")[0]] += count * price_of(kind, prices)
    spent["lambda"] += gb_seconds * prices.lambda_gb_second
    spent["total"] = sum(spent.values())
    return spent


def price_of(kind: str, prices: Prices = US_EAST_1) -> float:
    """Return the dollars for one request of a kind.

    >>> f"{price_of('lambda:Invoke') * 1e6:.2f}"
    '0.20'
    """
    if kind not in _FIELDS:
        msg = f"there is no price for {kind!r}: use one of {', '.join(_FIELDS)}"
        raise UsageError(msg)
    price: float = getattr(prices, _FIELDS[kind])
    return price
