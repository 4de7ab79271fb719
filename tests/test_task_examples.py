"""Each example of remote tasks as its docstring says to run it, here and emulated."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
# What an example prints.
LINES = {
    "monte_carlo": "the 9-ball's volume is 3.283, 850,000 points",
    "map_reduce_wordcount": "w0 comes 7,114 times in 60,000 words",
    "parameter_sweep": "3 steps arrived, the short ones were cancelled, the data came"
    " when asked 3 times",
    "actor_parameter_server": "40 gradients from 2 workers, all fits",
}


def run_example(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("name", LINES)
def test_an_example_of_tasks_finds_its_answer(name: str) -> None:
    done = run_example(name)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{name}: {LINES[name]}\n"


@pytest.mark.parametrize("name", LINES)
def test_an_example_of_tasks_finds_its_answer_on_an_emulated_cloud(
    name: str, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "SERVERLESS_DIST_ENDPOINT", moto_endpoint)
    done = run_example(name, "--cloud", "emulated")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{name}: {LINES[name]}\n"
