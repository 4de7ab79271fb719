"""Tables and progress for people."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn as Elapsed,
)
from rich.table import Table

from serverless_dist.cloud.prices import dollars
from serverless_dist.runtime import Report


def print_report(console: Console, report: Report) -> None:
    """Print requests, bytes and dollars by service, and each rank's seconds."""
    console.print(_requests(report))
    console.print(_phases(report))
    console.print(f"job {report.job}")


def _table(title: str) -> Table:
    return Table(
        title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True
    )


def _requests(report: Report) -> Table:
    place = "" if report.cloud == "aws" else " (what AWS would have counted)"
    table = _table(f"Requests and dollars{place}")
    table.add_column("operation", overflow="fold")
    for heading in ("requests", "billed", "sent", "received", "dollars"):
        table.add_column(heading, justify="right", overflow="fold")
    usage = report.usage
    for name in usage.operations:
        counts = (usage.requests, usage.billed)
        cells = [f"{count[name]:,}" if name in count else "" for count in counts]
        cells += [_size(count.get(name, 0)) for count in (usage.sent, usage.received)]
        price = dollars({name: usage.billed[name]} if name in usage.billed else {})
        table.add_row(name, *cells, f"{price['total']:.6f}")
    duration = f"{report.gb_seconds:.1f} GB-s"
    price = dollars({}, report.gb_seconds)
    name = f"lambda: {report.memory_mb:,} MB"
    table.add_row(name, "", duration, "", "", f"{price['total']:.6f}", end_section=True)
    for service, spent in report.dollars.items():
        cells = [
            _size(sum(size for name, size in count.items() if _is_of(name, service)))
            for count in (usage.sent, usage.received)
        ]
        style = "bold" if service == "total" else ""
        table.add_row(service, "", "", *cells, f"{spent:.6f}", style=style)
    return table


def _size(size: int) -> str:
    return decimal(size) if size else ""


def _is_of(operation: str, service: str) -> bool:
    return service == "total" or operation.startswith(f"{service}:")


def _phases(report: Report) -> Table:
    table = _table("Seconds of each rank")
    for heading in ("rank", "boot", "compute", "send", "wait"):
        table.add_column(heading, justify="right", overflow="fold")
    for rank, phases in enumerate(report.phases):
        seconds = (phases.boot, phases.compute, phases.send, phases.wait)
        table.add_row(str(rank), *(f"{second:.2f}" for second in seconds))
    return table


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None] | None]:
    """Give a function that moves a bar on standard error; None if it is no terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, Elapsed(), console=console, transient=True) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
