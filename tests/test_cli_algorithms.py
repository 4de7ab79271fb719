"""``serverless-dist algorithms`` as a user types it."""

import json
from pathlib import Path

import pytest

from serverless_dist.cli import main
from serverless_dist.cli.algorithms import parse_size
from serverless_dist.comm.algorithms import CANDIDATES
from serverless_dist.errors import UsageError
from serverless_dist.runtime.channels import CHANNELS


def tell(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run the command in this process; return exit code, output and errors."""
    code = main(["algorithms", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_every_candidate_is_shown_on_every_channel(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = tell(capsys, "allreduce", "--ranks", "64", "--bytes", "1MB")
    assert (code, err) == (0, "")
    assert "allreduce among 64 ranks, 1.0 MB" in out
    assert out.count("chosen") >= len(CHANNELS)
    for algorithm in CANDIDATES["allreduce"]:
        assert out.count(algorithm.name) == 1 + len(CHANNELS)


@pytest.mark.parametrize("collective", CANDIDATES)
def test_the_numbers_are_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, collective: str
) -> None:
    report = tmp_path / "report.json"
    options = ["--ranks", "6", "--channel", "queue", "--json", str(report)]
    assert tell(capsys, collective, *options, "--objects")[0] == 0
    summary = json.loads(report.read_text())
    assert summary["collective"] == collective
    assert (summary["ranks"], summary["bytes"]) == (6, 1_000)
    assert summary["algorithms"][0].keys() >= {"rounds", "messages", "bytes", "posts"}
    (rows,) = summary["channels"].values()
    assert [row["name"] for row in rows] == [a.name for a in CANDIDATES[collective]]
    (chosen,) = (row for row in rows if row["chosen"])
    assert chosen["note"] == ""
    assert chosen["seconds"] > 0
    assert chosen["dollars"] > chosen["request_dollars"] > 0
    for row, algorithm in zip(rows, CANDIDATES[collective], strict=True):
        is_ruled_out = (
            algorithm.needs_vector or algorithm.needs_power or algorithm.is_linear
        )
        assert bool(row["note"]) == is_ruled_out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["shout"], "there is no collective 'shout': use one of barrier, bcast"),
        (["bcast", "--ranks", "0"], "--ranks is 0: give a number from 1 to 1,000,000"),
        (["bcast", "--ranks", "1000001"], "--ranks is 1000001: give a number from"),
        (["bcast", "--bytes", "1XB"], "--bytes is '1XB': write a size as 8, 64KiB"),
        (["bcast", "--json", "/nowhere/file"], "there is no directory /nowhere"),
    ],
)
def test_a_mistake_is_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    code, out, err = tell(capsys, *arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("8B", 8), (" 2 KB ", 2_000), ("2kib", 2_048), (".5M", 500_000)],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "-1", "1e6", "KB", "1.B", "1iB", "9" * 16, "nan"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write a size as 8, 64KiB or 1MB"):
        parse_size(text)
