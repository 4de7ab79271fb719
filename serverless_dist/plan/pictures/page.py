"""The file: one page with its style, its script and plotly's, which loads nothing."""

from base64 import b64encode
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from typing import Any

from plotly.offline import get_plotlyjs

from serverless_dist.plan.pictures.numbers import safe
from serverless_dist.plan.pictures.script import SCRIPT
from serverless_dist.plan.pictures.stylesheet import STYLE

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p>{subtitle}</p>
<nav>{links}</nav>
</header>
<noscript><p>The drawings need JavaScript; the tables do not.</p></noscript>
<main>
{sections}
</main>
<script>{plotly}</script>
<script>{script}</script>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page.

    Attributes
    ----------
    name
        The id of its element.
    title
        Its heading; plain text.
    caption
        What one sees there; plain text.
    figure
        What plotly draws; None if there is nothing to draw.
    body
        HTML that follows.
    """

    name: str
    title: str
    caption: str = ""
    figure: Any = None
    body: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: its cells, which are HTML, and its class, if it has one."""

    cells: Sequence[str]
    kind: str = ""


def render(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """Return the page.

    Parameters
    ----------
    title, subtitle
        What it is about; plain text.
    sections
        What it shows, from top to bottom.
    """
    plotly = get_plotlyjs()
    return _PAGE.format(
        policy=_policy(plotly, SCRIPT),
        title=safe(title),
        subtitle=safe(subtitle),
        links=" ".join(
            f'<a href="#{part.name}">{safe(part.title)}</a>' for part in sections
        ),
        sections="\n".join(_section(part) for part in sections),
        style=STYLE,
        plotly=plotly,
        script=SCRIPT,
    )


def table(
    headings: Sequence[str], rows: Sequence[Row], numbers: Collection[str] = ()
) -> str:
    """Return a table.

    Parameters
    ----------
    headings
        Plain text.
    rows
        Each with as many cells.
    numbers
        The headings of the columns that hold numbers, which stand to the right.
    """
    kinds = [' class="number"' if each in numbers else "" for each in headings]
    head = "".join(
        f'<th scope="col"{kind}>{safe(heading)}</th>'
        for kind, heading in zip(kinds, headings, strict=True)
    )
    lines = "\n".join(_row(row, kinds) for row in rows)
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>\n{lines}\n</tbody></table></div>"
    )


def _row(row: Row, kinds: Sequence[str]) -> str:
    cells = "".join(
        f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row.cells, strict=True)
    )
    return f'<tr class="{row.kind}">{cells}</tr>' if row.kind else f"<tr>{cells}</tr>"


def figures(pairs: Sequence[tuple[str, str]]) -> str:
    """Return key figures, each with its name; the values are HTML, names plain text."""
    cards = "".join(
        f"<div><dt>{safe(name)}</dt><dd>{value}</dd></div>" for name, value in pairs
    )
    return f'<dl class="figures">{cards}</dl>'


def _section(part: Section) -> str:
    caption = f"<p>{safe(part.caption)}</p>" if part.caption else ""
    return (
        f'<section id="{part.name}">\n<h2>{safe(part.title)}</h2>\n{caption}\n'
        f"{_figure(part)}{part.body}\n</section>"
    )


def _figure(part: Section) -> str:
    if part.figure is None:
        return ""
    # Plotly writes <, > and / as escapes of JSON, so no text can end the element.
    height = part.figure.layout.height
    return (
        f'<div class="drawing" id="{part.name}-drawing" role="img" '
        f'aria-label="{escape(part.title)}" style="height:{height}px"></div>\n'
        f'<script type="application/json" data-drawing="{part.name}-drawing">'
        f"{part.figure.to_json()}</script>\n"
    )


def _policy(*scripts: str) -> str:
    """Return what the browser may do: run these scripts, and load nothing at all."""
    digests = (sha256(script.encode()).digest() for script in scripts)
    hashes = " ".join(f"'sha256-{b64encode(each).decode()}'" for each in digests)
    # Plotly makes a picture of cells as a data: address, and styles in its script.
    return (
        f"default-src 'none'; script-src {hashes}; "
        "style-src 'unsafe-inline'; img-src data: blob:"
    )
