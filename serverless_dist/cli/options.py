"""Options that several commands share."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from serverless_dist.cloud.latency import US_EAST_1
from serverless_dist.config import Config
from serverless_dist.errors import UsageError
from serverless_dist.plan.options import Plan
from serverless_dist.runtime.bill import DEFAULT_REGION
from serverless_dist.runtime.channels import CHANNELS
from serverless_dist.runtime.clouds import CLOUDS
from serverless_dist.runtime.report import Report
from serverless_dist.runtime.timeline import write_trace

DEFAULT_REGION_HELP = f"default: AWS_REGION, else {DEFAULT_REGION}"
"""Whose prices are taken if nobody says."""


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add what every command that starts ranks takes."""
    parser.add_argument(
        "--channel", choices=CHANNELS, help="how ranks talk (default: queue)"
    )
    parser.add_argument(
        "--cloud", choices=CLOUDS, help="where the services are (default: local)"
    )
    parser.add_argument(
        "--name", help="the deployment on AWS (default: serverless-dist)"
    )
    parser.add_argument("--region", help="where it is (default: AWS_REGION)")
    parser.add_argument(
        "--timeout", type=float, metavar="S", help="seconds for all (default: 300)"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the report to FILE"
    )
    parser.add_argument(
        "--trace",
        type=Path,
        metavar="FILE",
        help="write when each rank did what, for ui.perfetto.dev",
    )
    parser.add_argument(
        "--debug", action="store_true", help="show the traceback of an error"
    )


def config_of(options: argparse.Namespace) -> Config:
    """Return the configuration with the deployment and region that are asked for."""
    config = Config.from_env()
    return replace(
        config,
        fabric=options.name or config.fabric,
        region=options.region or config.region,
    )


def check_results(options: argparse.Namespace) -> None:
    """Refuse files for the results that cannot be written; see `add_run_options`."""
    check_writable(options.json)
    check_writable(options.trace)


def write_results(
    options: argparse.Namespace, report: Report, *, more: Mapping[str, Any]
) -> None:
    """Write the files that are asked for.

    Parameters
    ----------
    options
        What `add_run_options` has added.
    report
        What the run took.
    more
        What else belongs into the report's file.
    """
    if options.json:
        write_json(options.json, {**more, **report.to_dict()})
    if options.trace:
        write_trace(report, options.trace)


def add_plan_options(parser: argparse.ArgumentParser) -> None:
    """Add what every command that plans takes."""
    add = parser.add_argument
    add("--profile", default=US_EAST_1.name, help="latencies: a name or a file")
    add("--region", help=f"whose prices ({DEFAULT_REGION_HELP})")
    add("--json", type=Path, metavar="FILE", help="write the plan to FILE")
    add("--html", type=Path, metavar="FILE", help="write the plan as a page")
    add("--debug", action="store_true", help="show the traceback of an error")


def write_plan(options: argparse.Namespace, make: Callable[[], Plan]) -> None:
    """Make a plan, print it, and write the files that are asked for.

    Parameters
    ----------
    options
        What `add_plan_options` has added.
    make
        Makes the plan, once it is known that the files can be written.
    """
    # Runs do without this library, which takes long to import.
    from rich.console import Console

    from serverless_dist.cli.plan_table import print_plan

    check_apart(Path(), options.json, options.html)

    check_writable(options.json)
    check_writable(options.html)
    plan = make()
    if options.json:
        write_json(options.json, plan.to_dict())
    print_plan(Console(), plan)
    write_page(options.html, plan)
    tell_written(options.json, options.html)


def write_page(path: Path | None, document: Report | Plan) -> None:
    """Write a page with pictures if a file is given."""
    if path is not None:
        # Only this needs plotly, which takes half a second to import.
        from serverless_dist.plan.pictures import write_html

        write_html(document, path)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write values that JSON knows, for programs and for people."""
    path.write_text(json.dumps(values, indent=2) + "\n")


def check_apart(script: Path, *files: Path | None) -> None:
    """Refuse to write over the script, or two results into one file."""
    paths = [path.absolute() for path in (script, *files) if path is not None]
    twice = {path for path in paths if paths.count(path) > 1}
    if twice:
        msg = f"{min(twice)} would be written over: name another file"
        raise UsageError(msg)


def tell_written(*files: Path | None) -> None:
    """Say on standard error which files were written."""
    written = [str(path) for path in files if path is not None]
    if written:
        print(f"Written: {', '.join(written)}", file=sys.stderr)


def check_writable(path: Path | None) -> None:
    """Refuse a file that cannot be written, before any work is done."""
    if path is None:
        return
    if path.is_dir():
        msg = f"cannot write {path}: it is a directory"
        raise UsageError(msg)
    if path.exists() and not os.access(path, os.W_OK):
        msg = f"cannot write {path}: it is read-only"
        raise UsageError(msg)
    if not path.absolute().parent.is_dir():
        msg = f"cannot write {path}: there is no directory {path.absolute().parent}"
        raise UsageError(msg)
