"""What tasks that do nothing ask of a cloud, as AWS would bill it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Column, Table

import serverless_dist as sd

WORKERS = 2
ONE_BY_ONE, TOGETHER = 50, 1_000


@dataclass(frozen=True, slots=True)
class Bill:
    """The billed requests of one session.

    Attributes
    ----------
    how
        How the tasks were submitted.
    tasks
        How many there were.
    requests
        By service and operation, from the start of the session to its end.
    """

    how: str
    tasks: int
    requests: dict[str, int]

    @property
    def total(self) -> int:
        """The requests of all operations."""
        return sum(self.requests.values())


def wait_for_each(nothing: Any, count: int) -> list[int]:
    """Submit a task when the one before it has returned."""
    return [sd.get(nothing.remote(i)) for i in range(count)]


def wait_for_all(nothing: Any, count: int) -> list[int]:
    """Submit all tasks, then wait."""
    return list(sd.get([nothing.remote(i) for i in range(count)]))


def use_map(nothing: Any, count: int) -> list[int]:
    """Have `map` put many calls into each task."""
    return list(sd.map(nothing, range(count)))


def measure(how: str, run: Callable[[Any, int], list[int]], count: int) -> Bill:
    """Return the bill of a session that does nothing else."""

    @sd.remote
    def nothing(item: int) -> int:
        return item

    session = sd.init("emulated", workers=WORKERS)
    came = run(nothing, count)
    sd.shutdown()  # workers tell what they used as they end
    if came != list(range(count)):
        msg = "the tasks returned something else than they should"
        raise RuntimeError(msg)
    return Bill(how, count, session.usage.billed)


def measure_bills() -> list[Bill]:
    """Return the bills of all ways to submit tasks."""
    return [
        measure("one after the other", wait_for_each, ONE_BY_ONE),
        measure("all at once", wait_for_all, TOGETHER),
        measure("by map", use_map, TOGETHER),
    ]


def print_bills(console: Console, bills: list[Bill]) -> None:
    """Print what the sessions took, for each task."""
    table = Table(
        Column("", no_wrap=True),
        *(Column(f"{bill.tasks:,}\n{bill.how}", justify="right") for bill in bills),
        title="Billed requests of a session on the emulated cloud",
        caption="from the start of the session to its end: starts of workers, polls and"
        " what is cleared away at the end are counted",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    operations = sorted({each for bill in bills for each in bill.requests})
    for operation in operations:
        counts = [Counter(bill.requests)[operation] for bill in bills]
        table.add_row(operation, *map(str, counts))
    table.add_section()
    table.add_row("all", *(str(bill.total) for bill in bills))
    table.add_row("a task", *(f"{bill.total / bill.tasks:.3g}" for bill in bills))
    console.print(table)
