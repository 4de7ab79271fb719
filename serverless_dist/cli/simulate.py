"""``serverless-dist simulate``: a script as ranks of a simulated cloud."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from serverless_dist.cli.display import print_report
from serverless_dist.cli.options import (
    DEFAULT_REGION_HELP,
    check_apart,
    check_results,
    check_writable,
    tell_written,
    write_page,
    write_results,
)
from serverless_dist.cloud.latency import US_EAST_1
from serverless_dist.config import Config
from serverless_dist.errors import UsageError
from serverless_dist.integrations.mpi_scripts import install
from serverless_dist.runtime.simulated.job import Compute
from serverless_dist.runtime.simulated.scripts import run_as_main
from serverless_dist.runtime.simulated.simulate import simulate

_CHANNELS = ("queue", "object", "hybrid")


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser the command's options."""
    parser.description = (
        "Run a Python script as ranks in virtual time on a simulated AWS: the real"
        " script and the real messages, with published latencies and prices. It says"
        " what the script would take there."
    )
    add = parser.add_argument
    add("-n", "--ranks", type=int, default=4, metavar="N", help="ranks (default: 4)")
    add("--channel", choices=_CHANNELS, help="how ranks talk (default: queue)")
    add(
        "--seed",
        type=int,
        default=0,
        help="a number that decides all chance (default: 0)",
    )
    add(
        "--profile",
        default=US_EAST_1.name,
        help="what the cloud is like: a name, or a file of `serverless-dist calibrate`"
        f" (default: {US_EAST_1.name})",
    )
    add("--region", help=f"whose prices to reckon with ({DEFAULT_REGION_HELP})")
    add("--memory", type=int, metavar="MB", help="of the function (default: 1769)")
    add(
        "--compute",
        choices=tuple(Compute),
        default=Compute.MEASURED,
        help="measured: on this machine; given: only what the script says, so that the"
        " same seed gives the same run bit for bit (default: measured)",
    )
    add(
        "--warm",
        action="store_true",
        help="start ranks in functions that are warm, not cold",
    )
    add("--timeout", type=float, metavar="S", help="virtual seconds (default: 300)")
    add("--json", type=Path, metavar="FILE", help="write the report to FILE")
    add("--trace", type=Path, metavar="FILE", help="write a Chrome trace to FILE")
    add("--html", type=Path, metavar="FILE", help="write the report as a page to FILE")
    add("--debug", action="store_true", help="show the traceback of an error")
    add("script", help="the script")
    add("arguments", nargs=argparse.REMAINDER, help="arguments of the script")
    parser.set_defaults(command=run_command)


def run_command(options: argparse.Namespace) -> None:
    """Simulate the script and report."""
    path = Path(options.script)
    if not path.is_file():
        msg = f"there is no script {options.script}"
        raise UsageError(msg)
    check_results(options)
    check_writable(options.html)
    check_apart(path, options.json, options.trace, options.html)
    install()
    sys.argv = [options.script, *options.arguments]
    sys.path.insert(0, str(path.resolve().parent))
    results = simulate(
        run_as_main,
        str(path),
        ranks=options.ranks,
        channel=options.channel,
        timeout=options.timeout,
        config=_config(options),
        seed=options.seed,
        profile=options.profile,
        compute=options.compute,
        warm=options.warm,
        trace=bool(options.trace or options.html),
    )
    write_results(options, results.report, more={})
    write_page(options.html, results.report)
    print_report(Console(stderr=True), results.report)
    tell_written(options.json, options.trace, options.html)


def _config(options: argparse.Namespace) -> Config:
    config = Config.from_env()
    return replace(
        config,
        region=options.region or config.region,
        memory_mb=config.memory_mb if options.memory is None else options.memory,
    )
