"""``serverless-dist report``: show what a run took, or a plan, from its file."""

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from serverless_dist.cli.display import print_report
from serverless_dist.cli.options import check_writable, write_page
from serverless_dist.cli.plan_table import print_plan
from serverless_dist.errors import UsageError
from serverless_dist.plan.options import Plan
from serverless_dist.runtime import Report
from serverless_dist.runtime.timeline import write_trace


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser the command's options."""
    parser.description = (
        "Show the report of a run, or a plan, that --json has written, as tables, as a"
        " page or as a trace."
    )
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="what --json has written")
    add("--html", type=Path, metavar="OUT", help="write a page with pictures of it")
    add("--trace", type=Path, metavar="OUT", help="write a trace for ui.perfetto.dev")
    add("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(command=run_command)


def run_command(options: argparse.Namespace) -> None:
    """Show the file and write what is asked for."""
    document = read_document(options.file)
    check_writable(options.html)
    check_writable(options.trace)
    if document["kind"] == "plan":
        shown: Plan | Report = _show_plan(document, options)
    else:
        shown = report = Report.from_dict(document)
        print_report(Console(), report)
        if options.trace:
            write_trace(report, options.trace)
    write_page(options.html, shown)


def read_document(path: Path) -> dict[str, Any]:
    """Return what ``--json`` has written; a file of others is a `UsageError`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}"
        raise UsageError(msg) from error
    except ValueError as error:
        msg = f"{path} is no JSON: give a file that --json has written"
        raise UsageError(msg) from error
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind not in ("run", "plan"):
        msg = (
            f"{path} is neither a report nor a plan: give a file of run or plan --json"
        )
        raise UsageError(msg)
    return dict(document)


def _show_plan(document: dict[str, Any], options: argparse.Namespace) -> Plan:
    if options.trace:
        msg = f"{options.file} is a plan, and only a run has a trace"
        raise UsageError(msg)
    plan = Plan.from_dict(document)
    print_plan(Console(), plan)
    return plan
