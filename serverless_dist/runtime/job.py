"""The life of a job as the driver sees it. Pure: events and times in, verdicts out.

1. A job is done when every rank has returned a value and said what it used.
2. It has failed when one rank has failed, or its process is gone without a word. The
   word may be on its way when the process ends, so it gets a moment. When a rank has
   left by `sys.exit` with a failure, the others get a few seconds to do the same, as
   those of a test suite would.
3. It has failed when its deadline has passed. The ranks are told the deadline and
   raise first, with what they waited for; the driver allows a moment for that too.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from serverless_dist.cloud import Usage
from serverless_dist.comm import Span
from serverless_dist.errors import (
    DeadlineError,
    RankDiedError,
    RankError,
    ServerlessDistError,
)
from serverless_dist.runtime.control import (
    Ended,
    Event,
    Failure,
    Farewell,
    Outcome,
    Traced,
)
from serverless_dist.wire import decode

GRACE = 1.0  # seconds that a word may take after the end of its process
LEAVE = 3.0  # seconds that the others have once a rank has left with a failure
LATE = 2.0  # seconds after the deadline that a rank has to say what it waited for


class Job:
    """Collects the ends of `size` ranks.

    Parameters
    ----------
    size
        The number of ranks.
    started, timeout
        When it started, and how many seconds it may take.
    """

    def __init__(self, size: int, *, started: float, timeout: float) -> None:
        self._size = size
        self._timeout = timeout
        self._deadline = started + timeout + LATE
        self._outcomes: dict[int, Outcome] = {}
        self._farewells: dict[int, Farewell] = {}
        self._timelines: dict[int, Sequence[Span]] = {}
        self._silent: dict[int, tuple[str, float]] = {}
        self._never_run: set[int] = set()
        self._stop = math.inf  # when the others have had their time

    def __repr__(self) -> str:
        return f"<Job: {len(self._farewells)} of {self._size} ranks done>"

    @property
    def is_done(self) -> bool:
        """Whether every rank has returned and said what it used."""
        return len(self._outcomes) == len(self._farewells) == self._size

    @property
    def have_all_left(self) -> bool:
        """Whether no rank will use its mailbox any more.

        The last request of a rank that was killed may still wait at the mailbox.
        """
        return len(self._never_run | self._farewells.keys()) == self._size

    @property
    def outcomes(self) -> Sequence[Outcome]:
        """The ends of all ranks, in order; only when `is_done`."""
        return [self._outcomes[rank] for rank in range(self._size)]

    @property
    def usage(self) -> Usage:
        """What all ranks have used; only when `is_done`."""
        return sum((said.usage for said in self._farewells.values()), Usage())

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many frames to ranks were dropped, by reason."""
        counts: Counter[str] = Counter()
        for said in self._farewells.values():
            counts.update(said.dropped)
        return counts

    @property
    def traffic(self) -> Sequence[tuple[int, int, int, int]]:
        """Source, dest, messages and bytes of each pair of ranks that spoke."""
        ranks = sorted(self._farewells)
        return [
            (rank, *sent) for rank in ranks for sent in self._farewells[rank].traffic
        ]

    @property
    def timelines(self) -> Mapping[int, Sequence[Span]]:
        """When each rank that was asked did what."""
        return dict(sorted(self._timelines.items()))

    def feed(self, event: Event, now: float) -> None:
        """Take note of an event."""
        match event:
            case Outcome(rank=rank, failure=failure):
                self._outcomes[rank] = event
                self._stop = min(self._stop, now + _patience(failure))
            case Traced(rank, spans):
                self._timelines[rank] = spans
            case Farewell(rank=rank):
                self._farewells[rank] = event
                if rank not in self._outcomes:
                    self._silent[rank] = ("left before it returned", now + GRACE)
            case Ended(rank, how, has_run):
                if not has_run:
                    self._never_run.add(rank)
                self._silent[rank] = (how, now + GRACE)
        for rank in self._outcomes.keys() & self._farewells.keys():
            self._silent.pop(rank, None)

    def failure(self, now: float) -> ServerlessDistError | None:
        """Return why the job has failed by `now`, if it has."""
        failed = [o for o in self._outcomes.values() if o.failure is not None]
        if failed and (now >= self._stop or len(self._outcomes) == self._size):
            return _rank_error(failed[0])
        for rank, (how, until) in self._silent.items():
            if now >= until:
                return RankDiedError(rank, how)
        if now >= self._deadline:
            missing = [r for r in range(self._size) if r not in self._outcomes]
            ranks = "rank" if len(missing) == 1 else "ranks"
            names = ", ".join(map(str, missing))
            msg = f"{ranks} {names} did not finish within {self._timeout:g} s"
            return DeadlineError(msg)
        return None

    def next_check(self) -> float:
        """Return when `failure` may change without an event."""
        ends = [until for _, until in self._silent.values()]
        return min(self._deadline, self._stop, *ends)

    def values(self) -> list[Any]:
        """Return what the ranks returned, in order; only when `is_done`."""
        return [_value(outcome) for outcome in self.outcomes]


def _patience(failure: Failure | None) -> float:
    """Return the seconds that the others have after the end of a rank."""
    if failure is None:
        return math.inf
    return LEAVE if failure.is_exit else 0.0


def _rank_error(outcome: Outcome) -> RankError:
    failure = outcome.failure
    assert failure is not None
    error = RankError(outcome.rank, failure.summary, failure.traceback)
    if failure.error:
        # The exception is a courtesy: one that cannot be rebuilt here is left out.
        with suppress(Exception, SystemExit):
            error.__cause__ = decode(failure.error)
    return error


def _value(outcome: Outcome) -> Any:
    try:
        return decode(outcome.value)
    except (Exception, SystemExit) as error:
        summary = f"returned a value that this process cannot load: {error!r}"
        raise RankError(outcome.rank, summary) from error
