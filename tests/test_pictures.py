"""Pages of reports and plans: what is in them, and what is not."""

import sys
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from serverless_dist.errors import UsageError
from serverless_dist.plan.pictures import write_html
from tests import documents
from tests.pages import HOSTILE, decoded, draw, hostile, read, strings


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
    document = read(documents.report(ranks=3, rounds=2, seed=1))
    write_html(document, tmp_path / "one.html")
    write_html(document, tmp_path / "other.html")
    assert (tmp_path / "one.html").read_bytes() == (
        tmp_path / "other.html"
    ).read_bytes()


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


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    document = read(documents.plan(options=2, seed=1))
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
        write_html(read(documents.plan(options=2, seed=1)), tmp_path / "page.html")
