"""How the tests of the suite ended on all ranks, and what was expected. No processes.

1. A test has passed if it has on every rank that ran it, and one did; it is skipped if
   every rank skipped it.
2. `test_cco_obj` and a few others must pass whole, others nine tenths of what is not
   skipped, on each number of ranks.
3. A test that fails must be on the list of `not_passed.txt`, with its numbers of ranks
   and the reason.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WHOLE = {
    "test_cco_obj",
    "test_pickle",
    "test_request",
    "test_threads",
    "test_futures",
}
SHARE = 0.9  # of the tests of any other file


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a test ended: passed, failed or skipped, and why."""

    kind: str
    why: str = ""


@dataclass(slots=True)
class Notes:
    """What the ranks of one start wrote down."""

    plan: dict[str, str] = field(default_factory=dict)  # file by test, in order
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)  # of all ranks
    open: list[str] = field(default_factory=list)  # started and not ended, in order

    @classmethod
    def read(cls, folder: Path) -> "Notes":
        """Read the notes of all ranks in `folder`."""
        notes, running = cls(), set()
        for path in sorted(folder.glob("*.jsonl")):
            current: str | None = None
            for line in path.read_text().splitlines():
                current = notes.take(json.loads(line), current)
            if current is not None:
                running.add(current)
        notes.open = [test for test in notes.plan if test in running]
        return notes

    def take(self, note: Mapping[str, Any], current: str | None) -> str | None:
        """Take a rank's note; return the test that it is in now."""
        if "plan" in note:
            for test in note["plan"]:
                self.plan.setdefault(test, note["file"])
        elif "start" in note:
            return str(note["start"])
        else:
            outcome = Outcome(note["outcome"], note["why"])
            self.outcomes.setdefault(note["test"], []).append(outcome)
        return None if "test" in note else current

    def ended(self, ranks: int) -> dict[str, Outcome]:
        """Return the common outcome of each test that has ended on so many ranks."""
        return {
            test: merge(outcomes)
            for test, outcomes in self.outcomes.items()
            if len(outcomes) == ranks
        }


def merge(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome of a test that ended so on its ranks.

    >>> merge([Outcome("passed"), Outcome("failed", "too late"), Outcome("skipped")])
    Outcome(kind='failed', why='too late')
    >>> merge([Outcome("skipped", "one rank is enough"), Outcome("passed")])
    Outcome(kind='passed', why='')
    """
    for kind in ("failed", "passed", "skipped"):
        for outcome in outcomes:
            if outcome.kind == kind:
                return outcome
    msg = "a test without an outcome has none to merge"
    raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Result:
    """The tests of one file on one number of ranks over one channel."""

    file: str
    channel: str
    ranks: int
    tests: Mapping[str, Outcome]

    @property
    def counts(self) -> Counter[str]:
        """The numbers of tests that passed, failed and were skipped."""
        return Counter(outcome.kind for outcome in self.tests.values())

    @property
    def is_enough(self) -> bool:
        """Whether the file passes as far as it has to."""
        passed, failed = self.counts["passed"], self.counts["failed"]
        share = 1.0 if self.file in WHOLE else SHARE
        return bool(self.tests) and passed >= share * (passed + failed)


@dataclass(frozen=True, slots=True)
class Expected:
    """A line of the list: a test, the numbers of ranks that fail it, and why."""

    test: str
    ranks: frozenset[int]
    why: str


def read_expected(text: str) -> list[Expected]:
    """Return the lines of the list; ``#`` starts a comment.

    >>> read_expected("test_x.TestX.testX 1,2 needs a C compiler")[0].why
    'needs a C compiler'
    """
    lines = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            test, ranks, why = line.split(maxsplit=2)
            numbers = frozenset(int(number) for number in ranks.split(","))
            lines.append(Expected(test, numbers, why))
    return lines


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong, and what is better than the list says."""

    complaints: Sequence[str]
    surprises: Sequence[str]


def judge(results: Iterable[Result], expected: Iterable[Expected]) -> Verdict:
    """Compare the results with what has to pass and with the list."""
    known = {(line.test, ranks) for line in expected for ranks in line.ranks}
    complaints, surprises = [], []
    for result in results:
        place = f"{result.ranks} ranks, {result.channel} channel"
        if not result.is_enough:
            counts = dict(result.counts)
            complaints.append(f"{result.file} does not pass enough: {counts} ({place})")
        for test, outcome in result.tests.items():
            is_known = (test, result.ranks) in known
            if outcome.kind == "failed" and not is_known:
                complaints.append(f"{test} failed: {outcome.why} ({place})")
            elif outcome.kind == "passed" and is_known:
                surprises.append(f"{test} is on the list but passed ({place})")
    return Verdict(complaints, surprises)
