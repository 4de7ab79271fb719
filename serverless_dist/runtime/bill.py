"""What a run is billed for, line by line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serverless_dist.cloud.prices import US_EAST_1, Prices, load_prices, price_of
from serverless_dist.errors import DataFileError, UsageError

COMPUTING = "lambda:GB-second"
DEFAULT_REGION = US_EAST_1.region
SERVICES = ("sns", "sqs", "s3", "lambda")
_REQUESTS, _PIECES = "requests", "requests of 64 KB"
_UNITS = {
    "sns:PublishBatch": _PIECES,
    "sns:Delivery": "copies of 64 KB",
    "sqs:SendMessageBatch": _PIECES,
    "sqs:ReceiveMessage": _PIECES,
    "sqs:DeleteMessageBatch": _PIECES,
    "s3:PutObject": _REQUESTS,
    "s3:ListObjectsV2": _REQUESTS,
    "s3:GetObject": _REQUESTS,
    "s3:DeleteObjects": _REQUESTS,
    "lambda:Invoke": _REQUESTS,
    COMPUTING: "GB-seconds",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill.

    Attributes
    ----------
    item
        Service and operation, or ``"lambda:GB-second"``.
    unit
        What is counted.
    count, price
        How many, and the dollars for each.
    """

    item: str
    unit: str
    count: float
    price: float

    @property
    def dollars(self) -> float:
        """What the line comes to."""
        return self.count * self.price

    @property
    def service(self) -> str:
        """The service that bills it."""
        return self.item.partition(":")[0]


def prices_near(region: str) -> Prices:
    """Return the prices of a region; of `DEFAULT_REGION` where nobody knows them.

    Raises
    ------
    DataFileError
        The file of the region's prices is not what was written.

    Examples
    --------
    >>> prices_near("eu-nowhere-9").region
    'us-east-1'
    """
    try:
        return load_prices(region)
    except DataFileError:
        raise
    except UsageError:
        return US_EAST_1


def strict_prices(region: str | None) -> Prices:
    """Return the prices of a region that was asked for; None: of `DEFAULT_REGION`.

    Raises
    ------
    UsageError
        There are no prices of that region.

    Examples
    --------
    >>> strict_prices("typo")
    Traceback (most recent call last):
    serverless_dist.errors.UsageError: 'typo' is no region of AWS: write it as us-east-1
    """
    return load_prices(region or DEFAULT_REGION)


def unit_prices(prices: Prices) -> dict[str, float]:
    """Return the dollars for one unit of each item."""
    requests = {item: price_of(item, prices) for item in _UNITS if item != COMPUTING}
    return {**requests, COMPUTING: prices.lambda_gb_second}


def bill(
    billed: Mapping[str, int], gb_seconds: float, prices: Mapping[str, float]
) -> list[Line]:
    """Return the lines of what was billed, sorted by item, and of computing last.

    Parameters
    ----------
    billed
        How many units of each kind of request.
    gb_seconds
        Memory in GB times seconds of computing.
    prices
        Dollars for one unit of each item.

    Raises
    ------
    UsageError
        An item has no price.

    Examples
    --------
    >>> prices = {"s3:PutObject": 5e-6, "lambda:GB-second": 2e-5}
    >>> for line in bill({"s3:PutObject": 1_000}, 10.0, prices):
    ...     print(f"{line.count:g} {line.unit} {line.item}: {line.dollars:.6f}")
    1000 requests s3:PutObject: 0.005000
    10 GB-seconds lambda:GB-second: 0.000200
    """
    counts = {**dict(sorted(billed.items())), COMPUTING: gb_seconds}
    unknown = sorted(counts.keys() - prices.keys())
    if unknown:
        msg = f"there is no price for {unknown[0]!r}: use one of {', '.join(_UNITS)}"
        raise UsageError(msg)
    return [
        Line(item, _UNITS.get(item, _REQUESTS), count, prices[item])
        for item, count in counts.items()
    ]


def by_service(lines: Sequence[Line]) -> dict[str, float]:
    """Return the dollars of each service, and in total.

    >>> by_service([Line("s3:PutObject", "requests", 2, 0.5)])["total"]
    1.0
    """
    spent = dict.fromkeys(SERVICES, 0.0)
    for line in lines:
        spent[line.service] += line.dollars
    return {**spent, "total": sum(spent.values())}
