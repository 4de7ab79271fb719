"""Pages of reports and plans: what is in them, and what is not."""

import json
import sys
from base64 import b64decode, b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serverless_dist.errors import UsageError
from serverless_dist.plan.options import Mark
from serverless_dist.plan.pictures import write_html
from tests import documents

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>'\"&"
TYPES = {"u1": np.uint8, "u2": np.uint16, "f8": np.float64, "i2": np.int16}


class Page(HTMLParser):
    """A page, taken apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.figures: dict[str, Any] = {}
        self.texts: dict[str, str] = {}
        self._section = ""
        self._inside: tuple[str, dict[str, str | None]] = ("", {})
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = (tag, dict(attrs))
        self.tags.append(self._inside)
        if tag == "section":
            self._section = self._inside[1]["id"] or ""
            self.texts[self._section] = ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = ("", {})

    def handle_data(self, data: str) -> None:
        tag, attributes = self._inside
        if tag == "script" and (drawing := attributes.get("data-drawing")):
            self.figures[drawing.removesuffix("-drawing")] = json.loads(data)
        elif tag == "script":
            self.scripts.append(data)
        elif self._section:
            self.texts[self._section] += data

    def traces(self, section: str, kind: str) -> list[dict[str, Any]]:
        """Return the traces of that kind in the section's figure."""
        return [each for each in self.figures[section]["data"] if each["type"] == kind]


def draw(document: dict[str, Any], directory: Path) -> Page:
    path = directory / "page.html"
    write_html(document, path)
    return Page(path.read_text(encoding="utf-8"))


def decoded(values: Any) -> Any:
    """Return what plotly has packed, as an array."""
    if not isinstance(values, dict):
        return np.array(values)
    array = np.frombuffer(b64decode(values["bdata"]), TYPES[values["dtype"]])
    shape = [int(side) for side in values.get("shape", str(array.size)).split(",")]
    return array.reshape(shape)


def strings(value: Any) -> list[str]:
    """Return all texts in a value of JSON, its keys too."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [
            text for pair in value.items() for each in pair for text in strings(each)
        ]
    return (
        [text for each in value for text in strings(each)]
        if isinstance(value, list)
        else []
    )


def test_the_page_of_a_report_has_all_sections_in_order(tmp_path: Path) -> None:
    page = draw(documents.report(ranks=4, rounds=12, seed=1), tmp_path)
    assert list(page.texts) == ["summary", "timeline", "traffic", "costs", "faults"]
    assert list(page.figures) == ["timeline", "traffic", "costs"]
    assert page.tags[0] == ("html", {"lang": "en"})


def test_the_page_of_a_plan_has_all_sections_in_order(tmp_path: Path) -> None:
    page = draw(documents.plan(options=30, seed=4), tmp_path)
    assert list(page.texts) == ["summary", "frontier", "options"]
    assert list(page.figures) == ["frontier"]


def test_a_run_without_faults_has_no_section_of_them(tmp_path: Path) -> None:
    document = documents.report(ranks=4, rounds=2, seed=1)
    page = draw({**document, "retries": {}, "dropped": {}}, tmp_path)
    assert "faults" not in page.texts


@pytest.mark.parametrize(
    "document",
    [documents.report(ranks=4, rounds=2, seed=1), documents.plan(options=5, seed=1)],
    ids=["report", "plan"],
)
def test_a_page_loads_nothing_and_runs_only_its_own_scripts(
    document: dict[str, Any], tmp_path: Path
) -> None:
    page = draw(document, tmp_path)
    for _, attributes in page.tags:
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith(("#", "data:,"))
    [policy] = [
        attributes["content"] or ""
        for tag, attributes in page.tags
        if tag == "meta" and "http-equiv" in attributes
    ]
    hashes = [
        f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
        for script in page.scripts
    ]
    assert len(hashes) == 2  # plotly's and ours
    assert policy.startswith(f"default-src 'none'; script-src {' '.join(hashes)};")


def test_the_same_document_gives_the_same_page(tmp_path: Path) -> None:
    document = documents.report(ranks=3, rounds=2, seed=1)
    write_html(document, tmp_path / "one.html")
    write_html(document, tmp_path / "other.html")
    assert (tmp_path / "one.html").read_bytes() == (
        tmp_path / "other.html"
    ).read_bytes()


def test_the_summary_gives_the_key_figures(tmp_path: Path) -> None:
    document = documents.report(ranks=4, rounds=2, seed=17)
    document |= {"seconds": 12.5, "bytes": {"sent": 1_500_000, "received": 2_500}}
    document["dollars"]["total"] = 0.00123
    summary = draw(document, tmp_path).texts["summary"]
    for told in ("12.5 s", "$0.00123", "1,769 MB", "hybrid", "simulated", "us-east-1"):
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
    document = documents.report(ranks=1, rounds=1, seed=1, traced=False)
    nothing: dict[str, Any] = {
        "phases": [],
        "traffic": [],
        "lines": [],
        "requests": {},
        "billed": {},
    }
    page = draw({**document, **nothing, "simulation": None}, tmp_path)
    assert page.figures == {}
    assert "No rank has sent" in page.texts["traffic"]


def test_every_feasible_option_is_a_mark_and_every_option_a_row(tmp_path: Path) -> None:
    plan = documents.plan(options=30, seed=4)
    page = draw(plan, tmp_path)
    line, *marks = page.traces("frontier", "scatter")
    drawn = {
        (x, y)
        for trace in marks
        for x, y in zip(decoded(trace["x"]), decoded(trace["y"]), strict=True)
    }
    able = [option for option in plan["options"] if option["is_feasible"]]
    assert drawn == {(option["seconds"], option["dollars"]) for option in able}
    best = [option["seconds"] for option in able if option["is_on_frontier"]]
    assert decoded(line["x"]).tolist() == sorted(best)
    hovered = [text for trace in marks for text in trace["text"]]
    for option in plan["options"]:
        assert option["name"] in page.texts["options"]
        assert (option["reason"] or option["why"]) in page.texts["options"]
        assert option["is_feasible"] == any(option["name"] in text for text in hovered)


def test_the_outstanding_options_are_labelled(tmp_path: Path) -> None:
    plan = documents.plan(options=30, seed=4)
    page = draw(plan, tmp_path)
    labels = [
        each["text"] for each in page.figures["frontier"]["layout"]["annotations"]
    ]
    for option in plan["options"]:
        for mark in option["marks"]:
            assert any(mark in label and option["name"] in label for label in labels)
            assert mark.capitalize() in page.texts["summary"]


def test_a_plan_of_which_nothing_can_be_done_says_so(tmp_path: Path) -> None:
    plan = documents.plan(options=6, seed=4, feasible=False)
    page = draw(plan, tmp_path)
    assert page.figures == {}
    assert "No option can be done" in page.texts["frontier"]
    assert all(option["reason"] in page.texts["options"] for option in plan["options"])


def test_a_free_option_is_drawn_on_plain_axes(tmp_path: Path) -> None:
    plan = documents.plan(options=6, seed=4)
    plan["options"][0]["dollars"] = 0.0
    layout = draw(plan, tmp_path).figures["frontier"]["layout"]
    assert "type" not in layout["xaxis"]
    assert "type" not in layout["yaxis"]


def hostile(value: Any) -> Any:
    """Return the document with every text and name replaced that is a user's."""
    kept = {"run", "plan", "measured", *documents.PHASES, *Mark}
    if isinstance(value, str):
        return value if value in kept else value + HOSTILE
    if isinstance(value, list):
        return [hostile(each) for each in value]
    if isinstance(value, dict):
        is_open = any(":" in name for name in value) or "duplicate" in value
        return {
            name + HOSTILE if is_open else name: hostile(each)
            for name, each in value.items()
        }
    return value


@pytest.mark.parametrize(
    "document",
    [
        documents.report(ranks=8, rounds=2, seed=1),
        documents.plan(options=8, seed=1),
        documents.plan(options=8, seed=1, feasible=False),
    ],
    ids=["report", "plan", "infeasible"],
)
def test_texts_of_a_document_are_shown_and_never_run(
    document: dict[str, Any], tmp_path: Path
) -> None:
    plain, page = draw(document, tmp_path), draw(hostile(document), tmp_path)
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    assert page.scripts == plain.scripts
    assert HOSTILE in "".join(page.texts.values())
    for figure in page.figures.values():  # where plotly knows a few tags, as <b>
        assert not [
            text for text in strings(figure) if "<script" in text or "<img" in text
        ]


def test_a_thousand_ranks_fit_into_twelve_megabytes(tmp_path: Path) -> None:
    document = documents.report(ranks=1_000, rounds=30, seed=2, dense=True)
    page = draw(document, tmp_path)
    assert (tmp_path / "page.html").stat().st_size < 12e6
    assert decoded(page.traces("traffic", "heatmap")[0]["z"]).shape == (1_000, 1_000)


@pytest.mark.parametrize("kind", [None, "sonnet"])
def test_a_document_of_another_kind_is_refused(
    kind: str | None, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="give a report or a plan"):
        write_html({"kind": kind}, tmp_path / "page.html")


@pytest.mark.parametrize("name", ["traffic", "lines"])
def test_a_report_that_lacks_something_is_refused(name: str, tmp_path: Path) -> None:
    document = documents.report(ranks=2, rounds=1, seed=1)
    del document[name]
    with pytest.raises(UsageError, match=f"cannot draw this run: it has no {name}"):
        write_html(document, tmp_path / "page.html")


def test_an_unknown_phase_is_refused(tmp_path: Path) -> None:
    document = documents.report(ranks=2, rounds=1, seed=1)
    document["timeline"][1]["spans"].append(["dream", 1.0, 2.0])
    with pytest.raises(UsageError, match="phase 'dream'"):
        write_html(document, tmp_path / "page.html")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    document = documents.plan(options=2, seed=1)
    with pytest.raises(UsageError, match=r"cannot write .*nowhere/page.html: No such"):
        write_html(document, tmp_path / "nowhere" / "page.html")


def test_without_plotly_one_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in list(sys.modules):
        if name.startswith(("plotly", "serverless_dist.plan.pictures.")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(UsageError, match=r"pip install 'serverless_dist\[plan\]'"):
        write_html(documents.plan(options=2, seed=1), tmp_path / "page.html")
