"""Pages of reports and plans in a browser: everything is drawn, nothing is loaded.

Where there is no Chromium with its driver these tests are skipped; with
SERVERLESS_DIST_BROWSER=required they fail instead.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import pytest
from rich.filesize import decimal
from selenium.webdriver import ActionChains, Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from serverless_dist.plan.pictures import write_html
from serverless_dist.plan.pictures.numbers import seconds
from tests import documents
from tests.pages import HOSTILE, hostile, read

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--window-size=1280,900",
)
DOCUMENTS: dict[str, Callable[[], dict[str, Any]]] = {
    "4 ranks": lambda: documents.report(ranks=4, rounds=12, seed=1),
    "1000 ranks": lambda: documents.report(ranks=1_000, rounds=30, seed=3),
    "1000 ranks, untraced": lambda: documents.report(
        ranks=1_000, rounds=2, seed=4, traced=False
    ),
    "plan": lambda: documents.plan(options=30, seed=5),
    "hostile report": lambda: hostile(
        documents.report(ranks=8, rounds=3, seed=6, traced=False)
    ),
    "hostile plan": lambda: hostile(documents.plan(options=9, seed=7)),
}
# What plotly has drawn in a section: bars, cells, marks, lines or surfaces.
DRAWN = """
const drawing = document.querySelector("#" + arguments[0] + " .js-plotly-plot");
const { width, height } = drawing.querySelector(".main-svg").getBoundingClientRect();
const cells = [...drawing.querySelectorAll(".hm image")].filter((image) =>
  image.href.baseVal.length > 100);
const shapes = drawing.querySelectorAll(".point path, path.point, path.js-fill");
return width > 600 && height > 100 ? cells.length + shapes.length : 0;
"""

# Whether all drawings are as wide as their places, and the page as its window.
FITS = """
const page = document.documentElement;
return page.scrollWidth <= page.clientWidth &&
  [...document.querySelectorAll(".drawing")].every((drawing) =>
    drawing.clientWidth ===
    drawing.querySelector(".main-svg").getBoundingClientRect().width);
"""


@dataclass(frozen=True)
class Page:
    """A page that the browser shows, and what it was made from."""

    browser: Chrome
    document: dict[str, Any]

    def run(self, script: str, *arguments: object) -> Any:
        return self.browser.execute_script(script, *arguments)

    def hover(self, shape: str, *, right: float = 0.0, down: float = 0.0) -> str:
        """Hold the pointer over the middle of a shape, or beside it by so much of it.

        Returns what the page then tells; its lines follow one another directly.
        """
        found = self.browser.find_element(By.CSS_SELECTOR, shape)
        self.run("arguments[0].scrollIntoView({block: 'center'})", found)
        offset = (int(right * found.rect["width"]), int(down * found.rect["height"]))
        ActionChains(self.browser).move_to_element_with_offset(found, *offset).perform()
        labels = WebDriverWait(self.browser, 20, poll_frequency=0.05).until(
            lambda browser: browser.find_elements(By.CSS_SELECTOR, ".hovertext")
        )
        return str(self.run("return arguments[0].textContent", labels[0]))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        reason = "needs chromium and chromedriver on the PATH"
        if os.environ.get("SERVERLESS_DIST_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    options = ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options, ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture(scope="module", params=DOCUMENTS)
def page(
    request: pytest.FixtureRequest,
    browser: Chrome,
    tmp_path_factory: pytest.TempPathFactory,
) -> Page:
    """Open the page of a document, once for all tests that look at it."""
    document = DOCUMENTS[request.param]()
    path = tmp_path_factory.mktemp("page") / "page.html"
    write_html(read(document), path)
    browser.set_window_size(1_280, 900)
    browser.get(path.as_uri())
    return Page(browser, document)


def only(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", names, indirect=True)


def test_every_section_is_drawn(page: Page) -> None:
    is_run = page.document["kind"] == "run"
    for section in ("timeline", "traffic", "costs") if is_run else ("frontier",):
        assert page.run(DRAWN, section) > 0, f"{section} is empty"


def test_the_browser_has_nothing_to_complain_of(page: Page) -> None:
    assert page.browser.execute("getLog", {"type": "browser"})["value"] == []


def test_nothing_is_loaded_and_nothing_offers_an_upload(page: Page) -> None:
    loaded = page.run(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    assert [name for name in loaded if not name.startswith(("data:", "blob:"))] == []
    buttons = page.run(
        "return [...document.querySelectorAll('[data-title]')]"
        ".map((button) => button.dataset.title)"
    )
    assert buttons
    assert not [title for title in buttons if "Share" in title]


@pytest.mark.parametrize("width", [800, 1_280])
def test_a_page_comes_to_fit_its_window(page: Page, width: int) -> None:
    page.browser.set_window_size(width, 900)
    # Plotly draws anew a moment after the window has changed.
    WebDriverWait(page.browser, 20, poll_frequency=0.05).until(lambda _: page.run(FITS))


@only("hostile report", "hostile plan")
def test_figures_show_hostile_texts_letter_by_letter(page: Page) -> None:
    is_run = page.document["kind"] == "run"
    shape = (
        "#costs .ytick text"
        if is_run
        else "#frontier .legend text[data-unformatted*=split]"
    )
    shown = page.run("return document.querySelector(arguments[0]).textContent", shape)
    assert HOSTILE in shown


@only("4 ranks", "1000 ranks")
def test_the_timeline_tells_rank_phase_start_and_stop(page: Page) -> None:
    is_large = page.document["ranks"] > 4
    told = page.hover(f"#timeline {'.hm image' if is_large else '.point path'}")
    found = re.fullmatch(r"rank (\d+)([a-z]+)([\d.]+) to ([\d.]+) s", told)
    assert found, told
    rank, phase, start, stop = int(found[1]), found[2], float(found[3]), float(found[4])
    spans = page.document["timeline"][rank]["spans"]
    assert any(
        phase == kind and begin < stop and end > start for kind, begin, end in spans
    )


@only("1000 ranks")
def test_neighbouring_cells_of_one_phase_tell_of_one_span(page: Page) -> None:
    trace = "document.querySelector('#timeline-drawing').data[0]"
    step = page.run(f"return {trace}.meta.step")
    labels = page.run(f"return {trace}.meta.labels")
    cells = page.run(f"return Array.from({trace}.z[13])")
    texts = page.run(f"return {trace}.text[13]")
    for phase, span in groupby(
        zip(cells, texts, range(1_000), strict=True), itemgetter(0)
    ):
        _, told, columns = zip(*span, strict=True)
        name = labels.get(str(phase), "nothing")
        start, stop = columns[0] * step, (columns[-1] + 1) * step
        assert set(told) == {f"{name}<br>{start:.4f} to {stop:.4f} s"}


@only("4 ranks")
def test_the_traffic_tells_pair_and_bytes(page: Page) -> None:
    # The second of four cells in the first of four rows.
    told = page.hover("#traffic .hm image", right=-1 / 8, down=-3 / 8)
    [size] = [pair[3] for pair in page.document["traffic"] if pair[:2] == [0, 1]]
    assert told == f"rank 0 to rank 1{decimal(size)}"


@only("plan")
def test_a_mark_tells_its_option(page: Page) -> None:
    told = page.hover("#frontier path.point")
    options = page.document["options"]
    [option] = [
        each
        for each in options
        if told.startswith(each["name"] + seconds(each["seconds"]))
    ]
    assert f"{option['ranks']} of 7,076 MB" in told
