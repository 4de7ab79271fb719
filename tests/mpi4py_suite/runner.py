"""What a rank runs: test files of mpi4py's suite, noting how each test ends.

The notes are lines of JSON in ``OUT/RANK.jsonl``: the tests of a file before it is run,
each test as it starts, and its outcome. A test that never ends ends the process, after
a time limit, with the traceback of each thread; its note stays without an outcome.
"""

import argparse
import faulthandler
import importlib
import json
import os
import runpy
import sys
import traceback
import unittest
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TextIO

PLAIN = {"ArrayArray", "ArrayNumPy"}  # the suite also has graphics cards and DLPack
LONGEST = 300  # characters of a reason

Failure = (
    tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
)


class Notes:
    """The file that a rank writes its notes to."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def plan(self, file: str, tests: list[str]) -> None:
        """Note which tests a file has."""
        self._write({"file": file, "plan": tests})

    def start(self, test: str) -> None:
        """Note that a test has started."""
        self._write({"start": test})

    def end(self, test: str, outcome: str, why: str) -> None:
        """Note how a test has ended: passed, failed or skipped."""
        self._write({"test": test, "outcome": outcome, "why": why[:LONGEST]})

    def _write(self, note: dict[str, object]) -> None:
        self._file.write(json.dumps(note) + "\n")
        self._file.flush()


class Recorder(unittest.TestResult):
    """Notes each test; the worst of what happens to a test is its outcome."""

    def __init__(self, notes: Notes, seconds: float, plan: list[str]) -> None:
        super().__init__()
        self._notes = notes
        self._seconds = seconds
        self._left = dict.fromkeys(plan)
        self._current: str | None = None
        self._outcome = ("passed", "")
        self._fate = ("failed", "was not run")  # of the tests of a class not set up

    def startTest(self, test: unittest.TestCase) -> None:
        """Note the start, and set the alarm."""
        super().startTest(test)
        self._current = test.id()
        self._outcome = ("passed", "")
        self._notes.start(self._current)
        faulthandler.dump_traceback_later(self._seconds, exit=True)

    def stopTest(self, test: unittest.TestCase) -> None:
        """Note the end."""
        faulthandler.cancel_dump_traceback_later()
        super().stopTest(test)
        self._notes.end(test.id(), *self._outcome)
        self._left.pop(test.id(), None)
        self._current = None

    def addError(self, test: unittest.TestCase, err: Failure) -> None:
        """Note a failure, of a test or of what sets up its class."""
        self._take("failed", _last_line(err))

    def addFailure(self, test: unittest.TestCase, err: Failure) -> None:
        """Note a failure."""
        self._take("failed", _last_line(err))

    def addSubTest(
        self,
        test: unittest.TestCase,
        subtest: unittest.TestCase,
        err: Failure | None,
    ) -> None:
        """Note the failure of a part of a test."""
        if err is not None:
            self._take("failed", f"{_last_line(err)} {subtest}")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        """Note that a test was skipped, but not that a part of it was."""
        if self._current in (None, test.id()):
            self._take("skipped", reason)

    def addExpectedFailure(self, test: unittest.TestCase, err: Failure) -> None:
        """Take it for success."""

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        """Take it for failure."""
        self._take("failed", "succeeded, which the suite does not expect")

    def finish(self) -> None:
        """Note the fate of tests that were not even started."""
        for test in self._left:
            self._notes.end(test, *self._fate)

    def _take(self, outcome: str, why: str) -> None:
        if self._current is None:
            self._fate = (outcome, why)
        elif self._outcome[0] != "failed":
            self._outcome = (outcome, why)


def _last_line(err: Failure) -> str:
    kind, error, frames = err
    assert kind is not None
    lines = traceback.format_exception_only(kind, error)
    places = traceback.extract_tb(frames)
    place = f" (line {places[-1].lineno} of {places[-1].filename})" if places else ""
    return " ".join(lines[-1].split()) + place


def run_tests(
    file: str, suite: unittest.TestSuite, options: argparse.Namespace, notes: Notes
) -> Recorder:
    """Run the tests of a file, but for those done before."""
    tests = [test for test in _tests(suite) if test.id() not in options.done]
    plan = [test.id() for test in tests]
    notes.plan(file, plan)
    recorder = Recorder(notes, options.seconds, plan)
    unittest.TestSuite(tests).run(recorder)
    recorder.finish()
    return recorder


def _tests(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _tests(test)
        else:
            yield test


def run_program(path: Path, options: argparse.Namespace, notes: Notes) -> None:
    """Run a file that calls `unittest.main` as the main script.

    mpi4py's workers import the main script, so the tests' functions must be in one.
    """

    class Runner:
        def run(self, suite: unittest.TestSuite) -> Recorder:
            return run_tests(path.stem, suite, options, notes)

    # Where there is no class but a runner, `unittest.main` takes it as it is.
    unittest.runner.TextTestRunner = Runner()  # type: ignore[misc, assignment]
    sys.argv = [os.fspath(path)]
    runpy.run_path(os.fspath(path), run_name="__main__")


def _leave_only_plain_arrays() -> None:
    for name in ("cupy", "numba"):
        sys.modules[name] = None  # type: ignore[assignment]
    backends = importlib.import_module("arrayimpl").ArrayBackends
    backends[:] = [kind for kind in backends if kind.__name__ in PLAIN]


def main() -> None:
    """Run the files that the arguments name."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--suite", type=Path, required=True, help="unpacked")
    parser.add_argument("--out", type=Path, required=True, help="for the notes")
    parser.add_argument("--seconds", type=float, required=True, help="for a test")
    parser.add_argument("--program", action="store_true", help="the file is a script")
    parser.add_argument("files", nargs="+", help="names without .py")
    options = parser.parse_args()
    done = options.out / "done"
    options.done = set(done.read_text().splitlines()) if done.exists() else set()
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.fspath(options.suite / "test"))
    rank = importlib.import_module("mpi4py.MPI").COMM_WORLD.Get_rank()
    _leave_only_plain_arrays()
    with (options.out / f"{rank}.jsonl").open("w") as file:
        notes = Notes(file)
        for name in options.files:
            if options.program:
                path = options.suite / "demo" / "futures" / f"{name}.py"
                run_program(path, options, notes)
            else:
                suite = unittest.defaultTestLoader.loadTestsFromName(name)
                run_tests(name, suite, options, notes)


if __name__ == "__main__":
    main()
