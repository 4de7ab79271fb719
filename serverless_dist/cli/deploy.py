"""``serverless-dist deploy``: make on AWS what jobs run on, or change it."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from serverless_dist.cli.options import config_of
from serverless_dist.cli.places import (
    add_place_options,
    clients_of,
    progress_lines,
)
from serverless_dist.cloud.aws_address import FabricNames
from serverless_dist.cloud.deployment import Deployment
from serverless_dist.cloud.limits import LAMBDA_PYTHONS, VCPU_MEMORY_MB
from serverless_dist.config import Config
from serverless_dist.errors import UsageError
from serverless_dist.runtime.deploy import deploy
from serverless_dist.runtime.package import Package, build_package, check_python
from serverless_dist.runtime.plan import Plan, check_concurrency
from serverless_dist.runtime.provision import mailbox_template, template
from serverless_dist.runtime.stack import ARCHITECTURES, Stack
from serverless_dist.runtime.stacks import Progress
from serverless_dist.runtime.versions import versions


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
    config = config_of(options)
    plan = Plan(
        name=config.fabric,
        ranks=options.ranks,
        memories=parse_memories(options.memory or [str(VCPU_MEMORY_MB)]),
        architecture=options.architecture,
        python=options.python or this_python(),
    )
    check_python(plan.python)
    with clients_of(config) as clients, TemporaryDirectory() as scratch:
        # Before the package is built: that takes longest.
        stack = plan.stack(clients, "")
        check_concurrency(clients, plan.ranks)
        with progress_lines() as on_progress:
            package = _build(Path(scratch), plan, options, on_progress)
            if options.dry_run:
                made = None
            else:
                made = deploy(clients, plan, package, on_progress=on_progress)
        if made is None:
            print_templates(replace(stack, package=package.digest))
        else:
            console = Console(highlight=False)
            _print(console, made, package)
            _say_what_is_next(console, config, plan)


def this_python() -> str:
    """Return the version of Python that this is, as ``3.13``."""
    return versions()["Python"]


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


def _print(console: Console, made: Deployment, package: Package) -> None:
    names = FabricNames(made.name)
    table = Table(
        title=f"{made.name} in account {made.account}, {made.region}",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    table.add_column("part", no_wrap=True)
    table.add_column("name", no_wrap=True)
    add = table.add_row
    add("bucket", made.bucket)
    add(_count(made.mailboxes, "queue"), f"{names.mailbox_prefix}*")
    add(_count(len(made.topic_arns), "topic"), f"{names.topic_prefix}*")
    for memory, function in made.functions.items():
        add(f"function of {memory:,} MB", function)
    add("their role", names.role)
    add("their failed events", names.dead_letters)
    console.print(table)
    console.print(
        f"The package has {decimal(package.size)}, and {decimal(package.unzipped)}"
        f" unzipped: Python {made.versions['Python']} on {made.architecture}.\n"
        "Jobs pay for requests and for the seconds of their functions. Idle it costs"
        " nothing\nbut the package's place in the bucket: less than a cent a month."
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _say_what_is_next(console: Console, config: Config, plan: Plan) -> None:
    default = Config()
    settings = {
        "AWS_REGION": (config.region, None),
        "SERVERLESS_DIST_FABRIC": (config.fabric, default.fabric),
        "SERVERLESS_DIST_MEMORY_MB": (plan.memories[-1], default.memory_mb),
    }
    if default.memory_mb in plan.memories:
        del settings["SERVERLESS_DIST_MEMORY_MB"]
    needed = [
        f"{k}={value}" for k, (value, usual) in settings.items() if value != usual
    ]
    command = f"serverless-dist run -n {plan.ranks} --cloud aws SCRIPT"
    console.print("Next:", " ".join([*needed, command]), style="bold", soft_wrap=True)
    here = this_python()
    if plan.python != here:
        console.print(
            f"Run it with Python {plan.python}: this one, {here}, pickles differently."
        )
