"""AWS's price lists: which product of which list each of our prices is.

A list is the bulk file of one offer for one region. Its products are told apart by
attributes. Those that name a group are the same everywhere; usage types have a prefix
that stands for the region in most regions, and none in us-east-1. The values are those
of the lists of September and October 2026.

1. A line takes what exactly its conditions match. Several products are one if they cost
   the same; otherwise, or if there is none, nothing is taken.
2. Tiers that are free, such as the first million requests to SNS, are left out: the
   price is that of the first tier that is not.
3. What no list has, since it is free, keeps the value that the package comes with.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from serverless_dist.cloud.price_files import PriceLine, shipped_lines
from serverless_dist.errors import CloudError

OFFERS = ("AWSQueueService", "AmazonSNS", "AmazonS3", "AWSLambda")
"""The lists that our prices are in."""

_FORMAT = "v1.0"
_CURRENCY = "USD"
_BASE = "us-east-1"  # whose shipped prices have what no list has


@dataclass(frozen=True, slots=True)
class Pattern:
    """What the product of one line looks like.

    Attributes
    ----------
    offer, family
        Its list, and its kind in there.
    usage
        Its usage type, without the region's prefix; a regular expression.
    unit, units
        What we call its unit, and what the list may call it, in lower case.
    attributes
        What else it has.
    """

    offer: str
    family: str
    usage: str
    unit: str
    units: tuple[str, ...]
    attributes: Mapping[str, str]

    def matches(self, product: Mapping[str, Any], region: str) -> bool:
        """Return whether a product of a list is the one."""
        found = product["attributes"]
        wanted = {**self.attributes, "regionCode": region}
        usage = rf"([A-Z0-9]+-)?({self.usage})"
        return (
            product.get("productFamily") == self.family
            and all(found.get(name) == value for name, value in wanted.items())
            and re.fullmatch(usage, found.get("usagetype", "")) is not None
        )


def _request(offer: str, usage: str, **attributes: str) -> Pattern:
    units = ("requests", "request")
    return Pattern(offer, "API Request", usage, "request", units, attributes)


def _lambda(usage: str, group: str, unit: str, *units: str) -> Pattern:
    return Pattern("AWSLambda", "Serverless", usage, unit, units, {"group": group})


_SECONDS = ("GB-second", "lambda-gb-second", "gb-seconds", "gb-second", "second")
PATTERNS: Mapping[str, Pattern] = {
    "sns_request": _request("AmazonSNS", "Requests-Tier1", group="SNS-Requests-Tier1"),
    # In us-east-1 its usage type is Requests-RBP, elsewhere Requests-Tier1.
    "sqs_request": _request(
        "AWSQueueService",
        "Requests-RBP|Requests-Tier1",
        group="SQS-APIRequest-Tier1",
        queueType="Standard",
    ),
    "s3_put": _request("AmazonS3", "Requests-Tier1", group="S3-API-Tier1"),
    "s3_list": _request("AmazonS3", "Requests-Tier1", group="S3-API-Tier1"),
    "s3_get": _request("AmazonS3", "Requests-Tier2", group="S3-API-Tier2"),
    "s3_gb_month": Pattern(
        "AmazonS3",
        "Storage",
        "TimedStorage-ByteHrs",
        "GB-month",
        ("gb-mo",),
        {"volumeType": "Standard"},
    ),
    "lambda_request": _lambda(
        "Request", "AWS-Lambda-Requests", "request", "requests", "request"
    ),
    "lambda_gb_second": _lambda("Lambda-GB-Second", "AWS-Lambda-Duration", *_SECONDS),
    "lambda_arm_gb_second": _lambda(
        "Lambda-GB-Second-ARM", "AWS-Lambda-Duration-ARM", *_SECONDS
    ),
    "lambda_storage_gb_second": _lambda(
        "Lambda-Storage-GB-Second", "AWS-Lambda-Storage-Duration", *_SECONDS
    ),
}
"""Every price that is in a list."""


@dataclass(frozen=True, slots=True)
class _Tier:
    """What a unit costs from so many units a month on."""

    begin: float
    price: float
    unit: str


def pick_lines(
    offers: Mapping[str, Mapping[str, Any]], region: str, read: date
) -> dict[str, PriceLine]:
    """Return our prices from AWS's lists.

    Parameters
    ----------
    offers
        The lists, by the name of the offer.
    region
        Whose they are.
    read
        The day on which they were fetched.

    Raises
    ------
    CloudError
        A list is not of the form that is known, or a price cannot be told for sure;
        the message names the line.
    """
    published = {offer: _published(offer, offers[offer]) for offer in OFFERS}
    shipped = shipped_lines(_BASE)
    lines = {}
    for name, line in shipped.items():
        pattern = PATTERNS.get(name)
        if pattern is None:
            lines[name] = line
            continue
        offer = pattern.offer
        with_context = f"{name} in the price list {offer} of {region}"
        lines[name] = PriceLine(
            value=_price(offers[offer], pattern, region, with_context),
            unit=pattern.unit,
            offer=offer,
            published=published[offer],
            read=read,
            source=f"price list {offer} of {region}",
        )
    return lines


def _published(offer: str, values: Mapping[str, Any]) -> date:
    """Return the day of a list, which is of the form that is known."""
    try:
        if values["formatVersion"] != _FORMAT or values["offerCode"] != offer:
            found = f"{values['offerCode']} in the format {values['formatVersion']}"
            msg = f"the price list {offer} is {found}, not {_FORMAT}"
            raise _refusal(msg)
        return date.fromisoformat(values["publicationDate"][:10])
    except (KeyError, TypeError, ValueError) as error:
        msg = f"the price list {offer} is none that is known"
        raise _refusal(msg) from error


def _price(
    values: Mapping[str, Any], pattern: Pattern, region: str, what: str
) -> float:
    """Return what the product of a line costs."""
    try:
        found = [
            _first_tier(values["terms"]["OnDemand"][sku], pattern, what)
            for sku, product in values["products"].items()
            if pattern.matches(product, region)
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        msg = f"{what} is not of the form that is known"
        raise _refusal(msg) from error
    if not found:
        msg = f"no product is {what}"
        raise _refusal(msg)
    if len(set(found)) > 1:
        prices = ", ".join(f"${price:.10f}" for price in sorted(set(found)))
        msg = f"{len(found)} products are {what}, at {prices}"
        raise _refusal(msg)
    return found[0]


def _first_tier(terms: Mapping[str, Any], pattern: Pattern, what: str) -> float:
    """Return the price of the first tier that is not free."""
    tiers = [
        _tier(dimension, what)
        for term in terms.values()
        for dimension in term["priceDimensions"].values()
    ]
    if any(tier.unit.lower() not in pattern.units for tier in tiers):
        units = ", ".join(sorted({tier.unit for tier in tiers}))
        msg = f"{what} is in {units}, not in {pattern.units[0]}"
        raise _refusal(msg)
    paid = [tier for tier in tiers if tier.price > 0]
    if not paid:
        msg = f"{what} is free"
        raise _refusal(msg)
    begin = min(tier.begin for tier in paid)
    prices = {tier.price for tier in paid if tier.begin == begin}
    if len(prices) > 1:
        msg = f"{what} has {len(prices)} prices for one tier"
        raise _refusal(msg)
    return prices.pop()


def _tier(dimension: Mapping[str, Any], what: str) -> _Tier:
    prices = dimension["pricePerUnit"]
    if _CURRENCY not in prices:
        msg = f"{what} is in {', '.join(prices)}, not in {_CURRENCY}"
        raise _refusal(msg)
    return _Tier(
        begin=float(dimension["beginRange"]),
        price=float(prices[_CURRENCY]),
        unit=dimension["unit"],
    )


def _refusal(why: str) -> CloudError:
    msg = f"{why}: the prices were left as they are; report it with the list's date"
    return CloudError(msg, retryable=False)
