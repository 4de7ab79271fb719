"""Each example as its docstring says to run it, on two channels."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_task_examples import LINES as TASKS

EXAMPLES = Path(__file__).parent.parent / "examples"
# What an example prints; braces hold what depends on the ranks.
LINES = {
    "ring": "the token visited {ranks}, every item adds up to {total}",
    "pi": "3.141592653590 from 1,000,000 rectangles",
    "matrix_vector": "the largest eigenvalue of 203 rows is 202.924477",
    "parallel_sort": "{numbers:,} numbers are in order",
    "k_means": "start 2 is best, mean squared distance 1.879303",
    "conjugate_gradient": "{points} points solved in {steps} steps",
    "heat_stencil": "after 40 steps the mean is 4.904272",
}


def line(name: str, size: int) -> str:
    """Return what the example prints on `size` ranks."""
    text = LINES[name].format(
        ranks=list(range(size)),
        total=size * (size + 1) // 2,
        numbers=20_000 * size,
        points=20 * size,
        steps=10 * size,
    )
    return f"{name}: {text}\n"


def run_example(
    name: str, size: int, channel: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    ranks = ["-n", str(size), "--channel", channel, "--timeout", "60"]
    script = str(EXAMPLES / f"{name}.py")
    command = [sys.executable, "-m", "serverless_dist", "run", *ranks, script]
    return subprocess.run([*command, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("size", "channel"), [(1, "direct"), (4, "direct"), (3, "queue")]
)
@pytest.mark.parametrize("name", LINES)
def test_an_example_finds_its_answer(name: str, size: int, channel: str) -> None:
    done = run_example(name, size, channel)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == line(name, size)


def test_every_example_is_run() -> None:
    scripts = {path.stem for path in EXAMPLES.glob("*.py")}
    assert scripts == {*LINES, *TASKS, "allreduce"}  # test_cli.py runs that one


def test_an_example_takes_the_size_of_its_problem() -> None:
    done = run_example("conjugate_gradient", 2, "direct", "7")
    assert done.stdout == "conjugate_gradient: 14 points solved in 7 steps\n"


def test_an_example_that_cannot_work_says_so_and_fails() -> None:
    done = run_example("heat_stencil", 3, "direct", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "1 cells are too few for [3, 1] ranks" in done.stderr
