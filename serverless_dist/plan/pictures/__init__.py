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

from importlib import import_module
from pathlib import Path

from serverless_dist.errors import UsageError
from serverless_dist.plan.options import Plan
from serverless_dist.runtime.report import Report


def write_html(document: Report | Plan, path: Path) -> None:
    """Write a page that shows a report or a plan; it needs nothing but a browser.

    The sections of a report are ``summary``, ``timeline``, ``traffic``, ``costs`` and,
    where there were any, ``faults``; those of a plan ``summary``, ``frontier`` and
    ``options``. Each is an element with that id.

    Parameters
    ----------
    document
        What to show; of a file that ``--json`` has written, `Report.from_dict` or
        `Plan.from_dict` makes one.
    path
        Where to; an existing file is replaced.

    Raises
    ------
    UsageError
        Plotly is not installed, or the file cannot be written.
    """
    name = "report" if isinstance(document, Report) else "plan"
    try:
        home = import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "plotly":
            raise
        msg = "pictures need plotly: pip install 'serverless_dist[plan]'"
        raise UsageError(msg) from error
    text = home.page(document.to_dict())
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror}"
        raise UsageError(msg) from error
