"""How fast the communicator is beside real MPI and pipes, and what it asks of a cloud.

    python benchmarks/communicator.py [--rounds 5] [--mpich VENV] [--json FILE]

All contenders take turns in one run, and every bound is on a ratio or a time of that
run. MPICH and mpi4py come from VENV, a virtual environment with `mpich`, `mpi4py` and
`numpy`; without it one is made in the cache, and where that cannot be done their
columns stay empty.

Python keeps what it compiles, for all contenders, as it does where it is not told else:
without that, half of the time of a start goes by in compiling.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from communicator_pipe import measure_pipe
from communicator_requests import Cost, measure_costs, print_costs
from rich.console import Console
from rich.table import Table

from serverless_dist import Communicator, run

MPICH = ("mpich==5.0.2", "mpi4py==4.1.2", "numpy")
SCRIPT = Path(__file__).with_name("communicator_speed.py")
OURS, THEIRS, PIPE = "serverless_dist", "MPICH", "Pipe"
SMALL, MEGABYTE, LARGE = 8, 1 << 20, 1 << 24
REPEATS = {SMALL: 500, 1 << 10: 500, MEGABYTE: 30, LARGE: 7}  # within a round
Seconds = dict[str, float]
Contender = Callable[[], Seconds]
"""Measures cases once and returns the seconds of each by name."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a number must not exceed."""

    text: str
    value: float
    limit: float
    unit: str

    @property
    def is_held(self) -> bool:
        """Whether it does not."""
        return self.value <= self.limit


def cache() -> Path:
    """Return the directory for what is made once."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "serverless-dist"


def find_mpich(given: Path | None) -> Path | str:
    """Return a virtual environment with MPICH and mpi4py, or why there is none."""
    if given is not None:
        is_there = (given / "bin" / "mpiexec").exists()
        return given if is_there else f"there is no {given}/bin/mpiexec"
    place = cache() / "-".join(MPICH[:2]).replace("==", "-")
    mark = place / "complete"
    if not mark.exists():
        venv.create(place, clear=True, with_pip=True)
        python = str(place / "bin" / "python")
        command = [python, "-m", "pip", "install", "--quiet", *MPICH]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            return f"pip cannot install it: {done.stderr.strip().splitlines()[-1]}"
        mark.touch()
    return place


def keep_compiled() -> None:
    """Have all Pythons of this benchmark keep what they compile, out of the way."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = os.fspath(cache() / "compiled")


def arguments_of(mode: str) -> list[str]:
    """Return the arguments of the measuring script."""
    if mode == "start":
        return [mode, str(time.time())]
    sizes = REPEATS if mode == "round-trip" else (SMALL, MEGABYTE)
    return [mode, *(f"{size}:{REPEATS[size]}" for size in sizes)]


def script_of(mpich: Path | None, ranks: int, mode: str) -> Contender:
    """Return what runs the measuring script, under MPICH or else under our launcher."""
    if mpich is None:
        launcher = [sys.executable, "-m", "serverless_dist", "run"]
        command = [*launcher, "-n", str(ranks), "--channel", "direct", str(SCRIPT)]
    else:
        launcher = [str(mpich / "bin" / "mpiexec"), "-n", str(ranks)]
        command = [*launcher, str(mpich / "bin" / "python"), str(SCRIPT)]

    def contender() -> Seconds:
        line = [*command, *arguments_of(mode)]
        done = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True)
        seconds: Seconds = json.loads(done.stdout.splitlines()[-1])
        return seconds

    return contender


def first_line(comm: Communicator) -> float:
    """Return the time at which a rank has begun."""
    del comm
    return time.time()


def measure_run() -> Seconds:
    """Return how long `run` takes until the last of four ranks has begun."""
    launched = time.time()
    return {"start": max(run(first_line, ranks=4, channel="direct")) - launched}


def take_turns(contenders: Mapping[str, Contender], rounds: int) -> dict[str, Seconds]:
    """Return the median seconds of each contender's cases."""
    came: dict[str, list[Seconds]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            came[name].append(contender())
    return {
        name: {
            case: statistics.median(seconds[case] for seconds in all_seconds)
            for case in all_seconds[0]
        }
        for name, all_seconds in came.items()
    }


def measure_speed(mpich: Path | None, rounds: int) -> dict[str, dict[str, Seconds]]:
    """Return the seconds of all contenders, by comparison, contender and case."""

    def both(ranks: int, mode: str) -> dict[str, Contender]:
        ours = {OURS: script_of(None, ranks, mode)}
        theirs = {THEIRS: script_of(mpich, ranks, mode)} if mpich else {}
        return ours | theirs

    comparisons = {
        "round trip": both(2, "round-trip") | {PIPE: partial(measure_pipe, REPEATS)},
        "Allreduce, 2 ranks": both(2, "allreduce"),
        "Allreduce, 4 ranks": both(4, "allreduce"),
        "start of 4 ranks": {"run()": measure_run} | both(4, "start"),
    }
    return {
        name: take_turns(contenders, rounds) for name, contenders in comparisons.items()
    }


def bounds(speed: Mapping[str, Mapping[str, Seconds]]) -> list[Bound]:
    """Return what the project has promised, as far as its peers were measured."""
    trips, sums = speed["round trip"], speed["Allreduce, 2 ranks"]
    ours = trips[OURS]
    array = ours[f"array {LARGE}"]
    found = [
        Bound("round trip of 8 B", ours[f"bytes {SMALL}"] * 1e6, 60, "us"),
        Bound("1 MiB Allreduce, 2 ranks", sums[OURS][f"{MEGABYTE}"] * 1e3, 1, "ms"),
    ]
    for name, text in (("run()", "by run()"), (OURS, "by the command line")):
        started = speed["start of 4 ranks"][name]["start"]
        found.append(Bound(f"start of 4 ranks {text}", started, 0.5, "s"))
    if THEIRS in trips:
        theirs = trips[THEIRS]
        for kind, limit in (("array", 1.0), ("pkl5", 1.5)):
            ratio = array / theirs[f"{kind} {LARGE}"]
            name = "send" if kind == "array" else kind
            text = f"16 MiB array as object / mpi4py's {name}"
            found.append(Bound(text, ratio, limit, "times"))
    return found


def chain_bounds(costs: list[Cost]) -> list[Bound]:
    """Return by how much chains grow with each rank, where published ones grow by 1."""
    few, many = costs[0].ranks, costs[-1].ranks
    chains = {(cost.call, cost.channel, cost.ranks): cost.chain for cost in costs}
    return [
        Bound(
            f"{call}, {channel}: chain for each rank added",
            (chains[call, channel, many] - chains[call, channel, few]) / (many - few),
            0.5,
            "links",
        )
        for channel in ("queue", "object")
        for call in ("allreduce", "gather", "scatter")
    ]


def in_words(seconds: float | None) -> str:
    """Return a time in the unit that suits it."""
    if seconds is None:
        return "-"
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * scale >= 1 or unit == "us":
            return f"{seconds * scale:.3g} {unit}"
    return ""


def print_speed(
    console: Console, speed: Mapping[str, Mapping[str, Seconds]], rounds: int
) -> None:
    """Print a table for each comparison: contenders in columns, cases in rows."""
    for name, contenders in speed.items():
        table = Table("", *contenders, title=f"{name}, median of {rounds}")
        if OURS in contenders and THEIRS in contenders:
            table.add_column("ratio")
        cases = dict.fromkeys(case for cases in contenders.values() for case in cases)
        for case in cases:
            times = [seconds.get(case) for seconds in contenders.values()]
            row = [in_words(seconds) for seconds in times]
            ours, theirs = (contenders.get(who, {}).get(case) for who in (OURS, THEIRS))
            row += [f"{ours / theirs:.2g}"] if ours and theirs else []
            table.add_row(case, *row)
        console.print(table)


def print_bounds(console: Console, found: list[Bound]) -> None:
    """Print whether what was promised holds."""
    table = Table("bound", "here", "at most", "", title="What is required")
    for bound in found:
        numbers = [f"{n:.3g} {bound.unit}" for n in (bound.value, bound.limit)]
        table.add_row(bound.text, *numbers, "holds" if bound.is_held else "MISSED")
    console.print(table)


def main() -> None:
    """Measure, print, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mpich", type=Path, help="a virtual environment with MPICH")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    arguments = parser.parse_args()
    console = Console()
    keep_compiled()
    mpich = find_mpich(arguments.mpich)
    if isinstance(mpich, str):
        console.print(f"without MPICH: {mpich}")
    speed = measure_speed(mpich if isinstance(mpich, Path) else None, arguments.rounds)
    found = bounds(speed)
    print_speed(console, speed, arguments.rounds)
    costs = measure_costs()
    print_costs(console, costs)
    found += chain_bounds(costs)
    print_bounds(console, found)
    if arguments.json:
        numbers = {
            "seconds": speed,
            "bounds": [asdict(bound) for bound in found],
            "requests": [asdict(cost) for cost in costs],
        }
        arguments.json.write_text(json.dumps(numbers, indent=2) + "\n")


if __name__ == "__main__":
    main()
