"""``serverless-dist deploy``: make on AWS what jobs run on, or change it."""

import argparse
import json
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from serverless_dist.cli.places import add_place_options, clients_of, place_of
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_address import FabricNames
from serverless_dist.cloud.deployment import Deployment
from serverless_dist.cloud.limits import LAMBDA_PYTHONS, VCPU_MEMORY_MB
from serverless_dist.errors import UsageError
from serverless_dist.runtime.deploy import deploy
from serverless_dist.runtime.package import Package, build_package, check_python
from serverless_dist.runtime.plan import Plan, check_concurrency
from serverless_dist.runtime.provision import mailbox_template, template
from serverless_dist.runtime.stack import ARCHITECTURES, Stack

Progress = Callable[[str], None]


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser the command's options."""
    parser.description = (
        "Make on AWS what jobs run on: a bucket, queues, topics, functions and their"
        " role, in a stack of CloudFormation. What is there already is changed to what"
        " is asked for. It costs nothing until a job runs."
    )
    add = parser.add_argument
    add(
        "--ranks",
        type=int,
        required=True,
        metavar="N",
        help="how many ranks the largest job has",
    )
    add_place_options(parser)
    add(
        "--memory",
        action="append",
        metavar="MB[,MB...]",
        help="make a function for each of these sizes; may be repeated"
        f" (default: {VCPU_MEMORY_MB}, which comes with one whole vCPU)",
    )
    add(
        "--architecture",
        choices=ARCHITECTURES,
        default=ARCHITECTURES[0],
        help=f"of the functions (default: {ARCHITECTURES[0]})",
    )
    add(
        "--python",
        metavar="VERSION",
        help=f"of the functions: {', '.join(LAMBDA_PYTHONS)} (default: this one's)",
    )
    add(
        "--requirements",
        type=Path,
        metavar="FILE",
        help="what your code imports, as pip takes it",
    )
    add(
        "--include",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="a module or package of your own; may be repeated",
    )
    add(
        "--dry-run",
        action="store_true",
        help="check all, print the template as JSON, and change nothing",
    )
    parser.set_defaults(command=run_command)


def run_command(options: argparse.Namespace) -> None:
    """Check what is asked for, build the package, and deploy it."""
    here = ".".join(platform.python_version_tuple()[:2])
    config = place_of(options)
    plan = Plan(
        name=config.fabric,
        ranks=options.ranks,
        memories=parse_memories(options.memory or [str(VCPU_MEMORY_MB)]),
        architecture=options.architecture,
        python=options.python or here,
    )
    check_python(plan.python)
    with clients_of(config) as clients, TemporaryDirectory() as scratch:
        # Before the package is built: that takes longest.
        stack = plan.stack(clients, "")
        check_concurrency(clients, plan.ranks)
        with _progress() as on_progress:
            package = _build(Path(scratch), plan, options, on_progress)
            if options.dry_run:
                made = None
            else:
                made = deploy(clients, plan, package, on_progress=on_progress)
        if made is None:
            print_templates(replace(stack, package=package.digest))
        else:
            _print(Console(highlight=False), clients, made, package)
            _say_what_is_next(made, plan.ranks, here)


def parse_memories(texts: Sequence[str]) -> tuple[int, ...]:
    """Return the sizes that ``--memory`` was given, each once.

    >>> parse_memories(["1769,512", "512"])
    (512, 1769)
    """
    try:
        sizes = {int(size) for text in texts for size in text.split(",")}
    except ValueError:
        msg = f"--memory is {','.join(texts)!r}: give megabytes, as 1769 or 512,1769"
        raise UsageError(msg) from None
    return tuple(sorted(sizes))


def print_templates(stack: Stack) -> None:
    """Print the templates of a stack: one JSON document for each 200 mailboxes."""
    further = (mailbox_template(stack, topic) for topic in range(1, stack.topics))
    for made in (template(stack), *further):
        print(json.dumps(made, indent=2))


def _build(
    directory: Path, plan: Plan, options: argparse.Namespace, on_progress: Progress
) -> Package:
    return build_package(
        directory,
        python=plan.python,
        architecture=plan.architecture,
        requirements=options.requirements,
        include=options.include,
        on_progress=on_progress,
    )


@contextmanager
def _progress() -> Iterator[Progress]:
    """Give what shows a line on standard error: in place if that is a terminal."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    if not console.is_terminal:
        yield console.print
        return
    with console.status("Looking at what there is") as status:
        yield status.update


def _print(
    console: Console, clients: AwsClients, made: Deployment, package: Package
) -> None:
    names = FabricNames(made.name)
    last = made.mailboxes - 1
    topics = len(made.topic_arns)
    table = Table(
        title=f"{made.name} in account {made.account}, {made.region}",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    for heading in ("part", "name", "costs"):
        table.add_column(heading, overflow="fold")
    add = table.add_row
    add("stack", made.name, "nothing")
    add("bucket", made.bucket, "requests, and what lies in it")
    add(f"{made.mailboxes} queues", f"{names.mailbox(0)} to {last}", "requests")
    add(
        "1 topic" if topics == 1 else f"{topics} topics",
        f"{names.topic(0)}" + (f" to {topics - 1}" if topics > 1 else ""),
        "requests",
    )
    for memory, function in made.functions.items():
        add(f"function, {memory:,} MB", function, "requests, and seconds it runs")
    add("its role", names.role, "nothing")
    add("failed events", names.dead_letters, "requests")
    console.print(table)
    console.print(
        f"Package: {decimal(package.size)}, {decimal(package.unzipped)} unzipped, for"
        f" Python {made.versions['Python']} on {made.architecture}.\n"
        f"Idle: ${storage_dollars(package.size):.4f} a month for the package in the"
        " bucket; all else costs nothing until a job runs."
    )
    del clients


def storage_dollars(size: int) -> float:
    raise NotImplementedError


def _say_what_is_next(made: Deployment, ranks: int, here: str) -> None:
    raise NotImplementedError
