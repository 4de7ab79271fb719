"""What it costs to launch ranks as functions, on the emulated ones of this machine.

    python benchmarks/launch.py [--ranks 64] [--latency 0.05 0.5] [--rounds 3]
                                [--json FILE]

A start is the moment at which the handler of a rank begins: the clock that the rank's
function reads when it is called, minus the boot time that the rank reports, which runs
from the begin of the handler on. All processes are on this machine and have one clock.
Seconds are counted from where the driver begins to start ranks; the mailboxes are
leased by then. Every environment is warm: each rank has run before.

The theory is `tree.last_start` with seconds measured on the same emulator while nothing
else runs: of one Invoke call, and of one start. It has as many cores as there are
ranks. Here all share a few, and a start takes CPU; the share of that is told beside it,
and a second, longer latency shows how the launch goes where the CPU matters less.

Python keeps what it compiles, as a deployed package has it compiled.
"""

import argparse
import json
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from communicator import Bound, in_words, keep_compiled, print_bounds
from launch_costs import Costs, depth, measure_costs
from launch_imports import HANDLER, PLAIN, WHOLE, measure_imports, measure_parts
from launch_jobs import PHASES, Lab, Launch, open_lab
from rich import box
from rich.console import Console
from rich.table import Column, Table

from serverless_dist.runtime.tree import choose_branching

OTHERS = (2, 4, 16)  # branchings beside the chosen one and the flat launch
EMPTY = 16  # ranks of the jobs whose requests and phases are told
CHANNELS = ("queue", "object", "hybrid")
IMPORTS = 7  # rounds of importing, which takes less than a second
PARTS = 10
TO_THEORY, REQUESTS, IMPORT = 1.3, 6.0, 0.150


@dataclass(frozen=True, slots=True)
class Shape:
    """How one tree was launched, after a latency.

    Attributes
    ----------
    latency, ranks, branching, depth
        The tree, and how many starts follow one another in it.
    last, entered
        Median seconds until the last handler has begun, and until the last function
        is called.
    theory, cpu_time
        Seconds until then if nobody waits for a CPU, and for how long the CPU work of
        all starts keeps all cores of this machine busy.
    cpu
        CPU seconds of the whole job for each rank, emulators included.
    invocations
        The most functions that one job has started, for each rank.
    """

    latency: float
    ranks: int
    branching: int
    depth: int
    last: float
    entered: float
    theory: float
    cpu_time: float
    cpu: float
    invocations: float

    @property
    def is_chosen(self) -> bool:
        """Whether it is the one that the package chooses."""
        return self.branching == choose_branching(self.ranks)


def measure_shapes(
    ranks: int, latency: float, rounds: int
) -> tuple[Costs, list[Shape]]:
    """Return what an invocation costs, and all trees, which take turns."""
    shapes = sorted({choose_branching(ranks), ranks, *OTHERS})
    with open_lab(ranks + 1, latency) as lab:
        warm(lab, ranks)
        costs = measure_costs(lab)
        jobs: dict[int, list[Launch]] = {branching: [] for branching in shapes}
        for _ in range(rounds):
            for branching, launches in jobs.items():
                launches.append(lab.launch(ranks, branching=branching))
    return costs, [
        Shape(
            latency=latency,
            ranks=ranks,
            branching=branching,
            depth=depth(ranks, branching),
            last=statistics.median(job.last for job in launches),
            entered=statistics.median(max(job.entered) for job in launches),
            theory=costs.theory(ranks, branching),
            cpu_time=costs.cpu_time(ranks),
            cpu=statistics.median(job.cpu for job in launches) / ranks,
            invocations=max(job.invocations for job in launches) / ranks,
        )
        for branching, launches in jobs.items()
    ]


def warm(lab: Lab, ranks: int) -> Launch:
    """Have every rank run once, and a second time where all are warm."""
    first = lab.launch(ranks)
    lab.launch(ranks)
    return first


def measure_empty(rounds: int) -> tuple[dict[str, Launch], dict[str, Launch]]:
    """Return an empty job by channel, and its phases cold and warm (the medians)."""
    with open_lab(EMPTY + 1) as lab:
        cold = warm(lab, EMPTY)
        jobs = sorted(
            (lab.launch(EMPTY) for _ in range(rounds)),
            key=lambda job: sum(job.phases.values()),
        )
        bills = {channel: lab.launch(EMPTY, channel=channel) for channel in CHANNELS}
    return bills, {"cold": cold, "warm": jobs[rounds // 2]}


def plain_table(title: str, caption: str, *names: str) -> Table:
    """Return a table whose first column is text and whose others are numbers."""
    first, *others = names
    return Table(
        Column(first, no_wrap=True),
        *(Column(name, justify="right", no_wrap=True) for name in others),
        title=title,
        caption=caption,
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def print_shapes(console: Console, costs: Costs, shapes: Sequence[Shape]) -> None:
    """Print the trees of one latency."""
    ranks, latency = shapes[0].ranks, shapes[0].latency
    table = plain_table(
        f"Launch of {ranks} ranks, {in_words(latency)} injected into each start",
        f"theory: {in_words(costs.invoke)} for an Invoke call and"
        f" {in_words(costs.start)} for a start; + CPU: and the"
        f" {in_words(costs.cpu)} of CPU that each start takes, one after the other on"
        f" {os.cpu_count()} cores; called: the last function is called",
        *("branching", "depth", "last", "theory", "ratio", "+ CPU", "ratio"),
        *("called", "CPU/rank", "invokes"),
    )
    for shape in shapes:
        both = shape.theory + shape.cpu_time
        name = f"{shape.branching}" + (" chosen" if shape.is_chosen else "")
        table.add_row(
            name + (" flat" if shape.branching == ranks else ""),
            f"{shape.depth}",
            in_words(shape.last),
            in_words(shape.theory),
            f"{shape.last / shape.theory:.2f}",
            in_words(both),
            f"{shape.last / both:.2f}",
            in_words(shape.entered),
            in_words(shape.cpu),
            f"{shape.invocations:.3g}",
        )
    console.print(table)


def print_empty(
    console: Console, bills: Mapping[str, Launch], phases: Mapping[str, Launch]
) -> None:
    """Print what an empty job is billed, and where its seconds go."""
    title = f"Billed requests of an empty job of {EMPTY} ranks"
    table = plain_table(title, "the lease and the driver included", "", *bills)
    for kind in sorted({kind for job in bills.values() for kind in job.billed}):
        table.add_row(kind, *(f"{job.billed.get(kind, 0)}" for job in bills.values()))
    table.add_row("all", *(f"{sum(job.billed.values())}" for job in bills.values()))
    table.add_row("of a rank", *(f"{share(job):.3g}" for job in bills.values()))
    console.print(table)
    table = plain_table(
        f"Seconds of an empty job of {EMPTY} ranks over queues",
        "open: until the mailboxes are leased; launch: until the last handler begins;"
        " run: until all results are there; end: until all ranks have said farewell;"
        " close: until run() returns",
        *("", *PHASES, "all", "CPU"),
    )
    for name, job in phases.items():
        seconds = [job.phases[phase] for phase in PHASES]
        table.add_row(name, *map(in_words, [*seconds, sum(seconds), job.cpu]))
    console.print(table)


def share(job: Launch) -> float:
    """Return the billed requests of an empty job for each rank."""
    return sum(job.billed.values()) / EMPTY


def print_imports(
    console: Console,
    imports: Mapping[str, float],
    parts: Mapping[str, Mapping[str, float]],
) -> None:
    """Print what the handler takes to import, and of what that is made."""
    table = plain_table("Imports in a fresh interpreter", "", "", "median", "over")
    for name, seconds in imports.items():
        table.add_row(name, in_words(seconds), in_words(seconds - imports[PLAIN]))
    console.print(table)
    whole, plain = parts[WHOLE], parts[PLAIN]
    title = f"The {PARTS} largest parts of {WHOLE}, by -X importtime"
    table = plain_table(title, "", "package", "seconds", PLAIN)
    for name in sorted(whole, key=lambda name: -whole[name])[:PARTS]:
        table.add_row(name, in_words(whole[name]), in_words(plain.get(name)))
    console.print(table)


def bounds(
    shapes: Sequence[Shape], bills: Mapping[str, Launch], imports: Mapping[str, float]
) -> list[Bound]:
    """Return what the project has promised."""
    found = []
    for shape in shapes:
        if shape.is_chosen:
            name = f"launch after {in_words(shape.latency)}"
            ratio = shape.last / shape.theory
            most = 1 + 1 / shape.branching
            found += [
                Bound(f"{name} / theory", ratio, TO_THEORY, "times"),
                Bound(f"{name}: invokes per rank", shape.invocations, most, ""),
            ]
    for channel, job in bills.items():
        text = f"requests per rank, empty, {channel}"
        found.append(Bound(text, share(job), REQUESTS, ""))
    for name in (HANDLER, WHOLE):
        over = (imports[name] - imports[PLAIN]) * 1e3
        found.append(Bound(f"import of {name} over boto3", over, IMPORT * 1e3, "ms"))
    return found


def main() -> None:
    """Measure, print, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ranks", type=int, default=64)
    text = "seconds injected into each start, in turn"
    parser.add_argument(
        "--latency", type=float, nargs="+", default=[0.05, 0.5], help=text
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    arguments = parser.parse_args()
    console = Console()
    keep_compiled()
    imports, parts = measure_imports(IMPORTS), measure_parts()
    print_imports(console, imports, parts)
    bills, phases = measure_empty(arguments.rounds)
    print_empty(console, bills, phases)
    shapes, costs = [], []
    for latency in arguments.latency:
        cost, found = measure_shapes(arguments.ranks, latency, arguments.rounds)
        print_shapes(console, cost, found)
        shapes += found
        costs.append({"latency": latency, **asdict(cost)})
    promised = bounds(shapes, bills, imports)
    print_bounds(console, promised)
    if arguments.json:
        numbers = {
            "imports": imports,
            "parts": parts,
            "bills": {channel: asdict(job) for channel, job in bills.items()},
            "phases": {name: asdict(job) for name, job in phases.items()},
            "costs": costs,
            "shapes": [asdict(shape) for shape in shapes],
            "bounds": [asdict(bound) for bound in promised],
        }
        arguments.json.write_text(json.dumps(numbers, indent=2) + "\n")


if __name__ == "__main__":
    main()
