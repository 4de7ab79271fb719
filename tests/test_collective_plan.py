"""Plans of collectives: what can be, what is best, what a run would take."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from serverless_dist.cli import main
from serverless_dist.comm.algorithms import CANDIDATES, choose
from serverless_dist.errors import UsageError
from serverless_dist.plan.collectives import SERVICES, Circumstances, plan_collective
from serverless_dist.plan.options import Mark, Option, Plan

GIVEN = Circumstances()


def option_of(plan: Plan, algorithm: str, channel: str) -> Option:
    (found,) = (
        each
        for each in plan.options
        if (each.strategy, each.channel) == (algorithm, channel)
    )
    return found


@pytest.mark.parametrize("collective", CANDIDATES)
def test_every_algorithm_is_looked_at_on_every_channel(collective: str) -> None:
    plan = plan_collective(collective, 6, 1_000, GIVEN)
    names = {(each.strategy, each.channel) for each in plan.options}
    wanted = {(a.name, c) for a in CANDIDATES[collective] for c in SERVICES}
    assert names == wanted
    assert len({each.name for each in plan.options}) == len(plan.options)


def test_recommended_is_what_costs_the_least_with_the_time_of_all_ranks() -> None:
    plan = plan_collective("allreduce", 16, 8, GIVEN)
    best = plan.marked(Mark.RECOMMENDED)
    assert best.dollars == min(each.dollars for each in plan.feasible)
    assert best is plan.marked(Mark.CHEAPEST)
    fastest = plan.marked(Mark.FASTEST)
    assert fastest.seconds == min(each.seconds for each in plan.feasible)
    assert "seconds of all ranks" in best.why


@pytest.mark.parametrize("channel", SERVICES)
def test_what_a_run_takes_is_marked(channel: str) -> None:
    plan = plan_collective("allgather", 8, 100, GIVEN, channels=[channel])
    chosen = choose("allgather", ranks=8, nbytes=100, channel=channel, vector=True)
    assert plan.marked(Mark.CHOSEN).strategy == chosen.name


def test_a_choice_that_the_simulation_would_not_make_is_told() -> None:
    """The closed form takes all of a vector's messages to be alike."""
    plan = plan_collective("allreduce", 64, 1_000_000, GIVEN, channels=["object"])
    chosen = plan.marked(Mark.CHOSEN)
    best = plan.marked(Mark.CHEAPEST)
    assert chosen.dollars > 1.2 * best.dollars
    assert f"simulated, {best.strategy}" in chosen.why


def test_what_needs_a_power_of_two_says_so() -> None:
    plan = plan_collective("allgather", 6, 100, GIVEN)
    doubling = option_of(plan, "recursive_doubling", "queue")
    assert doubling.reason == "needs a power of two ranks, not 6"
    assert not doubling.marks


def test_what_needs_arrays_says_so() -> None:
    plan = plan_collective("allreduce", 8, 100, replace(GIVEN, objects=True))
    assert option_of(plan, "ring", "queue").reason == "needs arrays, not objects"
    assert plan.marked(Mark.CHOSEN).strategy not in {"ring", "rabenseifner"}


def test_what_does_not_fit_a_function_says_so() -> None:
    given = replace(GIVEN, memory_mb=1_769)
    with pytest.raises(
        UsageError, match=r"a rank needs 1[0-9],[0-9]* MB of memory: no"
    ):
        plan_collective("gather", 100_000, 200_000, given)
    with pytest.raises(UsageError, match=r"a rank needs 2,[0-9]* MB of memory;"):
        plan_collective("gather", 2_000, 1_000_000, given)


def test_closed_forms_are_marked() -> None:
    plan = plan_collective("alltoall", 4_096, 8, GIVEN, channels=["queue"])
    posted = option_of(plan, "posted", "queue")
    assert posted.choices["method"] == "closed form"
    assert posted.name == "posted, queue, closed form"


def test_a_plan_survives_json() -> None:
    plan = plan_collective("scan", 5, 8, GIVEN)
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def tell(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run the command in this process; return exit code, output and errors."""
    try:
        code = main(["plan", *arguments])
    except SystemExit as error:  # argparse's
        code = error.code if isinstance(error.code, int) else 1
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_command_shows_and_writes_a_plan(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "plan.json"
    page = tmp_path / "plan.html"
    question = ("allreduce", "--ranks", "8", "--bytes", "1MB", "--seed", "3")
    files = ("--json", str(path), "--html", str(page), "--region", "us-east-1")
    code, out, err = tell(capsys, *question, *files)
    assert (code, err) == (0, f"Written: {path}, {page}\n")
    plan = Plan.from_dict(json.loads(path.read_text()))
    assert plan.question["seed"] == 3
    assert plan.region == "us-east-1"
    assert "recommended" in out
    assert plan.marked(Mark.RECOMMENDED).strategy in out
    assert max(map(len, out.splitlines())) <= 80
    assert "<html" in page.read_text()[:200].lower()


@pytest.mark.parametrize("collective", CANDIDATES)
def test_the_command_knows_every_collective(
    capsys: pytest.CaptureFixture[str], collective: str
) -> None:
    code, out, _ = tell(capsys, collective, "--ranks", "4", "--channel", "hybrid")
    assert code == 0
    assert "chosen" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("alreduce",), "invalid choice: 'alreduce'"),
        (("bcast", "--channel", "smoke"), "invalid choice: 'smoke'"),
        (("bcast", "--profile", "mars"), "there is no profile 'mars'"),
        (("bcast", "--region", "mars"), "'mars' is no region"),
        (("bcast", "--ranks", "0"), "--ranks is 0: give a number from 1"),
        (("bcast", "--bytes", "lots"), "--bytes is 'lots': write a size"),
        (("bcast", "--memory", "64"), "--memory is 64: a function has 128 to"),
        (("bcast", "--seed", "-1"), "--seed is -1: give 0 or more"),
        (("bcast", "--json", "/nowhere/plan"), "cannot write /nowhere/plan"),
        (("reduce_scatter", "--objects"), "no option can be done"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    code, _, err = tell(capsys, *arguments)
    assert code == 2
    assert told in err
    assert "Traceback" not in err
