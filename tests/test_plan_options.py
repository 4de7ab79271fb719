"""Which options of a plan stand out, and that plans survive being written."""

import json

import pytest

from serverless_dist.errors import UsageError
from serverless_dist.plan.digest import digest
from serverless_dist.plan.options import Mark, Option, Plan, judge

SIZES = (1, 2, 3, 13, 64)
JUDGED = (Mark.CHEAPEST, Mark.FASTEST, Mark.RECOMMENDED)


def option(
    name: str,
    seconds: float,
    dollars: float,
    *,
    strategy: str = "split",
    reason: str | None = None,
    needed_mb: int = 100,
) -> Option:
    return Option(
        name,
        strategy,
        "queue",
        4,
        1_769,
        seconds,
        dollars,
        lines={"lambda": dollars},
        requests={"sns:PublishBatch": 3},
        choices={"batch": 10, "needed_mb": needed_mb},
        reason=reason,
    )


def judged(*options: Option, **limits: float) -> dict[str, Option]:
    return {each.name: each for each in judge(options, **limits)}


def recommended(*options: Option, **limits: float) -> str:
    (found,) = (
        each.name for each in judge(options, **limits) if Mark.RECOMMENDED in each.marks
    )
    return found


SLOW, MIDDLE, FAST = option("slow", 9, 1), option("middle", 3, 2), option("fast", 2, 4)


def test_an_option_is_on_the_frontier_unless_another_is_as_fast_and_as_cheap() -> None:
    found = judged(SLOW, MIDDLE, FAST, option("worse", 9.5, 1), option("same", 3, 2))
    on_it = {name for name, each in found.items() if each.is_on_frontier}
    assert on_it == {"slow", "middle", "fast"}


def test_the_cheapest_the_fastest_and_the_least_product_are_marked() -> None:
    found = judged(SLOW, MIDDLE, FAST)
    assert found["slow"].marks == (Mark.CHEAPEST,)
    assert found["fast"].marks == (Mark.FASTEST,)
    assert found["middle"].marks == (Mark.RECOMMENDED,)


@pytest.mark.parametrize("size", SIZES)
def test_each_mark_is_given_once_and_to_an_option_on_the_frontier(size: int) -> None:
    options = [option(f"o{k}", 1 + k * 7 % size, 1 + k * 5 % size) for k in range(size)]
    for mark in JUDGED:
        (found,) = (each for each in judge(options) if mark in each.marks)
        assert found.is_on_frontier


def test_one_that_is_dominated_says_by_whom_and_how_much() -> None:
    why = judged(SLOW, MIDDLE, FAST, option("worse", 6, 8))["worse"].why
    assert why == "middle is 2 times faster and 4 times cheaper"


def test_with_a_deadline_the_cheapest_that_meets_it_is_recommended() -> None:
    assert recommended(SLOW, MIDDLE, FAST, within=100) == "slow"
    assert recommended(SLOW, MIDDLE, FAST, within=3) == "middle"
    assert recommended(SLOW, MIDDLE, FAST, within=2.9) == "fast"


def test_with_a_budget_the_fastest_that_keeps_to_it_is_recommended() -> None:
    assert recommended(SLOW, MIDDLE, FAST, budget=100) == "fast"
    assert recommended(SLOW, MIDDLE, FAST, budget=3) == "middle"
    assert recommended(SLOW, MIDDLE, FAST, within=5, budget=3) == "middle"


def test_limits_that_no_option_keeps_to_are_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no option keeps to 1 s and \$3: .*fast"):
        judge([SLOW, MIDDLE, FAST], within=1, budget=3)


@pytest.mark.parametrize("limits", [{"within": 0}, {"budget": -1}])
def test_a_limit_that_nothing_can_keep_is_refused(limits: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="give more than 0"):
        judge([SLOW], **limits)


def test_what_cannot_be_is_kept_with_its_reason_and_never_marked() -> None:
    found = judged(SLOW, option("impossible", 1, 0.1, reason="needs a moon"))
    assert not found["impossible"].is_feasible
    assert not found["impossible"].is_on_frontier
    assert found["impossible"].marks == ()
    assert found["slow"].marks == JUDGED


def test_a_plan_in_which_nothing_can_be_says_what_would_be_needed() -> None:
    with pytest.raises(UsageError, match=r"no option can be done: split: needs a moon"):
        judge([option("impossible", 1, 1, reason="needs a moon")])


def test_a_plan_is_read_back_as_it_was_written() -> None:
    options = judge([SLOW, MIDDLE, FAST, option("no", 1, 1, reason="needs a moon")])
    plan = Plan("title", {"ranks": 4}, "us-east-1", "us-east-1", options)
    written = json.loads(json.dumps(plan.to_dict()))
    assert written["kind"] == "plan"
    assert written["options"][0]["batch"] == 10
    assert Plan.from_dict(written) == plan


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "its kind is None"),
        ({"kind": "run"}, "its kind is 'run'"),
        ({"kind": "plan", "title": ""}, "has no 'question'"),
    ],
)
def test_what_is_no_plan_is_refused(values: dict[str, str], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        Plan.from_dict(values)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("strategy", None, "None is no text"),
        ("ranks", 1.5, "a count in it is 1.5"),
        ("seconds", "x", "'x' is no number"),
        ("dollars", -1, "a number in it is -1"),
        ("lines", 5, "5 is no object with fields"),
        ("requests", {"s3:PutObject": []}, r"\[\] is no number"),
        ("batch", {}, "{} is no number"),
        ("is_on_frontier", "no", "'no' is neither true nor false"),
        ("marks", "x", "'x' is no list"),
        ("marks", ["dearest"], "'dearest' is not a valid Mark"),
    ],
)
def test_an_option_of_which_a_field_is_wrong_is_refused(
    name: str, value: object, problem: str
) -> None:
    with pytest.raises(
        UsageError, match=f"this is no option of a plan: {name}: {problem}"
    ):
        Option.from_dict({**SLOW.to_dict(), name: value})


def test_an_option_with_a_field_missing_is_refused() -> None:
    values = SLOW.to_dict()
    del values["seconds"]
    with pytest.raises(UsageError, match="no option of a plan: it has no 'seconds'"):
        Option.from_dict(values)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("title", 5, "5 is no text"),
        ("question", [], r"question: \[\] is no object with fields"),
        ("question", {"ranks": []}, r"question: ranks: \[\] is no number"),
        ("options", 5, "5 is no list"),
        ("options", [5], "5 is no object with fields"),
    ],
)
def test_a_plan_of_which_a_field_is_wrong_is_refused(
    name: str, value: object, problem: str
) -> None:
    plan = Plan("title", {}, "us-east-1", "us-east-1", (SLOW,))
    with pytest.raises(UsageError, match=f"this is no .*: {problem}"):
        Plan.from_dict({**plan.to_dict(), name: value})


def test_a_digest_keeps_the_best_of_each_strategy_and_the_nearest_impossible() -> None:
    options = judge(
        [
            SLOW,
            option("worse", 10, 5),
            option("other", 12, 6, strategy="other"),
            option("big", 1, 1, strategy="no", reason="needs more", needed_mb=900),
            option("less", 1, 1, strategy="no", reason="needs less", needed_mb=800),
        ]
    )
    kept = digest(Plan("", {}, "", "", options)).options
    assert [each.name for each in kept] == ["slow", "other", "less"]
