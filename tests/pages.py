"""Pages of reports and plans, taken apart, and hostile documents."""

import json
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from serverless_dist import Report
from serverless_dist.plan.options import Mark, Plan
from serverless_dist.plan.pictures import write_html
from serverless_dist.runtime.bill import COMPUTING
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


def read(document: dict[str, Any]) -> Report | Plan:
    """Return the report or plan whose JSON this is."""
    is_plan = document["kind"] == "plan"
    return Plan.from_dict(document) if is_plan else Report.from_dict(document)


def draw(document: dict[str, Any], directory: Path) -> Page:
    path = directory / "page.html"
    write_html(read(document), path)
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


def hostile(value: Any) -> Any:
    """Return the document with every text and name replaced that is a user's."""
    kept = {"run", "plan", "measured", COMPUTING, *documents.PHASES, *Mark}
    if isinstance(value, str):
        return value if value in kept else value + HOSTILE
    if isinstance(value, list):
        return [hostile(each) for each in value]
    if isinstance(value, dict):
        is_open = any(":" in name for name in value) or "duplicate" in value
        return {
            hostile(name) if is_open else name: hostile(each)
            for name, each in value.items()
        }
    return value
