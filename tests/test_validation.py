"""The smallest published experiment, replayed; `benchmarks/validation.py` does all."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
FOLLOWING = {  # what follows from the pattern of messages
    "queue": ("messages_received", "sns_usd", "total_usd"),
    "object": (
        "puts from the network alone",
        "gets",
        "s3_usd",
        "lambda_usd",
        "total_usd",
    ),
}


@pytest.fixture(scope="module", autouse=True)
def benchmarks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield


def compare(channel: str, **options: Any) -> list[dict[str, Any]]:
    from validation_compare import compare
    from validation_fsd import Replay
    from validation_rows import load_rows

    smallest = load_rows()[0]
    outcome = Replay(smallest, channel, **options).run()
    return [each.to_dict() for each in compare(smallest, channel, outcome)]


@pytest.mark.parametrize("channel", ["queue", "object"])
def test_the_same_seed_gives_the_same_bytes(channel: str) -> None:
    first, second = (json.dumps(compare(channel, seed=3, alike=2)) for _ in range(2))
    assert first == second
    assert first != json.dumps(compare(channel, seed=4, alike=2))


@pytest.mark.parametrize("channel", ["queue", "object"])
def test_counts_and_dollars_that_follow_from_the_pattern_are_within_a_tenth(
    channel: str,
) -> None:
    errors = {each["quantity"]: each["error"] for each in compare(channel)}
    assert {name: errors[name] for name in FOLLOWING[channel]} == pytest.approx(
        dict.fromkeys(FOLLOWING[channel], 0.0), abs=0.1
    )


def test_a_few_of_the_layers_that_are_alike_stand_for_all() -> None:
    few, all_ = (compare("object", alike=alike)[0] for alike in (12, 120))
    assert few["quantity"] == "seconds"
    assert few["predicted"] == pytest.approx(all_["predicted"], rel=0.05)


def test_the_published_counts_cost_the_published_dollars() -> None:
    from validation_rows import SQS_CALL, load_rows, s3_dollars, sns_dollars

    for row in load_rows():
        puts, gets, lists = (
            int(row.value(f"object_{name}")) for name in ("puts", "gets", "lists")
        )
        dollars = s3_dollars(puts, gets, lists)
        assert dollars == pytest.approx(row.value("object_s3_usd"), abs=2e-4)
        if row.has("queue"):
            billed = int(row.value("queue_publishes_billed"))
            dollars = sns_dollars(billed, row.value("queue_mb") * 1e6)
            assert dollars == pytest.approx(row.value("queue_sns_usd"), abs=1e-4)
            polls = row.value("queue_polls") * SQS_CALL
            assert polls == pytest.approx(row.value("queue_sqs_usd"), abs=6e-5)


def test_bills_round_the_mean_call_up_as_the_authors_do() -> None:
    from validation_rows import billed_publishes, load_rows

    for row in load_rows():
        if row.has("queue"):
            calls = int(row.value("queue_publish_calls"))
            billed = billed_publishes(calls, row.value("queue_mb") * 1e6)
            assert billed == row.value("queue_publishes_billed"), row.name


def test_workers_receive_from_those_that_send_to_them() -> None:
    from validation_rows import load_rows
    from validation_workload import plan_exchanges

    row = load_rows()[3]
    for exchange in plan_exchanges(row, "queue"):
        for source, targets in enumerate(exchange.targets):
            assert source not in targets
            assert len(set(targets)) == len(targets)
        sent = sum(map(len, exchange.targets))
        assert sum(exchange.sources) == sent


def test_a_request_holds_ten_messages_and_no_more_bytes_than_the_authors_say() -> None:
    from validation_channels import cut_batches
    from validation_workload import MAX_BYTES

    from serverless_dist.cloud.services import Entry

    def cut(sizes: list[int]) -> list[int]:
        entries = [(Entry(b"", (0,)), size) for size in sizes]
        return [len(batch) for batch, _ in cut_batches(entries)]

    assert cut([1] * 25) == [10, 10, 5]
    assert cut([MAX_BYTES, 1, MAX_BYTES - 1, 1]) == [1, 2, 1]
