"""Reports and plans as pages that a browser shows: one file each, no network.

```
page, script, stylesheet   the file: what it holds, how it is drawn, how it looks
report, timeline, phases, traffic, costs    the sections of a run
plan, frontier, options                     the sections of a plan
drawing, numbers           what figures share; numbers as people read them
```

Every text of a document is escaped before it gets into a page or a figure. Beyond
that, the page forbids the browser to load anything and to run any script but its own,
which it names by their hashes.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from serverless_dist.errors import UsageError

_NEEDED = {
    "run": [
        "job",
        "ranks",
        "channel",
        "cloud",
        "region",
        "seconds",
        "memory_mb",
        "requests",
        "bytes",
        "gb_seconds",
        "dollars",
        "priced_in",
        "lines",
        "retries",
        "dropped",
        "phases",
        "traffic",
        "timeline",
        "simulation",
    ],
    "plan": ["title", "question", "region", "profile", "options"],
}
_HOMES = {"run": "report", "plan": "plan"}


def write_html(document: Mapping[str, Any], path: Path) -> None:
    """Write a page that shows a report or a plan; it needs nothing but a browser.

    The sections of a report are ``summary``, ``timeline``, ``traffic``, ``costs`` and,
    where there were any, ``faults``; those of a plan ``summary``, ``frontier`` and
    ``options``. Each is an element with that id.

    Parameters
    ----------
    document
        The JSON form of a report or of a plan: what ``--json`` writes.
    path
        Where to; an existing file is replaced.

    Raises
    ------
    UsageError
        The document is neither, plotly is not installed, or the file cannot be
        written.
    """
    kind = document.get("kind")
    if kind not in _NEEDED:
        msg = f"cannot draw a document of kind {kind!r}: give a report or a plan"
        raise UsageError(msg)
    missing = [name for name in _NEEDED[kind] if name not in document]
    if missing:
        msg = f"cannot draw this {kind}: it has no {', '.join(missing)}"
        raise UsageError(msg)
    try:
        home = import_module(f"{__name__}.{_HOMES[kind]}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "plotly":
            raise
        msg = "pictures need plotly: pip install 'serverless_dist[plan]'"
        raise UsageError(msg) from error
    text = home.page(document)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror}"
        raise UsageError(msg) from error
