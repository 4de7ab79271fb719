"""Distributions from samples of known ones."""

import random

import pytest
from hypothesis import given, settings, strategies as st

from serverless_dist.cloud.latency import US_EAST_1, Latency
from serverless_dist.cloud.latency_fit import fit, quantile
from serverless_dist.errors import UsageError

SEEDS = [1, 2]
LATENCIES = [
    name
    for name in US_EAST_1.to_dict()
    if isinstance(getattr(US_EAST_1, name), Latency)
]


def drawn(true: Latency, seed: int, count: int = 2_000) -> list[float]:
    chances = random.Random(seed)
    return [true.at(chances.gauss(0, 1)) for _ in range(count)]


@pytest.mark.parametrize("seed", SEEDS, ids=[f"seed{seed}" for seed in SEEDS])
@settings(max_examples=12, derandomize=True, deadline=None)
@given(
    floor=st.floats(0, 0.05), middle=st.floats(0.001, 0.05), sigma=st.floats(0.1, 1.3)
)
def test_quantiles_come_back(
    seed: int, floor: float, middle: float, sigma: float
) -> None:
    true = Latency(floor, middle, sigma)
    samples = drawn(true, seed)
    found = fit(samples)
    # Of 2,000 samples, the quantiles themselves are some percent off.
    assert found.typical == pytest.approx(true.typical, rel=0.1)
    assert found.quantile(0.95) == pytest.approx(true.quantile(0.95), rel=0.2)
    assert found.quantile(0.99) == pytest.approx(true.quantile(0.99), rel=0.4)
    assert 0 <= found.floor <= min(samples) + 1e-7


@pytest.mark.parametrize("seed", SEEDS, ids=[f"seed{seed}" for seed in SEEDS])
@pytest.mark.parametrize("name", LATENCIES)
def test_the_published_profile_comes_back(name: str, seed: int) -> None:
    true: Latency = getattr(US_EAST_1, name)
    found = fit(drawn(true, seed, 10_000))
    assert found.floor == pytest.approx(true.floor, rel=0.25)
    assert found.sigma == pytest.approx(true.sigma, rel=0.25)
    for share in (0.05, 0.5, 0.95, 0.99):
        assert found.quantile(share) == pytest.approx(true.quantile(share), rel=0.1)


@pytest.mark.parametrize("seed", SEEDS, ids=[f"seed{seed}" for seed in SEEDS])
def test_a_few_outliers_move_nothing(seed: int) -> None:
    samples = drawn(US_EAST_1.s3_get, seed)
    found = fit(samples)
    spoilt = fit([*samples, *[10.0] * 20])
    assert spoilt.typical == pytest.approx(found.typical, rel=0.05)
    assert spoilt.quantile(0.95) == pytest.approx(found.quantile(0.95), rel=0.15)


@pytest.mark.parametrize(
    ("samples", "found"),
    [
        ([0.004], Latency(0, 0.004, 0)),
        ([0.004] * 9, Latency(0, 0.004, 0)),
        ([0.0] * 9, Latency(0, 0, 0)),
        ([-1.0] * 9, Latency(0, 0, 0)),
        ([0.0] * 6 + [0.1] * 3, Latency(0, 0, 0)),
    ],
    ids=["one", "equal", "none", "negative", "most-none"],
)
def test_what_has_no_spread_is_itself(samples: list[float], found: Latency) -> None:
    assert fit(samples) == found


def test_what_is_skewed_to_the_left_has_no_floor() -> None:
    found = fit([0.001, 0.009, 0.010, 0.010, 0.011])
    assert found.floor == 0
    assert found.typical == pytest.approx(0.010)


def test_the_order_does_not_matter() -> None:
    samples = drawn(US_EAST_1.sqs_send, 7)
    assert fit(samples) == fit(sorted(samples)) == fit(samples[::-1])


def test_no_samples_are_refused() -> None:
    with pytest.raises(UsageError, match="from no samples"):
        fit([])


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 3), (1.0, 5)])
def test_quantiles_stay_within_the_samples(share: float, value: float) -> None:
    assert quantile([1, 2, 3, 4, 5], share) == value
