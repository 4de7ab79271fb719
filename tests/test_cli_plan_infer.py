"""``serverless-dist plan infer`` as a user types it."""

import argparse
import json
from pathlib import Path

import pytest

from serverless_dist.cli import plan_infer
from serverless_dist.errors import DataFileError, UsageError
from serverless_dist.plan.options import Mark, Plan

SMALL = ("--ranks", "1,2,8", "--memory", "1769,10240")


def tell(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run the command in this process; return what it prints."""
    parser = argparse.ArgumentParser()
    plan_infer.set_up(parser)
    options = parser.parse_args([*arguments, "--region", "us-east-1"])
    options.command(options)
    return capsys.readouterr().out


def planned(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> Plan:
    path = folder / "plan.json"
    tell(capsys, *arguments, "--json", str(path))
    return Plan.from_dict(json.loads(path.read_text()))


def test_the_table_shows_what_stands_out(capsys: pytest.CaptureFixture[str]) -> None:
    out = tell(capsys, *SMALL)
    assert "1,024 neurons x 120 layers, 10,000 samples" in out
    for word in ("recommended", "cheapest", "fastest", "rows, 2", "published, 8"):
        assert word in out
    assert len(out.splitlines()) < 80


def test_a_strategy_that_cannot_be_is_shown_with_what_it_needs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tell(capsys, "--neurons", "65536", "--layers", "1920", "--ranks", "1,16")
    out = " ".join(out.split())
    assert "cannot be: needs" in out
    assert "serial" in out


def test_all_shows_every_option(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    few = planned(capsys, tmp_path, *SMALL)
    every = planned(capsys, tmp_path, *SMALL, "--all")
    assert len(every.options) > 2 * len(few.options)
    assert {each.name for each in few.options} <= {each.name for each in every.options}


def test_a_deadline_and_a_budget_change_what_is_recommended(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ("--neurons", "4096", "--strategy", "serial,samples", *SMALL)
    as_a_rule = planned(capsys, tmp_path, *arguments).marked(Mark.RECOMMENDED)
    cheap = planned(capsys, tmp_path, *arguments, "--within", "60")
    fast = planned(capsys, tmp_path, *arguments, "--budget", "1")
    assert cheap.marked(Mark.RECOMMENDED).dollars < as_a_rule.dollars
    assert fast.marked(Mark.RECOMMENDED).seconds < as_a_rule.seconds
    assert fast.question["budget"] == 1


def test_warm_functions_are_faster(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    cold = planned(capsys, tmp_path, *SMALL)
    warm = planned(capsys, tmp_path, *SMALL, "--warm")
    fastest = Mark.FASTEST
    assert warm.marked(fastest).seconds < cold.marked(fastest).seconds


def test_a_slower_vcpu_is_reckoned_with(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plan = planned(capsys, tmp_path, *SMALL, "--edges-per-second", "1e9")
    assert plan.question["edges_per_second"] == 1e9


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--strategy", "luck"], "there is no strategy 'luck': use one or more of"),
        (["--channel", "direct"], "there is no channel 'direct'"),
        (["--ranks", "many"], "there is no number of ranks 'many'"),
        (["--ranks", "0"], "0 ranks cannot run at a time"),
        (["--strategy", "samples", "--ranks", "1001"], "an account has 1,000"),
        (["--memory", "64"], "a function cannot have 64 MB"),
        (["--profile", "moon"], "there is no profile 'moon'"),
        (["--neurons", "1000"], "there is no network of 1000 neurons"),
        (["--layers", "0"], "0 layers is not offered"),
        (["--samples", "0"], "0 samples cannot be"),
        (["--within", "0"], "give more than 0"),
        (["--within", "0.01"], "no option keeps to 0.01 s: the fastest"),
        (["--edges-per-second", "-1"], "cannot multiply -1 edges a second"),
        (["--json", "/nowhere/plan.json"], "cannot write /nowhere/plan.json"),
        (["--activity", "/nowhere"], "cannot read /nowhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        tell(capsys, "--memory", "1769", *arguments)


def test_prices_of_a_region_that_is_not_known_are_refused() -> None:
    parser = argparse.ArgumentParser()
    plan_infer.set_up(parser)
    options = parser.parse_args(["--region", "moon-1"])
    with pytest.raises(UsageError, match="moon-1"):
        options.command(options)


LAYER = {
    "live": 0.5,
    "nonzero": 0.5,
    "distinct": 1.0,
    "fixed": [0.0, 0.0],
    "per_sample": [100.0, 1.0],
}


def test_a_network_that_is_not_of_the_challenge_is_told_by_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "activity.json"
    values = {"neurons": 3_000, "parts": [1, 100], "layers": [LAYER]}
    path.write_text(json.dumps({**values, "edges_per_row": 64}))
    out = tell(capsys, "--activity", str(path), "--layers", "10", *SMALL)
    assert "3,000 neurons x 10 layers" in out
    assert "rows, 2" in out


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"neurons": 3_000, "parts": [1, 100]}, "has no 'layers'"),
        ({"neurons": 3_000, "parts": [0, 1], "layers": [LAYER]}, "division by zero"),
        ({"neurons": 9, "parts": [1], "layers": [LAYER]}, "two numbers for each size"),
        (
            {"neurons": 9, "parts": [1, 2], "layers": [{**LAYER, "live": 7}]},
            "the share live behind a layer is 7",
        ),
        ([], "does not say what layers do"),
    ],
    ids=range(5),
)
def test_a_malformed_file_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, values: object, problem: str
) -> None:
    path = tmp_path / "activity.json"
    path.write_text(json.dumps(values))
    with pytest.raises(DataFileError, match=problem):
        tell(capsys, "--activity", str(path))
