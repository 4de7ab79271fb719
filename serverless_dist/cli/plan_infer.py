"""``serverless-dist plan infer``: ways to infer, with seconds and dollars."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from serverless_dist.cli.options import add_plan_options, write_plan
from serverless_dist.cloud.latency import load_profile
from serverless_dist.config import Config
from serverless_dist.errors import UsageError
from serverless_dist.inference.activity import challenge_shape, read_shape
from serverless_dist.inference.published import load_published
from serverless_dist.plan.digest import digest
from serverless_dist.plan.inference import (
    MEMORY_MB,
    RANKS,
    Kernel,
    Search,
    Shape,
    Strategy,
    Via,
    plan_inference,
    published_options,
)
from serverless_dist.plan.options import Option, Plan
from serverless_dist.runtime.bill import strict_prices

T = TypeVar("T")


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser the command's options."""
    parser.description = (
        "Say what inference with a layered sparse network would take on AWS, however"
        " it is split, and which way to take. Nothing is run."
    )
    add = parser.add_argument
    add("--neurons", type=int, default=1_024, metavar="N", help="1024 to 65536")
    add("--layers", type=int, default=120, metavar="L", help="1 to 1920")
    add("--samples", type=int, default=10_000, metavar="S", help="inputs")
    add(
        "--activity",
        type=Path,
        metavar="FILE",
        help="another network than the challenge's: what its layers do to samples",
    )
    _add_search(parser)
    add("--within", type=float, metavar="S", help="the cheapest in so many seconds")
    add("--budget", type=float, metavar="USD", help="the fastest for so many dollars")
    warmth = parser.add_mutually_exclusive_group()
    warmth.add_argument(
        "--cold",
        dest="is_cold",
        action="store_true",
        default=True,
        help="functions have yet to be started (default)",
    )
    warmth.add_argument(
        "--warm", dest="is_cold", action="store_false", help="all are there already"
    )
    add("--edges-per-second", type=float, metavar="R", help="what one vCPU multiplies")
    add("--all", action="store_true", help="every option, not only those worth a look")
    add_plan_options(parser)
    parser.set_defaults(command=run_command)


def _add_search(parser: argparse.ArgumentParser) -> None:
    """Add what says which ways to look at: lists with commas."""
    add = parser.add_argument
    add("--strategy", metavar="LIST", help=f"of {', '.join(Strategy)}")
    add("--channel", metavar="LIST", help=f"of {', '.join(Via)}")
    add("--ranks", metavar="LIST", help="numbers of functions (1 or more)")
    add("--memory", metavar="LIST", help="MB of each (128 to 10240)")


def run_command(options: argparse.Namespace) -> None:
    """Plan, and show and write as asked."""
    write_plan(options, lambda: _plan(options))


def _plan(options: argparse.Namespace) -> Plan:
    prices = strict_prices(options.region or Config.from_env().region)
    shape = _shape(options)
    search = _search(options)
    others: tuple[Option, ...] = ()
    if not options.activity and not options.strategy:
        others = published_options(load_published(), shape, prices)
    plan = plan_inference(
        shape,
        prices,
        profile=load_profile(options.profile),
        kernel=_kernel(options),
        is_cold=options.is_cold,
        search=search,
        others=others,
        within=options.within,
        budget=options.budget,
    )
    return plan if options.all else digest(plan)


def _shape(options: argparse.Namespace) -> Shape:
    if options.activity:
        return read_shape(options.activity, options.layers, options.samples)
    return challenge_shape(options.neurons, options.layers, options.samples)


def _kernel(options: argparse.Namespace) -> Kernel:
    rate = options.edges_per_second
    if rate is None:
        return Kernel()
    if not rate > 0:
        msg = f"a vCPU cannot multiply {rate:g} edges a second: give more than 0"
        raise UsageError(msg)
    return Kernel(edges_per_second=rate)


def _search(options: argparse.Namespace) -> Search:
    return Search(
        strategies=_listed("strategy", options.strategy, Strategy, tuple(Strategy)),
        channels=_listed("channel", options.channel, Via, tuple(Via)),
        ranks=_listed("number of ranks", options.ranks, int, RANKS),
        memory_mb=_listed("memory in MB", options.memory, int, MEMORY_MB),
    )


def _listed(
    what: str, text: str | None, kind: Callable[[str], T], default: tuple[T, ...]
) -> tuple[T, ...]:
    """Return the items of a list with commas; without one the default."""
    if text is None:
        return default
    items = []
    for word in text.split(","):
        try:
            items.append(kind(word.strip()))
        except ValueError as error:
            known = ", ".join(map(str, default))
            msg = f"there is no {what} {word.strip()!r}: use one or more of {known}"
            raise UsageError(msg) from error
    return tuple(items)
