"""AWS's price lists on this machine: the files' form, and a server that has them."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tenacity import wait_none

from serverless_dist.cloud import price_refresh
from serverless_dist.cloud.price_files import cached_prices

Tier = tuple[str, str, str]
"""From how many units, to how many, and the dollars for one."""

REGION = "eu-west-1"
PUBLISHED = "2026-11-03T21:40:04Z"


def product(
    sku: str, family: str, tiers: list[Tier], unit: str, **attributes: str
) -> dict[str, Any]:
    """Return a product and its terms, to be put into a list."""
    term = f"{sku}.JRTCKXETXF"
    dimensions = {
        f"{term}.{number}": {
            "rateCode": f"{term}.{number}",
            "description": f"${price} for each",
            "beginRange": begin,
            "endRange": end,
            "unit": unit,
            "pricePerUnit": {"USD": price},
            "appliesTo": [],
        }
        for number, (begin, end, price) in enumerate(tiers)
    }
    about = {"locationType": "AWS Region", "regionCode": REGION, **attributes}
    return {
        "sku": sku,
        "product": {"sku": sku, "productFamily": family, "attributes": about},
        "term": {
            term: {
                "offerTermCode": "JRTCKXETXF",
                "sku": sku,
                "effectiveDate": "2026-11-01T00:00:00Z",
                "priceDimensions": dimensions,
                "termAttributes": {},
            }
        },
    }


def price_list(offer: str, products: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the list of an offer."""
    return {
        "formatVersion": "v1.0",
        "disclaimer": "This pricing list is for informational purposes only.",
        "offerCode": offer,
        "version": "20261103214004",
        "publicationDate": PUBLISHED,
        "products": {made["sku"]: made["product"] for made in products},
        "terms": {"OnDemand": {made["sku"]: made["term"] for made in products}},
        "attributesList": {},
    }


def _flat(price: str) -> list[Tier]:
    return [("0", "Inf", price)]


def lists() -> dict[str, dict[str, Any]]:
    """Return the lists of Ireland, with the neighbours that a careless eye takes."""
    request, seconds = "API Request", "Lambda-GB-Second"
    group = "SQS-APIRequest-Tier1"
    standard = [
        ("0", "100000000000", "0.0000004"),
        ("100000000000", "Inf", "0.0000003"),
    ]
    published = [("0", "1000000", "0"), ("1000000", "Inf", "0.0000006")]
    x86 = [("0", "6000000000", "0.0000166667"), ("6000000000", "Inf", "0.0000150000")]
    stored = [("0", "51200", "0.0230"), ("51200", "Inf", "0.0220")]

    def queue(sku: str, usage: str, kind: str, tiers: list[Tier]) -> dict[str, Any]:
        more = {"group": group, "queueType": kind, "usagetype": usage}
        return product(sku, request, tiers, "Requests", **more)

    def bucket(sku: str, usage: str, price: str, name: str) -> dict[str, Any]:
        more = {"group": name, "usagetype": usage}
        return product(sku, request, _flat(price), "Requests", **more)

    def function(
        sku: str, usage: str, name: str, tiers: list[Tier], unit: str = seconds
    ) -> dict[str, Any]:
        more = {"group": name, "usagetype": usage}
        return product(sku, "Serverless", tiers, unit, **more)

    free = function(
        "L0", "Global-Request", "AWS-Lambda-Requests", _flat("0"), "Requests"
    )
    free["product"]["attributes"] |= {"regionCode": "", "location": "Any"}
    delivery = {"usagetype": "EU-DeliveryAttempts-SQS", "endpointType": "Amazon SQS"}
    return {
        "AWSQueueService": price_list(
            "AWSQueueService",
            [
                queue("Q1", "EU-Requests-Tier1", "Standard", standard),
                queue(
                    "Q2",
                    "EU-Requests-FIFO-Tier1",
                    "FIFO (first-in, first-out)",
                    _flat("0.0000005"),
                ),
                queue("Q3", "EU-Requests-Fair-Tier1", "Fair", _flat("0.0000001")),
            ],
        ),
        "AmazonSNS": price_list(
            "AmazonSNS",
            [
                product(
                    "N1",
                    request,
                    published,
                    "Requests",
                    group="SNS-Requests-Tier1",
                    usagetype="EU-Requests-Tier1",
                ),
                product("N2", "Message Delivery", _flat("0"), "Messages", **delivery),
            ],
        ),
        "AmazonS3": price_list(
            "AmazonS3",
            [
                bucket("B1", "EU-Requests-Tier1", "0.0000050000", "S3-API-Tier1"),
                bucket("B2", "EU-Requests-Tier2", "0.0000004000", "S3-API-Tier2"),
                # Told apart by the usage type alone.
                bucket("B6", "EU-Tables-Requests-Tier1", "0.000009", "S3-API-Tier1"),
                bucket(
                    "B3", "EU-Requests-SIA-Tier1", "0.0000100000", "S3-API-SIA-Tier1"
                ),
                product(
                    "B4",
                    "Storage",
                    stored,
                    "GB-Mo",
                    usagetype="EU-TimedStorage-ByteHrs",
                    volumeType="Standard",
                ),
                product(
                    "B5",
                    "Storage",
                    _flat("0.0125"),
                    "GB-Mo",
                    usagetype="EU-TimedStorage-SIA-ByteHrs",
                    volumeType="Standard - Infrequent Access",
                ),
            ],
        ),
        "AWSLambda": price_list(
            "AWSLambda",
            [
                free,
                function(
                    "L1", "EU-Request", "AWS-Lambda-Requests", _flat("0.0000002"),
                    "Requests",
                ),
                function("L2", "EU-Lambda-GB-Second", "AWS-Lambda-Duration", x86),
                function(
                    "L3", "EU-Lambda-GB-Second-ARM", "AWS-Lambda-Duration-ARM",
                    _flat("0.0000133334"),
                ),
                function(
                    "L4", "EU-Lambda-Storage-GB-Second", "AWS-Lambda-Storage-Duration",
                    _flat("0.0000000340"), "GB-Seconds",
                ),
                function(
                    "L5", "EU-Lambda-Provisioned-GB-Second",
                    "AWS-Lambda-Duration-Provisioned", _flat("0.0000097222"),
                ),
            ],
        ),
    }  # fmt: skip


class PriceServer:
    """What a server gives for each path, and what it was asked for.

    Attributes
    ----------
    address
        Where it is.
    bodies
        What it gives, by path; other paths are not there.
    statuses
        What it answers first, by path, before it gives the body.
    cut
        The paths whose bodies end too early.
    asked
        The paths that were asked for.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.bodies: dict[str, bytes] = {}
        self.statuses: dict[str, list[int]] = {}
        self.cut: set[str] = set()
        self.asked: list[str] = []

    def put(self, offers: Mapping[str, object], region: str = REGION) -> None:
        """Have these lists."""
        for offer, values in offers.items():
            self.bodies[path_of(offer, region)] = json.dumps(values).encode()


def path_of(offer: str, region: str = REGION) -> str:
    """Return where AWS has a list."""
    return f"/offers/v1.0/aws/{offer}/current/{region}/index.json"


@contextmanager
def price_server() -> Iterator[PriceServer]:
    """Give a server on this machine that has nothing yet."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            statuses = made.statuses.get(self.path)
            if statuses:
                self.send_error(statuses.pop(0))
                return
            body = made.bodies.get(self.path)
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if self.path in made.cut else body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = PriceServer(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache directory, which is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("SERVERLESS_DIST_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    return cached_prices()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[PriceServer]:
    """A server that has all lists."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(
        price_refresh, "wait_random_exponential", lambda **_: wait_none()
    )
    with price_server() as server:
        server.put(lists())
        yield server
