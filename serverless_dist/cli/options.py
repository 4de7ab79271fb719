"""Options that several commands share."""

import argparse
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from serverless_dist.config import Config
from serverless_dist.errors import UsageError
from serverless_dist.runtime.channels import CHANNELS
from serverless_dist.runtime.clouds import CLOUDS
from serverless_dist.runtime.report import Report
from serverless_dist.runtime.timeline import write_trace


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
        values = {**more, **report.to_dict()}
        options.json.write_text(json.dumps(values, indent=2) + "\n")
    if options.trace:
        write_trace(report, options.trace)


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
