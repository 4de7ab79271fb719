"""``serverless-dist run``: a script or module as ranks, like mpiexec.

What prints the report is imported when there is one: its library takes longer to import
than four ranks to start.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from serverless_dist.cli.options import (
    add_run_options,
    check_results,
    config_of,
    write_results,
)
from serverless_dist.errors import UsageError
from serverless_dist.integrations.mpi_scripts import (
    copy_module,
    copy_script,
    run_copied_module,
    run_copied_script,
    run_module,
    run_script,
)
from serverless_dist.runtime import run
from serverless_dist.runtime.clouds import check_cloud
from serverless_dist.runtime.settings import LOCAL

Program = Callable[..., None]


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser the command's options."""
    parser.description = (
        "Run a Python script as ranks; it finds MPI.COMM_WORLD in"
        " `from mpi4py import MPI`, installed or not, or in"
        " `from serverless_dist import MPI`."
    )
    parser.add_argument(
        "-n", "--ranks", type=int, default=4, metavar="N", help="ranks (default: 4)"
    )
    add_run_options(parser)
    parser.add_argument(
        "--report", action="store_true", help="print what the run took at its end"
    )
    parser.add_argument(
        "-m",
        nargs=argparse.REMAINDER,
        dest="module",
        metavar="MODULE",
        help="a module to run instead of a script, with its arguments",
    )
    parser.add_argument("script", nargs="?", help="the script")
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="arguments of the script"
    )
    parser.set_defaults(command=run_command)


def run_command(options: argparse.Namespace) -> None:
    """Run the script and report as asked."""
    config = config_of(options)
    cloud = check_cloud(options.cloud or config.cloud)
    program, arguments = _program(options, has_files=cloud == LOCAL)
    check_results(options)
    results = run(
        program,
        *arguments,
        ranks=options.ranks,
        cloud=cloud,
        channel=options.channel,
        timeout=options.timeout,
        config=config,
        trace=options.trace is not None,
    )
    write_results(options, results.report, more={})
    if options.report:
        from rich.console import Console

        from serverless_dist.cli.display import print_report

        print_report(Console(stderr=True), results.report)


def _program(
    options: argparse.Namespace, *, has_files: bool
) -> tuple[Program, Sequence[object]]:
    """Return what is to be run, and with which arguments.

    Ranks on another machine do not have the user's files: they get copies.
    """
    if options.module:
        name, *arguments = options.module
        if has_files:
            return run_module, (name, arguments)
        return run_copied_module, (copy_module(name), name, arguments)
    if options.script is None:
        msg = "there is nothing to run: name a script, or a module after -m"
        raise UsageError(msg)
    if not Path(options.script).is_file():
        msg = f"there is no script {options.script}"
        raise UsageError(msg)
    if has_files:
        return run_script, (options.script, options.arguments)
    files = copy_script(options.script)
    return run_copied_script, (files, options.script, options.arguments)
