"""``serverless-dist simulate``: scripts as ranks in virtual time."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from serverless_dist.runtime import Report

SCRIPT = """
import sys
from dataclasses import dataclass
from mpi4py import MPI
from beside import half

@dataclass
class Thing:
    rank: int

comm = MPI.COMM_WORLD
things = comm.gather(Thing(comm.rank), root=0)
if comm.rank == 0:
    assert all(isinstance(thing, Thing) for thing in things)
    print(half(sum(thing.rank for thing in things)), sys.argv[1:], __name__)
"""


def simulated(
    directory: Path, *arguments: str, script: str = SCRIPT
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own: it changes `sys`."""
    (directory / "script.py").write_text(script)
    (directory / "beside.py").write_text("def half(n): return n / 2\n")
    command = [sys.executable, "-m", "serverless_dist", "simulate", *arguments]
    return subprocess.run(
        command, cwd=directory, capture_output=True, text=True, check=False
    )


def test_a_script_runs_as_ranks_and_the_report_says_what_it_took(
    tmp_path: Path,
) -> None:
    done = simulated(tmp_path, "-n", "9", "--compute", "given", "script.py", "-x", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "18.0 ['-x', '1'] __main__\n"
    assert "9 ranks, queue channel, simulated with profile us-east-1" in done.stderr


def test_the_report_the_page_and_the_trace_are_written(tmp_path: Path) -> None:
    done = simulated(
        tmp_path,
        *("-n", "4", "--channel", "hybrid", "--seed", "3", "--memory", "3538"),
        *("--json", "run.json", "--html", "run.html", "--trace", "trace.json"),
        "script.py",
    )
    assert done.returncode == 0, done.stderr
    report = Report.from_dict(json.loads((tmp_path / "run.json").read_text()))
    assert (report.ranks, report.cloud, report.memory_mb) == (4, "simulated", 3_538)
    assert report.simulation is not None
    assert report.simulation["seed"] == 3
    assert (tmp_path / "run.html").read_text().startswith("<!DOCTYPE html>")
    trace = json.loads((tmp_path / "trace.json").read_text())
    assert {event["tid"] for event in trace["traceEvents"]} == {0, 1, 2, 3}


def test_it_says_who_waits_for_whom_for_ever(tmp_path: Path) -> None:
    script = "from mpi4py import MPI\nMPI.COMM_WORLD.recv(source=MPI.COMM_WORLD.rank-1)"
    done = simulated(tmp_path, "-n", "3", "script.py", script=script)
    assert done.returncode == 1
    assert "rank 2 waits for any tag from rank 1" in done.stderr


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_ends_ranks_that_never_wait(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    script = """
import sys
print("begun", flush=True)
while True:
    try:
        sum(range(1000))
    except Exception:
        pass
"""
    (tmp_path / "script.py").write_text(script)
    command = [sys.executable, "-m", "serverless_dist", "simulate", "script.py"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(number)
        _, errors = process.communicate()
    assert process.returncode == code
    assert b"Traceback" not in errors


@pytest.mark.parametrize(
    ("script", "code", "text"),
    [
        ("import sys; sys.exit(7)", 7, "exited with code 7"),
        ("import sys; sys.exit(0)", 0, ""),
        ("1 / 0", 1, "ZeroDivisionError: division by zero"),
        ("def", 1, "SyntaxError"),
    ],
)
def test_a_script_that_fails_is_told_of(
    tmp_path: Path, script: str, code: int, text: str
) -> None:
    done = simulated(tmp_path, "-n", "2", "script.py", script=script)
    assert done.returncode == code
    assert text in done.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["missing.py"], "there is no script missing.py"),
        (["--profile", "mars", "script.py"], "there is no profile 'mars'"),
        (["--channel", "direct", "script.py"], "invalid choice: 'direct'"),
        (["-n", "0", "script.py"], "cannot run 0 ranks"),
        (["--memory", "1", "script.py"], "ask for 128 to 10240"),
        (["--region", "typo", "script.py"], "'typo' is no region of AWS"),
        (["--region", "eu-nowhere-9", "script.py"], "no prices of eu-nowhere-9"),
        (["--json", "no/such/file", "script.py"], "there is no directory"),
        (["--json", "script.py", "script.py"], "would be written over"),
        (["--json", "a", "--html", "a", "script.py"], "would be written over"),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, arguments: list[str], text: str
) -> None:
    done = simulated(tmp_path, *arguments)
    assert done.returncode == 2
    assert text in done.stderr


@pytest.mark.parametrize("debug", [False, True], ids=["plain", "debug"])
def test_without_greenlet_one_is_told_what_to_install(
    tmp_path: Path, *, debug: bool
) -> None:
    arguments = ["simulate", *["--debug"][:debug], "script.py"]
    code = f"""
import sys
sys.modules["greenlet"] = None
from serverless_dist.cli import main
sys.exit(main({arguments}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install 'serverless_dist[plan]'" in done.stderr
    assert ("Traceback" in done.stderr) == debug
