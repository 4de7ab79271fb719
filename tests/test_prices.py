"""Dollars, computed by hand."""

from dataclasses import replace

import pytest

from serverless_dist.cloud.prices import US_EAST_1, dollars
from serverless_dist.errors import UsageError


def test_a_million_of_each_request_costs_what_the_price_lists_say() -> None:
    million = 1_000_000
    expected = {
        "sns:PublishBatch": 0.50,
        "sns:Delivery": 0.0,
        "sqs:SendMessageBatch": 0.40,
        "sqs:ReceiveMessage": 0.40,
        "sqs:DeleteMessageBatch": 0.40,
        "s3:PutObject": 5.0,
        "s3:ListObjectsV2": 5.0,
        "s3:GetObject": 0.40,
        "s3:DeleteObjects": 0.0,
        "lambda:Invoke": 0.20,
    }
    for kind, price in expected.items():
        spent = dollars({kind: million})
        service = kind.split(":")[0]
        assert spent == pytest.approx(
            {"sns": 0, "sqs": 0, "s3": 0, "lambda": 0, service: price, "total": price}
        ), kind


def test_a_job_is_the_sum_of_its_services() -> None:
    billed = {
        "sns:PublishBatch": 1_102,  # 0.000551
        "sqs:SendMessageBatch": 500,  # 0.0002
        "sqs:ReceiveMessage": 2_000,  # 0.0008
        "sqs:DeleteMessageBatch": 700,  # 0.00028
        "s3:PutObject": 30,  # 0.00015
        "s3:GetObject": 1_000,  # 0.0004
        "lambda:Invoke": 8,  # 0.0000016
    }
    # 8 ranks of 2 GB for 25 s: 400 GB-s at 0.0000166667
    assert dollars(billed, 400.0) == pytest.approx(
        {
            "sns": 0.000551,
            "sqs": 0.00128,
            "s3": 0.00055,
            "lambda": 0.00666828,
            "total": 0.00904928,
        }
    )


def test_nothing_costs_nothing() -> None:
    assert dollars({}) == {"sns": 0, "sqs": 0, "s3": 0, "lambda": 0, "total": 0}


def test_prices_can_be_replaced() -> None:
    dear = replace(US_EAST_1, sns_delivery=US_EAST_1.sqs_request)
    assert dollars({"sns:Delivery": 10}, prices=dear)["sns"] == pytest.approx(4e-6)


def test_a_request_without_a_price_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'sqs:SendMessage': use one of sns:Pub"):
        dollars({"sqs:SendMessage": 1})
