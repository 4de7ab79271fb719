"""Prices from AWS's lists, fetched from a server on this machine."""

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from serverless_dist.cloud.price_files import cached_prices, find_lines, known_regions
from serverless_dist.cloud.price_list import PATTERNS, pick_lines
from serverless_dist.cloud.price_refresh import refresh
from serverless_dist.cloud.prices import PRICE_NAMES, US_EAST_1, load_prices
from serverless_dist.errors import CloudError, DataFileError, UsageError
from tests.price_server import (
    PUBLISHED,
    REGION,
    PriceServer,
    cache,
    lists,
    path_of,
    price_server,
    product,
    server,
)

__all__ = ["cache", "server"]  # fixtures

Lists = dict[str, dict[str, Any]]
TODAY = date(2026, 11, 24)


class TestTheShippedPrices:
    def test_are_there_without_a_cache(self) -> None:
        assert load_prices("us-east-1") == US_EAST_1
        assert US_EAST_1.region == "us-east-1"
        assert known_regions() == ["us-east-1"]

    def test_have_each_price_with_a_source_and_a_day(self) -> None:
        lines = find_lines("us-east-1")
        assert set(lines) == set(PRICE_NAMES)
        for name, line in lines.items():
            assert line.source
            assert line.read >= date(2026, 11, 1)
            assert (
                (line.published is not None) == bool(line.offer) == (name in PATTERNS)
            )

    def test_are_those_of_the_price_pages(self) -> None:
        found = {name: getattr(US_EAST_1, name) for name in PRICE_NAMES}
        assert found == pytest.approx(
            {
                "sns_request": 0.50e-6,
                "sns_delivery": 0,
                "sqs_request": 0.40e-6,
                "s3_put": 5e-6,
                "s3_list": 5e-6,
                "s3_get": 0.4e-6,
                "s3_delete": 0,
                "s3_gb_month": 0.023,
                "lambda_request": 0.20e-6,
                "lambda_gb_second": 0.0000166667,
                "lambda_arm_gb_second": 0.0000133334,
                "lambda_storage_gb_second": 0.0000000309,
            },
            abs=0,
        )


class TestARegion:
    def test_without_prices_names_those_that_have_some(self, cache: Path) -> None:
        how = "serverless-dist prices --refresh --region mars-north-1"
        with pytest.raises(UsageError, match=rf"use us-east-1, or .*{how}"):
            load_prices("mars-north-1")

    @pytest.mark.parametrize("region", ["", "../us-east-1", "US-EAST-1", "us east 1"])
    def test_that_cannot_be_one_is_refused(self, region: str) -> None:
        with pytest.raises(UsageError, match="is no region of AWS"):
            load_prices(region)

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("{", "Expecting"),
            ("[]", "indices"),
            ('{"currency": "EUR", "lines": {}}', "'EUR', not USD"),
            ('{"currency": "USD"}', "no 'lines'"),
            ('{"currency": "USD", "lines": {"s3_put": {"value": -1}}}', "is -1"),
        ],
    )
    def test_whose_file_is_damaged_names_the_file(
        self, cache: Path, text: str, why: str
    ) -> None:
        cache.mkdir(parents=True)
        (cache / "prices-us-east-1.json").write_text(text)
        with pytest.raises(DataFileError, match=f"prices-us-east-1.json.*{why}"):
            load_prices("us-east-1")
        assert US_EAST_1.s3_put == 5e-6

    def test_whose_file_lacks_a_price_names_it(
        self, cache: Path, server: PriceServer
    ) -> None:
        path = refresh(REGION, server.address)
        values = json.loads(path.read_text())
        del values["lines"]["lambda_request"]
        path.write_text(json.dumps(values))
        with pytest.raises(
            DataFileError, match="eu-west-1 have no line lambda_request"
        ):
            load_prices(REGION)


class TestARefresh:
    def test_takes_the_first_paid_tier_of_the_right_products(
        self, server: PriceServer, cache: Path
    ) -> None:
        path = refresh(REGION, server.address)
        assert path == cache / f"prices-{REGION}.json"
        assert [entry.name for entry in cache.iterdir()] == [path.name]
        prices = load_prices(REGION)
        assert {name: getattr(prices, name) for name in PRICE_NAMES} == {
            "sns_request": 0.0000006,
            "sns_delivery": 0.0,
            "sqs_request": 0.0000004,
            "s3_put": 0.000005,
            "s3_list": 0.000005,
            "s3_get": 0.0000004,
            "s3_delete": 0.0,
            "s3_gb_month": 0.023,
            "lambda_request": 0.0000002,
            "lambda_gb_second": 0.0000166667,
            "lambda_arm_gb_second": 0.0000133334,
            "lambda_storage_gb_second": 0.000000034,
        }
        assert prices.region == REGION
        day = date.fromisoformat(PUBLISHED[:10])
        assert prices.published == dict.fromkeys(PATTERNS, day)
        assert known_regions() == [REGION, "us-east-1"]

    def test_goes_before_the_shipped_prices(self, server: PriceServer) -> None:
        offers = json.loads(json.dumps(lists()).replace(REGION, "us-east-1"))
        server.put(offers, "us-east-1")
        refresh("us-east-1", server.address + "/")
        assert load_prices("us-east-1").sns_request == 0.0000006
        assert US_EAST_1.sns_request == 0.0000005

    def test_tells_how_far_it_is(self, server: PriceServer) -> None:
        told: list[tuple[str, int, int]] = []
        refresh(REGION, server.address, on_progress=lambda *now: told.append(now))
        size = len(server.bodies[path_of("AmazonS3")])
        assert ("AmazonS3", size, size) in told

    def test_asks_a_busy_server_again(self, server: PriceServer) -> None:
        server.statuses[path_of("AmazonSNS")] = [503, 500]
        refresh(REGION, server.address)
        assert server.asked.count(path_of("AmazonSNS")) == 3

    def test_of_a_server_that_stays_busy_keeps_the_old_file(
        self, server: PriceServer
    ) -> None:
        before = refresh(REGION, server.address).read_bytes()
        server.statuses[path_of("AWSLambda")] = [503] * 9
        with pytest.raises(CloudError, match=r"AWSLambda cannot be read .* status 503"):
            refresh(REGION, server.address)
        assert (cached_prices() / f"prices-{REGION}.json").read_bytes() == before

    def test_of_an_unknown_region_names_the_address(self, server: PriceServer) -> None:
        with pytest.raises(
            UsageError, match=r"no price list .*mars-north-1/index.json"
        ):
            refresh("mars-north-1", server.address)
        assert len(server.asked) == 1  # it is not asked again

    def test_from_nowhere_says_so(self, server: PriceServer) -> None:
        with price_server() as gone:
            pass
        with pytest.raises(CloudError, match=r"cannot be read .* refused"):
            refresh(REGION, gone.address)

    @pytest.mark.parametrize("url", ["file:///etc/passwd", "pricing", "http://"])
    def test_from_no_address_is_refused(self, url: str) -> None:
        with pytest.raises(UsageError, match="is no address"):
            refresh(REGION, url)

    def test_that_is_cut_off_is_refused(self, server: PriceServer, cache: Path) -> None:
        server.cut.add(path_of("AmazonS3"))
        with pytest.raises(
            CloudError, match=r"AmazonS3 cannot be read .* it ended after"
        ):
            refresh(REGION, server.address)
        assert server.asked.count(path_of("AmazonS3")) == 3
        assert not cache.exists()

    @pytest.mark.parametrize("body", [b"<html>", b'{"products": ', b"[1]"])
    def test_of_no_json_object_is_refused(
        self, server: PriceServer, cache: Path, body: bytes
    ) -> None:
        server.bodies[path_of("AmazonS3")] = body
        with pytest.raises(CloudError, match=r"AmazonS3 cannot be read .* no JSON"):
            refresh(REGION, server.address)
        assert not cache.exists()


def _twin(offers: Lists, price: str) -> None:
    made = product(
        "L9",
        "Serverless",
        [("0", "Inf", price)],
        "Lambda-GB-Second",
        group="AWS-Lambda-Duration",
        usagetype="EU-Lambda-GB-Second",
    )
    offers["AWSLambda"]["products"]["L9"] = made["product"]
    offers["AWSLambda"]["terms"]["OnDemand"]["L9"] = made["term"]


def _dimensions(offers: Lists, offer: str, sku: str) -> Iterator[dict[str, Any]]:
    for term in offers[offer]["terms"]["OnDemand"][sku].values():
        yield from term["priceDimensions"].values()


def _change(offer: str, sku: str, **changes: object) -> Callable[[Lists], None]:
    def change(offers: Lists) -> None:
        for dimension in _dimensions(offers, offer, sku):
            dimension.update(changes)

    return change


def _head(**changes: object) -> Callable[[Lists], None]:
    return lambda offers: offers["AmazonSNS"].update(changes)


def _lose_terms(offers: Lists) -> None:
    del offers["AmazonSNS"]["terms"]["OnDemand"]["N1"]


def _lose_product(offers: Lists) -> None:
    del offers["AWSQueueService"]["products"]["Q1"]


BROKEN: list[tuple[Callable[[Lists], None], str]] = [
    (_lose_product, "no product is sqs_request in the price list AWSQueueService"),
    (_lose_terms, "sns_request .* is not of the form"),
    (lambda offers: _twin(offers, "0.00002"), "2 products are lambda_gb_second"),
    (
        _change("AmazonS3", "B2", pricePerUnit={"CNY": "0.000003"}),
        "s3_get .* is in CNY, not in USD",
    ),
    (_change("AmazonS3", "B1", unit="GB"), "s3_put .* is in GB, not in requests"),
    (
        _change("AmazonS3", "B1", pricePerUnit={"USD": "0.0000000000"}),
        "s3_put .* is free",
    ),
    (_change("AmazonS3", "B4", beginRange="0"), "s3_gb_month .* has 2 prices"),
    (_change("AmazonSNS", "N1", pricePerUnit={"USD": "a"}), "sns_request .* the form"),
    (_head(formatVersion="v2.0"), "the price list AmazonSNS is AmazonSNS in .* v2.0"),
    (_head(offerCode="AmazonEC2"), "the price list AmazonSNS is AmazonEC2"),
    (_head(publicationDate="soon"), "the price list AmazonSNS is none that is known"),
    (lambda offers: offers["AmazonS3"].pop("products"), "s3_put .* the form"),
]


@pytest.mark.parametrize(
    ("spoil", "why"), BROKEN, ids=[str(number) for number in range(len(BROKEN))]
)
def test_a_list_that_does_not_tell_a_price_is_refused_and_the_line_named(
    spoil: Callable[[Lists], None], why: str
) -> None:
    offers = lists()
    spoil(offers)
    with pytest.raises(CloudError, match=why) as caught:
        pick_lines(offers, REGION, TODAY)
    assert "the prices were left as they are" in str(caught.value)


def test_two_products_of_one_price_are_one() -> None:
    offers = lists()
    _twin(offers, "0.0000166667")
    lines = pick_lines(offers, REGION, TODAY)
    assert lines["lambda_gb_second"].value == 0.0000166667


def test_products_of_another_region_are_not_taken() -> None:
    with pytest.raises(CloudError, match="no product is sns_request"):
        pick_lines(lists(), "eu-west-2", TODAY)
