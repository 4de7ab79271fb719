"""What the planner of inferences comes to, and what it refuses."""

from dataclasses import replace
from functools import cache

import pytest

from serverless_dist.cloud.prices import Prices, load_prices
from serverless_dist.errors import UsageError
from serverless_dist.inference.activity import challenge_shape
from serverless_dist.inference.published import load_published
from serverless_dist.plan.inference import (
    Kernel,
    Search,
    Strategy,
    Via,
    plan_inference,
    published_options,
)
from serverless_dist.plan.options import Mark, Option, Plan

SPLIT_ROWS = (Strategy.ROWS, Strategy.ROWS_SAMPLES)


@cache
def prices() -> Prices:
    return load_prices("us-east-1")


@cache
def planned(neurons: int, layers: int, *, is_cold: bool = True) -> Plan:
    shape = challenge_shape(neurons, layers, 10_000)
    others = published_options(load_published(), shape, prices())
    return plan_inference(shape, prices(), is_cold=is_cold, others=others)


def of(plan: Plan, *strategies: str, channel: str | None = None) -> list[Option]:
    return [
        each
        for each in plan.feasible
        if each.strategy in strategies and channel in (None, each.channel)
    ]


def published_runs(neurons: int) -> tuple[Option, ...]:
    shape = challenge_shape(neurons, 120, 10_000)
    return published_options(load_published(), shape, prices())


def published(neurons: int, ranks: int, channel: str) -> Option:
    (found,) = (
        each
        for each in published_runs(neurons)
        if (each.ranks, each.channel) == (ranks, channel)
    )
    return found


@pytest.mark.parametrize("is_cold", [True, False], ids=["cold", "warm"])
def test_a_small_network_is_best_inferred_alone(*, is_cold: bool) -> None:
    plan = planned(1024, 120, is_cold=is_cold)
    best = plan.marked(Mark.RECOMMENDED)
    assert best.strategy in (Strategy.SERIAL, Strategy.SAMPLES)
    assert plan.marked(Mark.CHEAPEST).strategy == Strategy.SERIAL


def test_splitting_the_rows_of_a_small_network_is_slower_and_dearer() -> None:
    plan = planned(1024, 120)
    serial = min(of(plan, Strategy.SERIAL), key=lambda each: each.seconds)
    for each in of(plan, *SPLIT_ROWS):
        assert not each.is_on_frontier
        assert each.seconds > 1.5 * serial.seconds
        assert each.dollars > 4 * serial.dollars


def test_a_network_larger_than_a_function_is_not_inferred_in_one() -> None:
    plan = planned(65536, 1920)
    serial = [each for each in plan.options if each.strategy == Strategy.SERIAL]
    assert serial
    for each in serial:
        assert "MB of memory (weights 31," in (each.reason or "")
    largest = max(serial, key=lambda each: each.memory_mb)
    assert "a function has at most 10,240" in (largest.reason or "")
    assert not of(plan, Strategy.SAMPLES)


def test_a_network_larger_than_a_function_is_split_by_rows_or_layers() -> None:
    plan = planned(65536, 1920)
    best = plan.marked(Mark.RECOMMENDED)
    assert best.strategy in (Strategy.ROWS, Strategy.LAYERS)
    assert of(plan, Strategy.ROWS)


@pytest.mark.parametrize(
    ("neurons", "layers"), [(1024, 120), (16384, 120), (65536, 120), (65536, 1920)]
)
def test_splitting_rows_is_never_on_the_frontier(neurons: int, layers: int) -> None:
    plan = planned(neurons, layers)
    assert of(plan, *SPLIT_ROWS)
    assert not {each.strategy for each in plan.frontier} & set(SPLIT_ROWS)


def test_with_many_ranks_rows_are_split_more_cheaply_by_queue_than_by_object() -> None:
    for neurons in (1024, 4096, 16384, 65536):
        plan = planned(neurons, 120)
        queue, object_ = (
            min(
                each.dollars
                for each in of(plan, Strategy.ROWS, channel=via)
                if each.ranks == 62
            )
            for via in ("queue", "object")
        )
        assert queue < 0.6 * object_


def test_with_few_ranks_and_much_data_hybrid_is_cheaper_than_queue_or_object() -> None:
    plan = planned(65536, 120)
    best = {
        via: min(
            each.dollars
            for each in of(plan, Strategy.ROWS, channel=via)
            if each.ranks == 20
        )
        for via in Via
    }
    assert best[Via.HYBRID] < best[Via.OBJECT] < best[Via.QUEUE]


def test_the_published_runs_are_cheaper_by_queue_with_many_workers() -> None:
    for neurons in (1024, 4096, 16384, 65536):
        queue, object_ = (published(neurons, 62, via) for via in ("queue", "object"))
        assert queue.dollars < 0.6 * object_.dollars


def test_the_published_runs_are_cheaper_by_object_with_few_workers_and_much_data() -> (
    None
):
    queue, object_ = (published(16384, 8, via) for via in ("queue", "object"))
    assert object_.dollars < queue.dollars
    queue, object_ = (published(65536, 20, via) for via in ("queue", "object"))
    assert object_.dollars < 0.8 * queue.dollars


@pytest.mark.parametrize("neurons", [1024, 4096, 16384, 65536])
def test_every_published_run_is_beaten_by_far(neurons: int) -> None:
    plan = planned(neurons, 120)
    best = plan.marked(Mark.RECOMMENDED)
    for each in of(plan, "published"):
        assert each.seconds > 10 * best.seconds
        assert each.dollars > 30 * best.dollars


def test_published_dollars_are_near_what_was_told_where_prices_are_the_same() -> None:
    for neurons in (1024, 4096, 16384, 65536):
        for each in published_runs(neurons):
            if each.channel == "object":  # SNS no longer takes dollars for its copies
                told = float(each.choices["told_dollars"])
                assert each.dollars == pytest.approx(told, rel=0.07)


def test_more_functions_are_faster_and_dearer_where_samples_are_split() -> None:
    options = [
        each
        for each in of(planned(65536, 120), Strategy.SAMPLES)
        if each.memory_mb == 10_240 and each.ranks * int(each.choices["batch"]) > 9_999
    ]
    best = {each.ranks: each for each in options if each.choices["batch"] != 625}
    seconds = [best[ranks].seconds for ranks in (2, 8, 32)]
    dollars = [best[ranks].dollars for ranks in (2, 8, 32)]
    assert seconds == sorted(seconds, reverse=True)
    assert dollars == sorted(dollars)


def test_a_cold_start_takes_longer_and_is_billed() -> None:
    cold, warm = (planned(1024, 120, is_cold=is_cold) for is_cold in (True, False))
    for one, other in zip(cold.options, warm.options, strict=True):
        if one.strategy != "published":
            assert one.seconds > other.seconds
            assert one.dollars > other.dollars


def test_lines_sum_to_the_dollars() -> None:
    for each in planned(16384, 120).options:
        assert sum(each.lines.values()) == pytest.approx(each.dollars)


def test_names_are_unique() -> None:
    names = [each.name for each in planned(4096, 120).options]
    assert len(names) == len(set(names))


def test_a_slower_vcpu_takes_longer() -> None:
    shape = challenge_shape(4096, 120, 10_000)
    search = Search(strategies=(Strategy.SERIAL,), memory_mb=(1_769,))
    fast = plan_inference(shape, prices(), search=search)
    slow = plan_inference(
        shape, prices(), search=search, kernel=Kernel(edges_per_second=1e9)
    )
    assert slow.options[0].seconds > 1.5 * fast.options[0].seconds


def test_a_network_that_fits_no_function_as_asked_says_what_it_needs() -> None:
    search = Search(strategies=(Strategy.SERIAL,))
    with pytest.raises(UsageError, match=r"no option can be done: serial: needs 3\d,"):
        plan_inference(challenge_shape(65536, 1920, 10_000), prices(), search=search)


def test_a_function_that_would_run_too_long_is_refused_with_its_seconds() -> None:
    search = Search(strategies=(Strategy.SERIAL,), memory_mb=(10_240,))
    shape = challenge_shape(65536, 120, 10_000)
    with pytest.raises(UsageError, match="a function is ended after 900"):
        plan_inference(
            shape, prices(), search=search, kernel=Kernel(edges_per_second=1e8)
        )


def test_more_stages_than_layers_are_refused() -> None:
    search = Search(strategies=(Strategy.LAYERS,), ranks=(8,))
    with pytest.raises(UsageError, match="nothing fits what was asked for"):
        plan_inference(challenge_shape(1024, 6, 10_000), prices(), search=search)


def test_more_functions_than_an_account_has_are_shown_with_the_reason() -> None:
    search = Search(
        strategies=(Strategy.SAMPLES, Strategy.ROWS),
        channels=(Via.QUEUE,),
        ranks=(1_000, 1_001),
        memory_mb=(10_240,),
    )
    plan = plan_inference(challenge_shape(16384, 120, 10_000), prices(), search=search)
    assert {each.ranks for each in plan.feasible} == {1_000}
    refused = [each for each in plan.options if each.ranks == 1_001]
    assert {each.strategy for each in refused} == {Strategy.SAMPLES, Strategy.ROWS}
    for each in refused:
        assert each.reason is not None
        assert "needs 1,001 functions at a time: an account has 1,000" in each.reason
        assert each.seconds > 0


@pytest.mark.parametrize(("ranks", "memory"), [((0,), (1_769,)), ((1,), (127,))])
def test_functions_that_aws_does_not_offer_are_refused(
    ranks: tuple[int, ...], memory: tuple[int, ...]
) -> None:
    with pytest.raises(UsageError, match="use 1"):
        Search(ranks=ranks, memory_mb=memory)


def test_only_what_was_asked_for_is_looked_at() -> None:
    search = Search(
        strategies=(Strategy.ROWS,),
        channels=(Via.OBJECT,),
        ranks=(8,),
        memory_mb=(2_048,),
    )
    plan = plan_inference(challenge_shape(4096, 120, 10_000), prices(), search=search)
    assert {each.ranks for each in plan.options} == {8}
    assert {each.channel for each in plan.options} == {"object"}
    assert {each.strategy for each in plan.options} == {"rows"}


def test_dearer_requests_cost_more() -> None:
    shape = challenge_shape(1024, 120, 10_000)
    search = Search(strategies=(Strategy.ROWS,), ranks=(8,), channels=(Via.QUEUE,))
    dear = replace(prices(), sqs_request=prices().sqs_request * 2)
    one, two = (plan_inference(shape, each, search=search) for each in (prices(), dear))
    for cheap, costly in zip(one.options, two.options, strict=True):
        assert costly.lines["sqs"] == pytest.approx(2 * cheap.lines["sqs"])
