"""``serverless-dist doctor``: whether jobs can run on AWS, and what to do if not."""

import argparse

from rich.console import Console
from rich.text import Text

from serverless_dist.cli.options import config_of
from serverless_dist.cli.places import add_place_options
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.errors import CloudError, UsageError
from serverless_dist.runtime.doctor import examine
from serverless_dist.runtime.findings import Finding, Verdict

_STYLES = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.PROBLEM: "bold red"}
_WIDTH = max(len(verdict.value) for verdict in Verdict)


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser the command's options."""
    parser.description = (
        "Check credentials, deployment, versions and limits, send something through"
        " every channel, and run a job of two ranks, for less than a tenth of a cent."
    )
    parser.add_argument(
        "--ranks", type=int, metavar="N", help="how many a job is to have"
    )
    add_place_options(parser)
    parser.set_defaults(command=run_command)


def run_command(options: argparse.Namespace) -> None:
    """Print what each check finds; fail if one has found a problem."""
    if options.ranks is not None and options.ranks < 1:
        msg = f"--ranks is {options.ranks}: give a number from 1 on"
        raise UsageError(msg)
    config = config_of(options)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    problems = 0
    for finding in examine(
        config, options.ranks, lambda: AwsClients(config.region, None)
    ):
        _print(console, finding)
        problems += finding.verdict is Verdict.PROBLEM
    if problems:
        what = "1 problem was" if problems == 1 else f"{problems} problems were"
        msg = f"{what} found"
        raise CloudError(msg, retryable=False)


def _print(console: Console, finding: Finding) -> None:
    verdict = f"{finding.verdict.value:{_WIDTH}}"
    style = _STYLES[finding.verdict]
    console.print(Text.assemble((verdict, style), f"  {finding.check}: {finding.text}"))
    if finding.advice:
        console.print(f"{'':{_WIDTH}}  -> {finding.advice}")
