"""``serverless-dist prices``: what AWS takes, since when, and who says so."""

import argparse
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn
from rich.table import Table

from serverless_dist.cli.options import check_writable
from serverless_dist.cloud.price_files import PriceLine, find_lines
from serverless_dist.cloud.price_refresh import PUBLIC_LISTS, Watch, refresh
from serverless_dist.cloud.prices import prices_of
from serverless_dist.config import Config
from serverless_dist.errors import UsageError

_REGION = "us-east-1"
_MILLION = 1_000_000


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser the command's options."""
    parser.description = (
        "Print what requests, storage and computing cost in a region: the prices of"
        " the first tier, without what is free each month. AWS's price lists are"
        " public: --refresh needs no account."
    )
    add = parser.add_argument
    add("--region", metavar="REGION", help="where (default: AWS_REGION, or us-east-1)")
    add(
        "--refresh",
        action="store_true",
        help="fetch AWS's price lists first, and keep the prices for this user",
    )
    add(
        "--url",
        metavar="URL",
        help=f"where the price lists are (default: {PUBLIC_LISTS})",
    )
    add("--json", type=Path, metavar="FILE", help="write the prices to FILE")
    add("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(command=run_command)


def run_command(options: argparse.Namespace) -> None:
    """Fetch the prices if that is asked for, and print them."""
    if options.url and not options.refresh:
        msg = "--url says where to fetch price lists from: give --refresh, too"
        raise UsageError(msg)
    check_writable(options.json)
    region = options.region or Config.from_env().region or _REGION
    console = Console()
    if options.refresh:
        with _progress() as watch:
            path = refresh(region, options.url or PUBLIC_LISTS, on_progress=watch)
        console.print(f"Written: {path}", highlight=False, soft_wrap=True)
    lines = find_lines(region)
    prices_of(region, lines)  # none is missing
    if options.json:
        values = {name: line.to_dict() for name, line in lines.items()}
        text = json.dumps({"region": region, "currency": "USD", "lines": values})
        options.json.write_text(text + "\n")
    console.print(_table(region, lines))
    console.print(
        "First tiers, without what is free each month. A request of SNS or SQS is one"
        " for each 64 KB."
    )


def _table(region: str, lines: Mapping[str, PriceLine]) -> Table:
    table = Table(
        title=f"Prices of {region}",
        title_justify="left",
        box=SIMPLE_HEAD,
        collapse_padding=True,
    )
    table.add_column("item", min_width=24, overflow="fold")
    table.add_column("dollars", justify="right", overflow="fold")
    table.add_column("for", overflow="fold")
    table.add_column("price list", overflow="fold")
    table.add_column("published", min_width=10, overflow="fold")
    for name, line in lines.items():
        when = line.published.isoformat() if line.published else ""
        table.add_row(name, *amount(line), line.offer, when)
    return table


def amount(line: PriceLine) -> tuple[str, str]:
    """Return the dollars for so many units that they can be read, and for how many.

    >>> from datetime import date
    >>> amount(PriceLine(0.0000004, "request", "AmazonS3", None, date.today(), ""))
    ('0.4', '1M requests')
    """
    if line.unit == "GB-month":
        return f"{line.value:.4g}", line.unit
    units = "1M GB-s" if line.unit == "GB-second" else f"1M {line.unit}s"
    return f"{line.value * _MILLION:.4g}", units


@contextmanager
def _progress() -> Iterator[Watch | None]:
    """Give what moves a bar for each list; None if standard error is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console, transient=True) as progress:

        def watch(offer: str, done: int, total: int) -> None:
            if offer not in tasks:
                tasks[offer] = progress.add_task(offer)
            progress.update(tasks[offer], completed=done, total=total or None)

        yield watch
