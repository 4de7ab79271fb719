"""How fast tasks are beside Ray, dask, a process pool and Lithops, and what they cost.

    python benchmarks/tasks.py [--rounds 3] [--ray VENV] [--dask VENV]
                               [--lithops VENV] [--json FILE]

All contenders take turns in one run, with two workers each, and every bound is on a
time of that run. A VENV is a virtual environment with that contender and numpy, by
default one in the cache:

    cd ~/.cache/serverless-dist/peers
    python -m venv ray && ray/bin/pip install 'ray==2.60.*' numpy
    python -m venv dask && dask/bin/pip install distributed numpy
    python -m venv lithops && lithops/bin/pip install lithops numpy

Who is not there is left out. Python keeps what it compiles, for all contenders.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

from communicator import (
    Bound,
    Contender,
    Seconds,
    cache,
    in_words,
    keep_compiled,
    print_bounds,
    take_turns,
)
from rich import box
from rich.console import Console
from rich.table import Column, Table
from tasks_contenders import WORKERS
from tasks_requests import Bill, measure_bills, print_bills

SCRIPT = Path(__file__).with_name("tasks_speed.py")
OURS, POOL = "serverless_dist", "pool"
PEERS = {"Ray": "ray", "dask": "dask", "Lithops": "lithops"}  # and their environments
RATES = {"tasks one by one", "actor calls", "map"}  # told as how many per second
MEMORY = "10,000 queued tasks"
LIMITS = {  # seconds
    "round trip": 0.4e-3,
    "tasks one by one": 1 / 5_000,
    "map": 1 / 100_000,
    "actor calls": 1 / 4_000,
    "100 MB array put": 80e-3,
    "100 MB array get": 2e-3,
}
FIRST_RESULT = 0.5  # seconds after the import
QUEUE_MB = 100
REQUESTS = {"one after the other": 5.0, "all at once": 1.0}  # for each task


def find_peers(given: Mapping[str, Path | None], console: Console) -> dict[str, Path]:
    """Return the environments of peers that are there, and say who is not."""
    found = {}
    for name, place in PEERS.items():
        environment = given[place] or cache() / "peers" / place
        if (environment / "bin" / "python").exists():
            found[name] = environment
        else:
            console.print(f"without {name}: there is no {environment}/bin/python")
    return found


def measure(name: str, environment: Path, mode: str) -> Seconds:
    """Return what a contender takes, in a process of its own."""
    # Lithops runs whatever `python` is on the path, and leaves files behind.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        path = os.pathsep.join([str(environment / "bin"), os.environ["PATH"]])
        done = subprocess.run(
            [str(environment / "bin" / "python"), str(SCRIPT), name, mode],
            env=os.environ | {"PATH": path, "TMPDIR": scratch},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    seconds: Seconds = json.loads(done.stdout.splitlines()[-1])
    return seconds


def measure_both(name: str, environment: Path) -> Seconds:
    """Return the speed of a contender and its memory, which other cases would blur."""
    speed = measure(name, environment, "speed")
    return speed | measure(name, environment, "memory")


def measure_all(peers: Mapping[str, Path], rounds: int) -> dict[str, Seconds]:
    """Return the medians of all contenders by name and case."""
    here = Path(sys.prefix)
    contenders: dict[str, Contender] = {
        name: partial(measure_both, name, environment)
        for name, environment in {OURS: here, POOL: here, **peers}.items()
    }
    return take_turns(contenders, rounds)


def cell(case: str, value: float | None) -> str:
    """Return a number in the unit of its case."""
    if value is None:
        return "-"
    if case == MEMORY:
        return f"{value / 1e6:.0f} MB"
    return f"{1 / value:,.0f} /s" if case in RATES else in_words(value)


def print_numbers(
    console: Console, numbers: Mapping[str, Seconds], rounds: int
) -> None:
    """Print contenders in columns, cases in rows."""
    names = ("ours" if name == OURS else name for name in numbers)
    table = Table(
        Column("", no_wrap=True),
        *(
            Column(name, justify="right", no_wrap=True)
            for name in (*names, "Ray\n/ ours")
        ),
        title=f"Tasks that do nothing, {WORKERS} workers, median of {rounds}",
        caption="Ray / ours: how many times as long, or as much memory, Ray takes",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    cases = dict.fromkeys(case for each in numbers.values() for case in each)
    for case in cases:
        ours, rays = (numbers.get(name, {}).get(case) for name in (OURS, "Ray"))
        ratio = f"{rays / ours:.2g}" if ours and rays else "-"
        cells = [cell(case, each.get(case)) for each in numbers.values()]
        table.add_row(case, *cells, ratio)
    console.print(table)


def bounds(ours: Seconds, bills: list[Bill]) -> list[Bound]:
    """Return what the project has promised."""
    first = ours["init"] + ours["first task"]
    found = [Bound("first result after the import", first, FIRST_RESULT, "s")]
    for case, limit in LIMITS.items():
        found.append(Bound(f"{case}, each", ours[case] * 1e3, limit * 1e3, "ms"))
    found.append(Bound(MEMORY, ours[MEMORY] / 1e6, QUEUE_MB, "MB"))
    for bill in bills:
        if bill.how in REQUESTS:
            text = f"billed requests of a task, {bill.how}"
            share = bill.total / bill.tasks
            found.append(Bound(text, share, REQUESTS[bill.how], "requests"))
    return found


def main() -> None:
    """Measure, print, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    for name, place in PEERS.items():
        text = f"a virtual environment with {name}"
        parser.add_argument(f"--{place}", type=Path, metavar="VENV", help=text)
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    arguments = parser.parse_args()
    console = Console()
    keep_compiled()
    peers = find_peers(vars(arguments), console)
    numbers = measure_all(peers, arguments.rounds)
    print_numbers(console, numbers, arguments.rounds)
    bills = measure_bills()
    print_bills(console, bills)
    found = bounds(numbers[OURS], bills)
    print_bounds(console, found)
    if arguments.json:
        everything = {
            "seconds": numbers,
            "bills": [asdict(bill) for bill in bills],
            "bounds": [asdict(bound) for bound in found],
        }
        arguments.json.write_text(json.dumps(everything, indent=2) + "\n")


if __name__ == "__main__":
    main()
