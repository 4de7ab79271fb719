"""``serverless-dist logs``: what the ranks of a job on AWS have printed."""

import argparse

from serverless_dist.cli.options import config_of
from serverless_dist.cli.places import add_place_options, clients_of
from serverless_dist.cloud.leased import find_deployment
from serverless_dist.runtime.logs import read_logs


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser the command's options."""
    parser.description = (
        "Print what the ranks or workers of a job on AWS have printed, each line after"
        " whose it is. CloudWatch has it some seconds later, and for 14 days."
    )
    parser.add_argument("job", metavar="JOB", help="as a run's report and errors say")
    parser.add_argument("--rank", type=int, metavar="N", help="only this rank's lines")
    add_place_options(parser)
    parser.set_defaults(command=run_command)


def run_command(options: argparse.Namespace) -> None:
    """Find the lines, and print them."""
    config = config_of(options)
    part = None if options.rank is None else f"rank {options.rank}"
    with clients_of(config) as clients:
        made = find_deployment(clients, config.fabric)
        lines = read_logs(clients, made, options.job.lower(), part)
    for line in lines:
        print(f"{line.part}: {line.text}")
