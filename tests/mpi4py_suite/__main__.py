"""Run mpi4py's own test suite as ranks and compare with what is expected.

``python -m tests.mpi4py_suite`` fetches the suite from the package registry and runs it
with 1, 2, 3 and 4 ranks over the direct channel, one file with 2 and 3 also over the
queue channel, and the tests of mpi4py.futures with 3. It fails if a test fails that is
not in ``not_passed.txt``, or if too few of a file's tests pass. Where the registry
cannot be reached, it says so and does nothing.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.mpi4py_suite.fetch import UnreachableError, fetch
from tests.mpi4py_suite.outcomes import (
    Notes,
    Outcome,
    Result,
    Verdict,
    judge,
    read_expected,
)

HERE = Path(__file__).parent
FILES = [
    "test_cco_obj",
    "test_p2p_obj",
    "test_p2p_obj_matched",
    "test_request",
    "test_status",
    "test_group",
    "test_comm",
    "test_op",
    "test_threads",
    "test_pickle",
    "test_exceptions",
    "test_attributes",
    "test_cco_nb_buf",
    "test_cco_nb_vec",
    "test_cco_ngh_obj",
    "test_cco_ngh_buf",
    "test_comm_topo",
    "test_comm_inter",
    "test_cco_obj_inter",
    "test_util_pkl5",
    "test_p2p_buf",
    "test_p2p_buf_matched",
    "test_cco_buf",
    "test_cco_vec",
    "test_cco_buf_inter",
    "test_cco_vec_inter",
    "test_cco_pr_buf",
    "test_cco_pr_vec",
    "test_cco_pr_ngh_buf",
    "test_address",
    "test_buffer",
    "test_datatype",
    "test_errhandler",
    "test_info",
    "test_pack",
    "test_subclass",
]
SIZES = (1, 2, 3, 4)
ONCE_MORE, ONCE_MORE_SIZES = "test_cco_obj", (2, 3)  # over the queue channel
FUTURES, FUTURES_SIZE = "test_futures", 3
STARTS = 6  # of the ranks for one job: each test that hangs costs one
HUNG = "did not end"


@dataclass(frozen=True, slots=True)
class Job:
    """Files to run with one number of ranks."""

    files: Sequence[str]
    ranks: int
    channel: str = "direct"

    @property
    def is_futures(self) -> bool:
        """Whether rank 0 runs the tests and the others work for it."""
        return FUTURES in self.files


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs jobs.

    Attributes
    ----------
    suite
        The folder of the unpacked distribution.
    launcher
        The command of another launcher, up to the interpreter, with ``{ranks}`` in it;
        empty: ours.
    seconds
        How long a test may take.
    """

    suite: Path
    launcher: str
    seconds: float

    def run(self, job: Job) -> list[Result]:
        """Run a job; start again after what hangs or dies."""
        ended: dict[str, Outcome] = {}
        plan: dict[str, str] = {}
        for _ in range(STARTS):
            notes, words = self._start(job, ended)
            plan = {**notes.plan, **plan}
            ended |= notes.ended(1 if job.is_futures else job.ranks)
            left = [test for test in plan if test not in ended]
            if plan and not left:
                break
            # Ranks are in different tests; the first is the one that holds them up.
            culprit = (notes.open or left or [f"{job.files[0]}.start"])[0]
            plan.setdefault(culprit, job.files[0])  # it did not even come to a test
            ended[culprit] = Outcome("failed", f"{HUNG}: {words}")
            if not notes.plan:
                break
        for test in plan:
            ended.setdefault(test, Outcome("failed", "was not run: too many hang"))
        return [
            Result(
                file,
                job.channel,
                job.ranks,
                {test: ended[test] for test in plan if plan[test] == file},
            )
            for file in job.files
        ]

    def _start(self, job: Job, done: dict[str, Outcome]) -> tuple[Notes, str]:
        """Start the ranks once; return their notes and their first words."""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "done").write_text("\n".join(done))
            arguments = [os.fspath(HERE / "runner.py"), "--out", folder]
            arguments += ["--suite", os.fspath(self.suite)]
            arguments += ["--seconds", str(self.seconds)]
            if job.is_futures:
                arguments = ["-m", "mpi4py.futures", *arguments, "--program"]
            process = subprocess.run(
                [*self._command(job), *arguments, *job.files],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            notes = Notes.read(Path(folder))
            if notes.open or process.returncode:
                sys.stderr.write(process.stderr)  # with the traceback of each thread
            words = process.stderr.strip().splitlines() or ["nothing was said"]
            return notes, words[0]

    def _command(self, job: Job) -> list[str]:
        if self.launcher:
            return shlex.split(self.launcher.format(ranks=job.ranks))
        ours = [sys.executable, "-m", "serverless_dist", "run"]
        options = ["-n", str(job.ranks), "--channel", job.channel, "--timeout", "900"]
        return [*ours, *options]

    def _environment(self) -> dict[str, str]:
        if self.launcher:
            return dict(os.environ)
        # mpi4py's pure-Python parts, for which no wheel has to be installed.
        paths = [os.fspath(self.suite / "src"), os.environ.get("PYTHONPATH", "")]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def jobs(options: argparse.Namespace) -> Iterator[Job]:
    """Give the jobs that the arguments ask for."""
    for ranks in options.sizes:
        yield Job([file for file in options.files if file != FUTURES], ranks)
    if ONCE_MORE in options.files and not options.launcher:
        for ranks in ONCE_MORE_SIZES:
            if ranks in options.sizes:
                yield Job([ONCE_MORE], ranks, "queue")
    if FUTURES in options.files:
        yield Job([FUTURES], FUTURES_SIZE)


def show(console: Console, results: Sequence[Result]) -> None:
    """Print the counts of each file, and why tests were skipped."""
    sizes = sorted({result.ranks for result in results})
    table = Table(title="passed / failed / skipped", box=None)
    table.add_column("file")
    for size in sizes:
        table.add_column(f"{size} ranks", justify="right")
    rows: dict[tuple[str, str], dict[int, str]] = {}
    reasons: Counter[str] = Counter()
    total: dict[int, Counter[str]] = {size: Counter() for size in sizes}
    for result in results:
        row = rows.setdefault((result.file, result.channel), {})
        row[result.ranks] = _cell(result.counts)
        total[result.ranks] += result.counts
        reasons.update(o.why for o in result.tests.values() if o.kind == "skipped")
    for (file, channel), cells in rows.items():
        name = file if channel == "direct" else f"{file} ({channel})"
        table.add_row(name, *(cells.get(size, "") for size in sizes))
    table.add_row("all", *(_cell(total[size]) for size in sizes), style="bold")
    console.print(table)
    for why, count in reasons.most_common():
        console.print(f"skipped {count}: {why}", highlight=False, markup=False)


def _cell(counts: Counter[str]) -> str:
    return f"{counts['passed']} / {counts['failed']} / {counts['skipped']}"


def report(console: Console, verdict: Verdict) -> int:
    """Print what is not as expected; return the exit code."""
    for line in (*verdict.surprises, *verdict.complaints):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(f"{len(verdict.complaints)} complaints")
    return 1 if verdict.complaints else 0


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m tests.mpi4py_suite")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    add = parser.add_argument
    add("--cache", type=Path, default=cache / "serverless-dist", help="for the suite")
    add("--sizes", type=int, nargs="+", default=SIZES, help="numbers of ranks")
    add("--files", nargs="+", default=[*FILES, FUTURES], help="without .py")
    add("--seconds", type=float, default=30.0, help="how long a test may take")
    add("--launcher", default="", help="another, as 'mpiexec -n {ranks} python'")
    options = parser.parse_args()
    console = Console(width=100)
    try:
        suite = fetch(options.cache)
    except UnreachableError as error:
        console.print(f"mpi4py's test suite is skipped: {error}", markup=False)
        return 0
    runner = Runner(suite.absolute(), options.launcher, options.seconds)
    results = []
    for job in jobs(options):
        started = time.monotonic()
        results += runner.run(job)
        seconds = time.monotonic() - started
        console.print(f"{job.ranks} ranks, {job.channel} channel: {seconds:.0f} s")
    show(console, results)
    expected = read_expected((HERE / "not_passed.txt").read_text())
    return report(console, judge(results, expected))


if __name__ == "__main__":
    sys.exit(main())
