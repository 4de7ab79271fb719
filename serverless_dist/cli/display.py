"""Tables and progress for people."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn as Elapsed,
)
from rich.table import Table

from serverless_dist.comm import Phase
from serverless_dist.runtime import Report
from serverless_dist.runtime.bill import COMPUTING, Line
from serverless_dist.runtime.control import Phases

_MANY = 10_000  # GB-seconds, of which tenths matter to nobody
_RANKS = 16  # that are shown one by one
_BUSIEST = 3  # ranks that are named among more
_PAIRS = 5  # of ranks, that talked most


def print_report(console: Console, report: Report) -> None:
    """Print what a run took, within 80 columns: dollars, requests, seconds, traffic."""
    _say(console, _heading(report))
    console.print(_bill(report))
    _say(console, _faults(report))
    console.print(_phases(report))
    if report.traffic:
        _say(console, _all_traffic(report))
        console.print(_heaviest(report))
    _say(console, f"job {report.job}")


def _say(console: Console, text: str) -> None:
    """Print a text as it is: it may come from a file of others."""
    console.print(text, markup=False, highlight=False)


def _table(title: str) -> Table:
    return Table(
        title=escape(title),
        title_justify="left",
        box=SIMPLE_HEAD,
        collapse_padding=True,
    )


def _heading(report: Report) -> str:
    ranks = "1 rank" if report.ranks == 1 else f"{report.ranks:,} ranks"
    place = f"{report.cloud} cloud"
    if report.simulation is not None:
        place = f"simulated with profile {report.simulation.get('profile')}"
    return (
        f"{ranks}, {report.channel} channel, {place}: {report.seconds:.2f} s,"
        f" ${report.dollars['total']:.6f}"
    )


def _bill(report: Report) -> Table:
    """Show all lines, the dearest first, and the sums."""
    place = "" if report.cloud == "aws" else " (what AWS would have counted)"
    table = _table(f"Requests and dollars in {report.priced_in}{place}")
    table.add_column("operation", overflow="fold")
    for heading in ("requests", "billed", "sent", "received", "dollars"):
        table.add_column(heading, justify="right", overflow="fold")
    usage = report.usage
    for line in _lines(report):
        table.add_row(*map(escape, _cells(report, line)))
    table.add_section()
    for service, spent in report.dollars.items():
        cells = [
            _size(sum(size for name, size in count.items() if _is_of(name, service)))
            for count in (usage.sent, usage.received)
        ]
        style = "bold" if service == "total" else ""
        table.add_row(service, "", "", *cells, f"{spent:.6f}", style=style)
    return table


def _lines(report: Report) -> Sequence[Line]:
    """Return the lines of the bill and what is not billed, the dearest first."""
    lines = list(report.lines)
    missing = set(report.usage.operations) - {line.item for line in lines}
    lines += [Line(name, "", 0, 0.0) for name in sorted(missing)]
    return sorted(lines, key=lambda line: -line.dollars)


def _cells(report: Report, line: Line) -> Sequence[str]:
    usage, item = report.usage, line.item
    spent = f"{line.dollars:.6f}"
    if item == COMPUTING:
        digits = 1 if line.count < _MANY else 0
        billed = f"{line.count:,.{digits}f} GB-s"
        name = f"lambda: {report.memory_mb:,} MB"
        return name, "", billed, "", "", spent
    counts = (usage.requests, usage.billed)
    return (
        item,
        *(f"{count[item]:,}" if item in count else "" for count in counts),
        _size(usage.sent.get(item, 0)),
        _size(usage.received.get(item, 0)),
        spent,
    )


def _size(size: int) -> str:
    return decimal(size) if size else ""


def _is_of(operation: str, service: str) -> bool:
    return service == "total" or operation.startswith(f"{service}:")


def _faults(report: Report) -> str:
    """Say what was asked again, and what came and was dropped."""
    words = []
    for what, counts in (
        ("retried", report.usage.retries),
        ("dropped", report.dropped),
    ):
        each = ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))
        words.append(f"{what}: {each or 'nothing'}")
    return "; ".join(words) + "\n"


def _phases(report: Report) -> Table:
    table = _table("Seconds of each rank")
    for heading in ("rank", *(phase.value for phase in Phase)):
        table.add_column(heading, justify="right", overflow="fold")
    numbered = list(enumerate(report.phases))
    if report.ranks <= _RANKS:
        for rank, phases in numbered:
            table.add_row(str(rank), *_seconds(phases))
        return table
    for name, choose in (("least", min), ("median", median), ("most", max)):
        chosen = [
            choose([getattr(each, phase) for each in report.phases]) for phase in Phase
        ]
        table.add_row(name, *(f"{second:.2f}" for second in chosen))
    table.add_section()
    # Those that waited least are those that the others waited for.
    for rank, phases in sorted(numbered, key=lambda each: -_busy(each[1]))[:_BUSIEST]:
        table.add_row(f"busiest: {rank}", *_seconds(phases))
    return table


def _busy(phases: Phases) -> float:
    return phases.total - phases.wait


def _seconds(phases: Phases) -> list[str]:
    return [f"{getattr(phases, phase):.2f}" for phase in Phase]


def _all_traffic(report: Report) -> str:
    messages = sum(pair[2] for pair in report.traffic)
    size = decimal(sum(pair[3] for pair in report.traffic))
    pairs = f"{len(report.traffic):,} pairs of ranks"
    return f"Traffic: {messages:,} messages, {size} between {pairs}"


def _heaviest(report: Report) -> Table:
    pairs = sorted(report.traffic, key=lambda pair: (-pair[3], -pair[2], pair))
    table = _table("The heaviest")
    for heading in ("from", "to", "messages", "bytes"):
        table.add_column(heading, justify="right", overflow="fold")
    for source, dest, count, nbytes in pairs[:_PAIRS]:
        table.add_row(str(source), str(dest), f"{count:,}", decimal(nbytes))
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
