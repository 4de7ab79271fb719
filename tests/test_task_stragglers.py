"""When attempts are late, against a median of a list."""

from statistics import median

import hypothesis.strategies as st
import pytest
from hypothesis import given

from serverless_dist.tasks.stragglers import Stragglers

SECONDS = st.floats(0.0, 100.0) | st.sampled_from([0.0, 0.02, 1.0])


@given(st.lists(SECONDS, max_size=200))
def test_late_is_twice_the_median_of_the_last_64(durations: list[float]) -> None:
    stragglers = Stragglers()
    for count, seconds in enumerate(durations, 1):
        stragglers.finished(b"code", seconds)
        last = durations[max(0, count - 64) : count]
        expected = max(0.05, 2 * median(last)) if count >= 3 else None
        assert stragglers.when_late(b"code") == expected


@pytest.mark.parametrize("count", [0, 1, 2])
def test_nothing_is_late_before_three_have_ended(count: int) -> None:
    stragglers = Stragglers()
    for _ in range(count):
        stragglers.finished(b"code", 1.0)
    assert stragglers.when_late(b"code") is None


def test_nothing_is_late_within_50_milliseconds() -> None:
    stragglers = Stragglers()
    for _ in range(3):
        stragglers.finished(b"code", 0.001)
    assert stragglers.when_late(b"code") == 0.05


def test_codes_do_not_know_of_each_other() -> None:
    stragglers = Stragglers()
    for _ in range(3):
        stragglers.finished(b"fast", 0.1)
        stragglers.finished(b"slow", 10.0)
    assert stragglers.when_late(b"fast") == 0.2
    assert stragglers.when_late(b"slow") == 20.0
    assert stragglers.when_late(b"new") is None
