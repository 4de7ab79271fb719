"""``serverless-dist run``: a script as ranks, like mpiexec."""

import argparse
import json
from pathlib import Path

from rich.console import Console

from serverless_dist.cli.display import print_report
from serverless_dist.cli.options import add_run_options, check_writable
from serverless_dist.errors import UsageError
from serverless_dist.runtime import run
from serverless_dist.runtime.script import run_script


def add_command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "run",
        help="run a Python script as ranks",
        description="Run a Python script as ranks; it finds MPI.COMM_WORLD in"
        " `from serverless_dist import MPI`.",
    )
    parser.add_argument(
        "-n", "--ranks", type=int, default=4, metavar="N", help="ranks (default: 4)"
    )
    add_run_options(parser)
    parser.add_argument(
        "--report", action="store_true", help="print what the run took at its end"
    )
    parser.add_argument("script", type=Path, help="the script")
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="arguments of the script"
    )
    parser.set_defaults(command=run_command)


def run_command(options: argparse.Namespace) -> None:
    """Run the script and report as asked."""
    script: Path = options.script
    if not script.is_file():
        msg = f"there is no script {script}"
        raise UsageError(msg)
    check_writable(options.json)
    results = run(
        run_script,
        str(script),
        options.arguments,
        ranks=options.ranks,
        cloud=options.cloud,
        channel=options.channel,
        timeout=options.timeout,
    )
    if options.json:
        options.json.write_text(json.dumps(results.report.to_dict(), indent=2) + "\n")
    if options.report:
        print_report(Console(stderr=True), results.report)
