"""``serverless-dist policy``: what a user has to be allowed on AWS, as JSON."""

import argparse
import json
import re

from serverless_dist.cli.options import config_of
from serverless_dist.cli.places import add_place_options, clients_of
from serverless_dist.cloud.aws_address import FabricNames
from serverless_dist.errors import UsageError
from serverless_dist.runtime.policies import deploy_policy, run_policy

_POLICIES = {"deploy": deploy_policy, "run": run_policy}


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser the command's options."""
    parser.description = (
        "Print the IAM policy with the least that a user needs to deploy, or to run"
        " jobs on what is deployed."
    )
    parser.add_argument("what", choices=_POLICIES, help="to be allowed")
    add_place_options(parser)
    parser.add_argument(
        "--account",
        metavar="NUMBER",
        help="the AWS account (default: that of the credentials)",
    )
    parser.set_defaults(command=run_command)


def run_command(options: argparse.Namespace) -> None:
    """Print the policy."""
    if options.account and not re.fullmatch(r"\d{12}", options.account):
        msg = f"--account is {options.account!r}: an AWS account has 12 digits"
        raise UsageError(msg)
    config = config_of(options)
    FabricNames(config.fabric)
    with clients_of(config) as clients:
        policy = _POLICIES[options.what](
            config.fabric,
            options.account or clients.account(),
            clients.region,
            clients.partition,
        )
    print(json.dumps(policy, indent=2))
