"""``serverless-dist plan``: what something would take on AWS, before it is run."""

import argparse

from serverless_dist.cli import plan_infer
from serverless_dist.cli.algorithms import parse_size
from serverless_dist.cli.options import add_plan_options, write_plan
from serverless_dist.cloud.latency import load_profile
from serverless_dist.cloud.limits import LAMBDA_MEMORY_MB, VCPU_MEMORY_MB
from serverless_dist.comm.algorithms import CANDIDATES
from serverless_dist.config import Config
from serverless_dist.errors import UsageError
from serverless_dist.plan.collectives import (
    SERVICES,
    Circumstances,
    plan_collective,
)
from serverless_dist.plan.options import Plan
from serverless_dist.runtime.bill import strict_prices

_MAX_RANKS = 100_000


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser a sub-command for inference and for each collective."""
    parser.description = (
        "Say what something would take on AWS, in seconds and dollars, and which way"
        " to do it. Nothing is run."
    )
    kinds = parser.add_subparsers(required=True, metavar="WHAT")
    plan_infer.set_up(kinds.add_parser("infer", help="inference with a sparse network"))
    for collective in CANDIDATES:
        command = kinds.add_parser(collective, help=f"{collective} among ranks")
        _set_up_collective(command)
        command.set_defaults(collective=collective)


def _set_up_collective(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Say what each algorithm would take on each channel: its steps in virtual time,"
        " its requests counted and priced."
    )
    add = parser.add_argument
    add("--ranks", type=int, default=8, metavar="N", help="ranks (default: 8)")
    add(
        "--bytes",
        default="1KB",
        metavar="SIZE",
        help="of each rank's data, as 8, 64KiB or 1MB; of one item in scatter and"
        " alltoall (default: 1KB)",
    )
    add("--objects", action="store_true", help="data are objects, not arrays")
    add("--channel", choices=SERVICES, help="only this one (default: all)")
    add(
        "--memory",
        type=int,
        default=VCPU_MEMORY_MB,
        metavar="MB",
        help=f"of a function (default: {VCPU_MEMORY_MB}, one vCPU)",
    )
    add("--seed", type=int, default=0, metavar="N", help="of chance (default: 0)")
    add_plan_options(parser)
    parser.set_defaults(command=run_command)


def run_command(options: argparse.Namespace) -> None:
    """Plan a collective, and show and write as asked."""
    write_plan(options, lambda: _plan(options))


def _plan(options: argparse.Namespace) -> Plan:
    _check(options)
    given = Circumstances(
        profile=load_profile(options.profile),
        prices=strict_prices(options.region or Config.from_env().region),
        memory_mb=options.memory,
        seed=options.seed,
        objects=options.objects,
    )
    return plan_collective(
        options.collective,
        options.ranks,
        parse_size(options.bytes),
        given,
        channels=[options.channel] if options.channel else SERVICES,
    )


def _check(options: argparse.Namespace) -> None:
    if not 1 <= options.ranks <= _MAX_RANKS:
        msg = f"--ranks is {options.ranks}: give a number from 1 to {_MAX_RANKS:,}"
        raise UsageError(msg)
    least, most = LAMBDA_MEMORY_MB
    if not least <= options.memory <= most:
        msg = f"--memory is {options.memory}: a function has {least} to {most:,} MB"
        raise UsageError(msg)
    if options.seed < 0:
        msg = f"--seed is {options.seed}: give 0 or more"
        raise UsageError(msg)
