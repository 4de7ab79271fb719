"""Options of the commands that work with one deployment, and where they lead."""

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager

from rich.console import Console

from serverless_dist.cloud.aws import AwsClients
from serverless_dist.config import Config
from serverless_dist.runtime.stacks import Progress


def add_place_options(parser: argparse.ArgumentParser) -> None:
    """Add what says which deployment is meant."""
    parser.add_argument(
        "--name",
        metavar="NAME",
        help="the deployment (default: SERVERLESS_DIST_FABRIC, or serverless-dist)",
    )
    parser.add_argument(
        "--region",
        metavar="REGION",
        help="where it is (default: AWS_REGION, or that of the profile)",
    )
    parser.add_argument(
        "--debug", action="store_true", help="show the traceback of an error"
    )


@contextmanager
def clients_of(config: Config) -> Iterator[AwsClients]:
    """Give the clients for a configuration, and close them."""
    with closing(AwsClients(config.region, None)) as clients:
        yield clients


@contextmanager
def progress_lines() -> Iterator[Progress]:
    """Give what shows a line on standard error; on a terminal the last one only."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    if not console.is_terminal:
        yield console.print
        return
    with console.status("Looking at what there is") as status:
        yield status.update
