"""The commands as a user types them."""

import json
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from serverless_dist.cli import main
from serverless_dist.runtime.channels import CHANNELS

ROOT = Path(__file__).parent.parent
SMALL = ["infer", "--layers", "12", "--samples", "200"]
COMMAND = [sys.executable, "-m", "serverless_dist"]


def tell(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run the command in this process; return exit code, output and errors."""
    try:
        code = main(arguments)
    except SystemExit as error:  # argparse's
        code = error.code if isinstance(error.code, int) else 1
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize("channel", CHANNELS)
def test_infer_says_how_many_categories_and_what_they_cost(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, channel: str
) -> None:
    report, output = tmp_path / "report.json", tmp_path / "ids.tsv"
    files = ["--json", str(report), "--output", str(output)]
    code, out, err = tell(capsys, *SMALL, "--ranks", "3", "--channel", channel, *files)
    assert (code, err) == (0, "")
    summary = json.loads(report.read_text())
    ids = [int(line) for line in output.read_text().splitlines()]
    assert summary["categories"] == len(ids) > 0
    assert 1 <= min(ids) <= max(ids) <= 200
    assert f"{len(ids)} categories, the same as one process finds" in out
    wanted = {"ranks": 3, "channel": channel, "cloud": "local", "matches_serial": True}
    wanted |= {"neurons": 1024, "layers": 12, "samples": 200}
    assert {key: summary[key] for key in wanted} == wanted
    assert summary["seconds"] > 0
    assert summary["bytes"]["sent"] > 0
    assert set(summary["dollars"]) == {"sns", "sqs", "s3", "lambda", "total"}
    assert summary["billed"].keys() >= summary["requests"].keys()
    assert [phases["rank"] for phases in summary["phases"]] == [0, 1, 2]
    assert summary["phases"][0].keys() >= {"compute", "send", "wait"}


def test_one_rank_sends_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    code, _, _ = tell(capsys, *SMALL, "--ranks", "1", "--json", str(report))
    assert code == 0
    assert "sns:PublishBatch" not in json.loads(report.read_text())["requests"]


def test_a_piped_command_prints_nothing_but_the_result() -> None:
    done = subprocess.run(
        [*COMMAND, *SMALL, "--ranks", "2", "--no-check"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert "categories, not compared with one process" in done.stdout


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_closed_standard_descriptors_do_no_harm(
    tmp_path: Path, closed: tuple[int, ...]
) -> None:
    report = tmp_path / "report.json"
    command = [*COMMAND, *SMALL, "--ranks", "2", "--json", os.fspath(report)]
    shell = " ".join(f"{descriptor}<&-" for descriptor in closed)
    line = f"exec {shlex.join(command)} {shell}"
    assert subprocess.run(["sh", "-c", line], stdout=subprocess.DEVNULL).returncode == 0
    assert json.loads(report.read_text())["matches_serial"] is True


def test_a_terminal_sees_progress() -> None:
    main_end, command_end = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *SMALL, "--ranks", "2", "--no-check"],
        stdout=subprocess.PIPE,
        stderr=command_end,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(command_end)
    with process:
        seen = b""
        while select.select([main_end], [], [], 60)[0]:
            try:
                seen += os.read(main_end, 1_000)
            except OSError:  # the other end is closed
                break
    os.close(main_end)
    assert b"Layers" in seen
    assert b"12/12" in seen


def test_run_runs_a_script_as_ranks(capfd: pytest.CaptureFixture[str]) -> None:
    script = str(ROOT / "examples" / "allreduce.py")
    code, out, err = tell(capfd, "run", "-n", "4", script)
    assert (code, err) == (0, "")
    assert out == "ranks [0, 1, 2, 3] have added up to [10. 10. 10.]\n"


def test_a_script_gets_its_arguments_and_its_neighbours(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "neighbour.py").write_text("NAME = 'neighbour'\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, neighbour\n"
        "from serverless_dist import MPI\n"
        "if MPI.COMM_WORLD.rank == 1:\n"
        "    print(__name__, neighbour.NAME, *sys.argv[1:])\n"
    )
    report = tmp_path / "report.json"
    options = ["-n", "2", "--channel", "direct", "--json", str(report)]
    code, out, _ = tell(capfd, "run", *options, str(script), "-x", "--json", "y")
    assert (code, out) == (0, "__main__ neighbour -x --json y\n")
    assert json.loads(report.read_text())["ranks"] == 2


def test_a_script_that_fails_shows_its_own_traceback(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from serverless_dist import MPI\n"
        "if MPI.COMM_WORLD.rank == 1:\n"
        "    1 / 0\n"
        "MPI.COMM_WORLD.recv(source=1)\n"
    )
    code, _, err = tell(capfd, "run", "-n", "3", str(script))
    assert code == 1
    assert "rank 1 raised ZeroDivisionError: division by zero" in err
    assert "script.py" in err
    assert "line 3, in <module>" in err
    assert "runpy" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["infer", "--neurons", "1000"], "there is no network of 1000 neurons"),
        (["infer", "--layers", "0"], "0 layers"),
        (["infer", "--samples", "0"], "0 samples"),
        (["infer", "--samples", "10001"], "10001 samples"),
        (["infer", "--ranks", "1025"], "1024 neurons cannot be split over 1025 ranks"),
        (["infer", "--ranks", "0"], "0 ranks"),
        (["infer", "--channel", "smoke"], "invalid choice: 'smoke'"),
        (["infer", "--cloud", "nine"], "invalid choice: 'nine'"),
        (["infer", "--data", "/nowhere"], "there is no directory /nowhere"),
        (["infer", "--output", "/nowhere/ids"], "there is no directory /nowhere"),
        (["infer", "--json", "/"], "it is a directory"),
        (["infer", "--seed", "-1"], "cannot start random numbers from -1"),
        (["infer", "--timeout", "0"], "cannot run for 0.0 s"),
        (["run", "nowhere.py"], "there is no script nowhere.py"),
        (["run", "-n", "x", "nowhere.py"], "invalid int value"),
        ([], "required"),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    code, out, err = tell(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["infer", "run", "algorithms"])
def test_help_names_all_commands_and_the_options_of_one(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    code, out, err = tell(capsys, "--help")
    assert (code, err) == (0, "")
    assert f"    {command}" in out
    code, out, err = tell(capsys, command, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: serverless-dist {command}")
    assert "--json FILE" in out


def test_an_algorithm_that_does_not_exist_is_refused_before_ranks_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVERLESS_DIST_ALLREDUCE", "rung")
    monkeypatch.setattr(subprocess, "Popen", None)  # so nothing can be started
    code, out, err = tell(capsys, "run", __file__)
    assert (code, out) == (2, "")
    assert "there is no algorithm 'rung' for allreduce: use one of" in err
    assert "Traceback" not in err


def test_a_malformed_file_is_named_with_its_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "n1024-l1.tsv").write_text("1\t2\t0.0625\n1\tx\t0.0625\n")
    (tmp_path / "sparse-images-1024.tsv").write_text("1\t2\t1\n")
    options = ["--data", str(tmp_path), "--layers", "1", "--samples", "1"]
    code, out, err = tell(capsys, "infer", *options)
    assert (code, out) == (2, "")
    assert "n1024-l1.tsv" in err
    assert "line 2" in err
    assert "Traceback" not in err


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = tell(capsys, "infer", "--neurons", "1000", "--debug")
    assert "Traceback" in err
    assert err.endswith("1024, 4096, 16384, 65536\n")


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_command_leaves_nothing(
    tmp_path: Path, how: signal.Signals, code: int
) -> None:
    fifo, temporary, script = tmp_path / "pid", tmp_path / "tmp", tmp_path / "script.py"
    os.mkfifo(fifo)
    temporary.mkdir()
    script.write_text(
        "import os, signal\n"
        f"with open({os.fspath(fifo)!r}, 'w') as file:\n"
        "    file.write(str(os.getpid()))\n"
        "signal.pause()\n"
    )
    command = subprocess.Popen(
        [*COMMAND, "run", "-n", "1", os.fspath(script)],
        env={**os.environ, "TMPDIR": os.fspath(temporary)},
        stderr=subprocess.PIPE,
    )
    descriptor = os.pidfd_open(int(fifo.read_text()))
    with command:
        command.send_signal(how)
        assert command.wait() == code
        assert command.stderr is not None
        assert b"Traceback" not in command.stderr.read()
    poller = select.poll()
    poller.register(descriptor)
    assert poller.poll(0)
    os.close(descriptor)
    assert list(temporary.iterdir()) == []
