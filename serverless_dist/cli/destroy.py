"""``serverless-dist destroy``: remove a deployment, with all that is in it."""

import argparse
import sys

from serverless_dist.cli.options import config_of
from serverless_dist.cli.places import (
    add_place_options,
    clients_of,
    progress_lines,
)
from serverless_dist.errors import CloudError, UsageError
from serverless_dist.runtime.destroy import destroy


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser the command's options."""
    parser.description = (
        "Remove a deployment from AWS, also one that was made in part only. What its"
        " bucket holds goes with it."
    )
    add_place_options(parser)
    parser.add_argument(
        "--force",
        action="store_true",
        help="although jobs run on it, which are stopped",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.set_defaults(command=run_command)


def run_command(options: argparse.Namespace) -> None:
    """Ask, remove, and say what is left."""
    config = config_of(options)
    with clients_of(config) as clients:
        where = f"{config.fabric} of account {clients.account()}, {clients.region}"
        if not options.yes:
            _ask(where)
        said: list[str] = []
        with progress_lines() as show:

            def on_progress(line: str) -> None:
                said.append(line)
                show(line)

            left = destroy(
                clients, config.fabric, force=options.force, on_progress=on_progress
            )
    if left:
        msg = f"not all of {where} could be removed: {'; '.join(left)}"
        raise CloudError(msg, retryable=False)
    print(said[-1])


def _ask(where: str) -> None:
    """Raise a `UsageError` unless the user wants it."""
    if not sys.stdin.isatty():
        msg = f"nobody is here to confirm that {where}, may be removed: add --yes"
        raise UsageError(msg)
    print(f"Remove {where}, and all that is in its bucket? [y/N] ", end="", flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        msg = "nothing was removed"
        raise UsageError(msg)
