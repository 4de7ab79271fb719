"""The figures of a report say what the report says."""

from pathlib import Path

import numpy as np
import pytest

from serverless_dist import Communicator, simulate
from serverless_dist.comm import Phase
from serverless_dist.plan.pictures.drawing import PHASES
from serverless_dist.plan.pictures.numbers import money
from serverless_dist.runtime.control import Phases
from tests import documents
from tests.pages import decoded, draw
from tests.reports import made_up


def test_every_kind_of_fault_is_told(tmp_path: Path) -> None:
    document = documents.report(ranks=4, rounds=2, seed=1)
    document |= {"retries": {"sqs:Send": 1_001}, "dropped": {"foreign": 1_002}}
    document["simulation"]["throttled"] = {"s3:GetObject": 1_003}
    told = draw(document, tmp_path).texts["faults"]
    for part in ("sqs:Send1,001", "foreign1,002", "s3:GetObject1,003"):
        assert part in told


def barrier(comm: Communicator) -> None:
    comm.Barrier()


@pytest.mark.parametrize("trace", [False, True], ids=["untraced", "traced"])
def test_the_report_of_a_simulated_run_is_drawn(tmp_path: Path, trace: bool) -> None:  # noqa: FBT001
    report = simulate(barrier, ranks=3, seed=1, compute="given", trace=trace).report
    page = draw(report.to_dict(), tmp_path)
    assert list(page.figures) == ["timeline", "traffic", "costs"]
    assert "seed 1" in page.texts["summary"]


def test_phases_are_those_of_a_report() -> None:
    assert list(PHASES) == list(Phase)


def test_the_summary_gives_the_key_figures(tmp_path: Path) -> None:
    document = documents.report(ranks=4, rounds=2, seed=17)
    document["seconds"] = 12.5
    document["bytes"]["sent_by"] = {"s3:PutObject": 1_500_000}
    document["bytes"]["received_by"] = {"s3:GetObject": 2_500}
    summary = draw(document, tmp_path).texts["summary"]
    assert money(document["dollars"]["total"]) in summary
    for told in ("12.5 s", "1,769 MB", "hybrid", "simulated", "us-east-1"):
        assert told in summary
    for told in ("1.5 MB", "2.5 kB", f"{sum(document['requests'].values()):,}"):
        assert told in summary
    assert "seed 17" in summary


def test_few_spans_are_drawn_one_by_one(tmp_path: Path) -> None:
    document = documents.report(ranks=4, rounds=12, seed=1)
    page = draw(document, tmp_path)
    drawn = [
        (trace["name"], rank, start, start + length, stop)
        for trace in page.traces("timeline", "bar")
        for rank, start, length, stop in zip(
            trace["y"],
            *(decoded(trace[name]) for name in ("base", "x", "customdata")),
            strict=True,
        )
    ]
    told = [
        (phase, str(row["rank"]), start, pytest.approx(stop), stop)
        for row in document["timeline"]
        for phase, start, stop in row["spans"]
    ]
    assert sorted(drawn, key=lambda bar: bar[:3]) == sorted(
        told, key=lambda bar: bar[:3]
    )


def test_cells_show_the_phase_that_took_most_of_their_time(tmp_path: Path) -> None:
    document = documents.report(ranks=65, rounds=9, seed=6)
    [trace] = draw(document, tmp_path).traces("timeline", "heatmap")
    codes, labels = decoded(trace["z"]), trace["meta"]["labels"]
    step = trace["meta"]["step"]
    assert codes.shape == (65, 1_000)
    assert step == pytest.approx(document["seconds"] / 1_000)
    for rank in (0, 13, 64):
        for column in range(1_000):
            spent: dict[str, float] = {}
            for phase, start, stop in document["timeline"][rank]["spans"]:
                common = min(stop, (column + 1) * step) - max(start, column * step)
                if common > 1e-6 * step:
                    spent[phase] = spent.get(phase, 0.0) + common
            name = labels.get(str(codes[rank, column]))
            most = max(spent.values(), default=0.0)
            assert (name is None) == (most == 0.0)
            assert spent.get(name, 0.0) == pytest.approx(most, rel=1e-3)


def test_many_spans_of_few_ranks_are_cells_too(tmp_path: Path) -> None:
    page = draw(documents.report(ranks=2, rounds=400, seed=2), tmp_path)
    [trace] = page.traces("timeline", "heatmap")
    assert decoded(trace["z"]).shape == (2, 1_000)


def test_ranks_share_cells_where_there_are_more_than_a_thousand(tmp_path: Path) -> None:
    document = documents.report(ranks=1_001, rounds=2, seed=3)
    document["traffic"] = [[0, 2, 1, 300], [1, 3, 2, 400], [1_000, 0, 1, 0]]
    page = draw(document, tmp_path)
    [spans] = page.traces("timeline", "heatmap")
    [pairs] = page.traces("traffic", "heatmap")
    assert decoded(spans["z"]).shape == (501, 1_000)
    assert spans["y"][0] == "0 to 1"
    assert spans["y"][-1] == "1000"
    assert "2 ranks together" in page.texts["timeline"]
    assert "2 x 2 ranks in each cell" in page.texts["traffic"]
    codes = decoded(pairs["z"])
    assert np.argwhere(codes).tolist() == [[0, 1], [500, 0]]
    assert pairs["meta"]["labels"][str(codes[0, 1])] == "700 bytes"
    assert pairs["meta"]["labels"][str(codes[500, 0])] == "0 bytes"


def test_an_untraced_run_shows_the_phases_of_each_rank(tmp_path: Path) -> None:
    document = documents.report(ranks=4, rounds=3, seed=5, traced=False)
    for trace in draw(document, tmp_path).traces("timeline", "bar"):
        told = [row[trace["name"]] for row in document["phases"]]
        assert decoded(trace["x"]) == pytest.approx(told)


def test_many_untraced_ranks_are_a_surface_sorted_by_their_time(tmp_path: Path) -> None:
    document = documents.report(ranks=1_000, rounds=1, seed=5, traced=False)
    traces = draw(document, tmp_path).traces("timeline", "scatter")
    totals = sum(decoded(trace["y"]) for trace in traces)
    assert totals.tolist() == sorted(totals, reverse=True)
    rank = decoded(traces[0]["customdata"])[0]
    longest = sum(
        value for name, value in document["phases"][rank].items() if name != "rank"
    )
    assert totals[0] == pytest.approx(longest)


def test_cells_of_traffic_tell_the_bytes_of_their_pair(tmp_path: Path) -> None:
    document = documents.report(ranks=9, rounds=2, seed=8)
    document["traffic"] = [[0, 8, 1, 1], [8, 0, 1, 10**12], [3, 4, 7, 1_500]]
    page = draw(document, tmp_path)
    [trace] = page.traces("traffic", "heatmap")
    codes, labels = decoded(trace["z"]), trace["meta"]["labels"]
    told = {
        (source, dest): labels[str(codes[source, dest])]
        for source, dest in np.argwhere(codes).tolist()
    }
    assert told == {(0, 8): "1 byte", (8, 0): "1.0 TB", (3, 4): "1.5 kB"}
    assert "9 messages between 3 pairs" in page.texts["traffic"]


def test_the_costs_are_bars_of_the_lines_the_dearest_first(tmp_path: Path) -> None:
    document = documents.report(ranks=4, rounds=2, seed=9)
    page = draw(document, tmp_path)
    [trace] = page.traces("costs", "bar")
    paid = sorted((line["dollars"] for line in document["lines"]), reverse=True)
    assert decoded(trace["x"]).tolist() == [dollars for dollars in paid if dollars]
    for line in document["lines"]:  # the free ones as well
        assert line["item"] in page.texts["costs"]


def test_a_run_of_nothing_is_told_in_words(tmp_path: Path) -> None:
    report = made_up(phases=[Phases(0, 0, 0, 0)])
    page = draw(report.to_dict(), tmp_path)
    assert list(page.figures) == ["timeline"]
    assert "No rank has sent" in page.texts["traffic"]
    assert "$0 in all" in page.texts["costs"]
