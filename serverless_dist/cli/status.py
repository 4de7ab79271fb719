"""``serverless-dist status``: what there is of a deployment, and who uses it."""

import argparse

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from serverless_dist.cli.options import config_of
from serverless_dist.cli.places import add_place_options, clients_of
from serverless_dist.errors import UsageError
from serverless_dist.runtime.status import Status, describe
from serverless_dist.runtime.versions import mismatch, versions


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser the command's options."""
    parser.description = (
        "Say what there is of a deployment: its stacks and functions, which mailboxes"
        " jobs have, the events that failed, and the versions here and there."
    )
    add_place_options(parser)
    parser.set_defaults(command=run_command)


def run_command(options: argparse.Namespace) -> None:
    """Look, and print."""
    config = config_of(options)
    with clients_of(config) as clients:
        status = describe(clients, config.fabric)
    _check(status)
    _print(Console(highlight=False), status)


def _check(status: Status) -> None:
    """Raise a `UsageError` if there is none, or only elsewhere."""
    made = status.deployment
    if made is not None and made.region != status.region:
        msg = (
            f"deployment {status.name} is in {made.region}, not in {status.region}: set"
            f" AWS_REGION={made.region}"
        )
        raise UsageError(msg)
    if made is None and not status.stacks:
        msg = (
            f"there is no deployment {status.name} in account {status.account}, region"
            f" {status.region}: make it with serverless-dist deploy --name"
            f" {status.name}"
        )
        raise UsageError(msg)


def _print(console: Console, status: Status) -> None:
    console.print(
        f"{status.name} in account {status.account}, {status.region}", style="bold"
    )
    for stack, state in status.stacks.items():
        console.print(f"stack {stack}: {state}")
    if not status.stacks:
        console.print("no stack: it was not made by serverless-dist deploy")
    made = status.deployment
    if made is None:
        console.print("not complete: run serverless-dist deploy to its end")
        return
    there = ", ".join(f"{name} {value}" for name, value in made.versions.items())
    here = mismatch(versions(), made.versions, "the deployment")
    console.print(f"versions: {there}; {here or 'the same here'}")
    console.print(_functions(status))
    taken = sum(entry.count for entry in status.leases)
    console.print(f"mailboxes: {made.mailboxes:,}, {taken:,} in use")
    for entry in status.leases:
        console.print(f"  {entry}", markup=False)
    if status.dead_letters is not None:
        console.print(f"events that failed for good: {status.dead_letters:,}")


def _functions(status: Status) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("function", no_wrap=True)
    table.add_column("memory", justify="right")
    for heading in ("Python", "architecture", "changed"):
        table.add_column(heading, overflow="fold")
    assert status.deployment is not None
    found = {function.name: function for function in status.functions}
    for memory, name in status.deployment.functions.items():
        if function := found.get(name):
            python = function.runtime.removeprefix("python")
            changed = function.modified[:16].replace("T", " ")
            size = f"{function.memory_mb:,} MB"
            table.add_row(name, size, python, function.architecture, changed)
        else:
            table.add_row(name, f"{memory:,} MB", "is missing", "", "")
    return table
