"""Tables and progress for people."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed
from rich.table import Table

from serverless_dist.cloud.prices import dollars
from serverless_dist.runtime import Report


def print_report(console: Console, report: Report) -> None:
    """Print requests, bytes and dollars by service, and each rank's seconds."""
    console.print(_requests(report))
    console.print(
        f"{report.usage.sent:,} bytes sent, {report.usage.received:,} received"
        " (payload on the wire, encoded)"
    )
    console.print(_phases(report))


def _requests(report: Report) -> Table:
    place = "" if report.cloud == "aws" else " (what AWS would have counted)"
    table = Table(title=f"Requests and dollars{place}", title_justify="left")
    table.add_column("operation")
    for heading in ("requests", "billed", "dollars"):
        table.add_column(heading, justify="right")
    for name, count in sorted(report.usage.billed.items()):
        requests = report.usage.requests.get(name, 0)
        price = dollars({name: count})["total"]
        table.add_row(name, f"{requests:,}", f"{count:,}", f"{price:.6f}")
    duration = f"{report.gb_seconds:.1f} GB-s"
    price = dollars({}, report.gb_seconds)["total"]
    name = f"lambda: {report.memory_mb:,} MB"
    table.add_row(name, "", duration, f"{price:.6f}", end_section=True)
    for service, price in report.dollars.items():
        style = "bold" if service == "total" else ""
        table.add_row(service, "", "", f"{price:.6f}", style=style)
    return table


def _phases(report: Report) -> Table:
    table = Table(title="Seconds of each rank", title_justify="left")
    for heading in ("rank", "boot", "compute", "send", "wait"):
        table.add_column(heading, justify="right")
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
