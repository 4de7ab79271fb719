"""The command that shows what a run took, and the files that runs write."""

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from serverless_dist import Report
from serverless_dist.cloud import Usage
from serverless_dist.runtime.control import Phases
from tests import documents, reports
from tests.deployed import tell

Capture = pytest.CaptureFixture[str]
WIDTH = 80


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))


def made_up(ranks: int) -> Report:
    """A report with large numbers, so that every column is as wide as it gets."""
    random = Random(ranks)
    operations = [
        *("sns:PublishBatch", "sns:Delivery", "sqs:SendMessageBatch"),
        *("sqs:ReceiveMessage", "sqs:DeleteMessageBatch", "s3:PutObject"),
        *("s3:ListObjectsV2", "s3:GetObject", "s3:DeleteObjects", "lambda:Invoke"),
    ]
    counts = {name: random.randrange(10**6, 10**7) for name in operations}
    return reports.made_up(
        job="ab" * 16,
        ranks=ranks,
        channel="hybrid",
        cloud="aws",
        seconds=123.456,
        usage=Usage(counts, counts, counts, counts, {"sqs:ReceiveMessage": 1_234}),
        memory_mb=10_240,
        phases=[Phases(1.0, 100.0 - rank % 7, 2.0, 20.0, 3.0) for rank in range(ranks)],
        dropped={"duplicate": 12, "foreign job": 3},
        traffic=[
            (source, dest, 1_000_000, random.randrange(10**12))
            for source in range(ranks)
            for dest in range(min(ranks, 3))
            if dest != source
        ],
    )


def written(report: Report, folder: Path) -> str:
    path = folder / "report.json"
    path.write_text(json.dumps(report.to_dict()))
    return str(path)


@pytest.mark.parametrize("ranks", [1, 16, 17, 1_000])
def test_a_report_fits_the_screen_however_many_ranks(
    capsys: Capture, tmp_path: Path, ranks: int
) -> None:
    report = made_up(ranks)
    code, out, err = tell(capsys, "report", written(report, tmp_path))
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert len(lines) < 70
    assert f"{report.dollars['total']:.6f}" in lines[0]
    assert "retried: 1,234 sqs:ReceiveMessage" in out
    assert "dropped: 12 duplicate, 3 foreign job" in out
    assert "lambda: 10,240 MB" in out
    assert ("busiest: 7 " in out) == ("median" in out) == (ranks > 16)
    assert ("Traffic" in out) == (ranks > 1)


def test_the_heaviest_pairs_are_shown_first(capsys: Capture, tmp_path: Path) -> None:
    report = made_up(8)
    _, out, _ = tell(capsys, "report", written(report, tmp_path))
    source, dest, _, _ = max(report.traffic, key=lambda pair: pair[3])
    _, _, after = out.partition("Traffic")
    lines = iter(after.splitlines())
    first = next(next(lines) for line in lines if "─" in line)
    assert first.split()[:2] == [str(source), str(dest)]


def test_a_run_writes_a_report_and_a_trace_and_both_are_read_again(
    capsys: Capture, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text("from serverless_dist import MPI; MPI.COMM_WORLD.barrier()\n")
    report, trace, again = (tmp_path / name for name in ("r.json", "t.json", "u.json"))
    files = ("--json", str(report), "--trace", str(trace))
    assert tell(capsys, "run", "-n", "2", *files, str(script))[0] == 0
    code, out, _ = tell(capsys, "report", str(report), "--trace", str(again))
    assert code == 0
    assert "2 ranks, queue channel, local cloud" in out
    assert again.read_text() == trace.read_text()
    assert json.loads(trace.read_text())["traceEvents"]


def test_infer_writes_a_report_with_more_in_it(capsys: Capture, tmp_path: Path) -> None:
    path, trace = tmp_path / "r.json", tmp_path / "t.json"
    sizes = ("--layers", "6", "--samples", "50", "--ranks", "2")
    files = ("--json", str(path), "--trace", str(trace))
    assert tell(capsys, "infer", *sizes, *files)[0] == 0
    values = json.loads(path.read_text())
    assert values["matches_serial"] is True
    report = Report.from_dict(values)
    assert all(phases.load > 0 for phases in report.phases)
    names = {event["name"] for event in json.loads(trace.read_text())["traceEvents"]}
    assert {"load", "compute", "send", "wait"} <= names


def test_a_page_is_written(capsys: Capture, tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    page = tmp_path / "out.html"
    file = written(made_up(3), tmp_path)
    assert tell(capsys, "report", file, "--html", str(page))[0] == 0
    assert page.read_text().startswith("<!")


def test_a_plan_is_shown_with_what_to_take(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    plan = documents.plan(options=12, seed=1)
    path.write_text(json.dumps(plan))
    code, out, err = tell(capsys, "report", str(path))
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= WIDTH
    assert plan["title"].split()[0] in out
    for mark in ("cheapest", "fastest", "recommended"):
        assert mark in out
    assert "cannot be" in " ".join(out.split())
    code, _, err = tell(capsys, "report", str(path), "--trace", str(tmp_path / "t"))
    assert code == 2
    assert "only a run has a trace" in err


def spoiled(document: Report | dict[str, Any], **values: object) -> str:
    """The document as a file has it, with other values."""
    told = document.to_dict() if isinstance(document, Report) else document
    return json.dumps({**told, **values})


PLAN = documents.plan(options=2, seed=1)
PLAN_OPTION = PLAN["options"][0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot read"),
        ("{", "is no JSON"),
        ("\xff", "is no JSON"),
        ("[]", "is neither a report nor a plan"),
        ('{"kind": "picture"}', "is neither a report nor a plan"),
        ('{"kind": "run"}', "this is no report of a run: it has no 'job'"),
        ('{"kind": "plan"}', "this is no plan"),
        (spoiled(made_up(2), simulation="x"), "simulation: 'x' is no object"),
        (spoiled(made_up(2), dollars={"total": "x"}), "total: 'x' is no number"),
        (spoiled(PLAN, options=5), "this is no plan: options: 5 is no list"),
        (
            spoiled(PLAN, options=[{**PLAN_OPTION, "seconds": "x"}]),
            "seconds: 'x' is no",
        ),
    ],
    ids=range(11),
)
@pytest.mark.parametrize("page", [(), ("--html", "page.html")], ids=["table", "page"])
def test_a_wrong_file_is_a_sentence(
    capsys: Capture, tmp_path: Path, text: str | None, message: str, page: Sequence[str]
) -> None:
    path = tmp_path / "file"
    if text is not None:
        path.write_text(text, encoding="latin-1")
    code, out, err = tell(capsys, "report", str(path), *page)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_report_without_a_timeline_has_no_trace(
    capsys: Capture, tmp_path: Path
) -> None:
    trace = tmp_path / "t.json"
    file = written(made_up(2), tmp_path)
    code, _, err = tell(capsys, "report", file, "--trace", str(trace))
    assert code == 2
    assert "has no timeline: run it with --trace" in err
    assert not trace.exists()


@pytest.mark.parametrize("command", ["run", "infer", "report"])
def test_a_trace_that_cannot_be_written_is_told_before_any_work(
    capsys: Capture, tmp_path: Path, command: str
) -> None:
    script = tmp_path / "script.py"
    script.write_text("raise SystemExit(7)")
    given = {
        "run": [str(script)],
        "infer": [],
        "report": [written(made_up(1), tmp_path)],
    }[command]
    code, _, err = tell(capsys, command, "--trace", str(tmp_path), *given)
    assert code == 2
    assert "it is a directory" in err
