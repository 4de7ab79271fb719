"""The verdicts on a job, without processes or time."""

import pytest

from serverless_dist.cloud import Usage
from serverless_dist.errors import DeadlineError, RankDiedError, RankError
from serverless_dist.runtime.control import (
    Ended,
    Event,
    Failure,
    Farewell,
    Outcome,
    Phases,
    Progress,
    enclosed,
)
from serverless_dist.runtime.job import GRACE, LATE, LEAVE, Job
from serverless_dist.wire import decode, encode

NO_TIME = Phases(0.0, 0.0, 0.0, 0.0)


def travelled(outcome: Outcome) -> Outcome:
    received = decode([bytearray().join(encode(outcome))])
    assert isinstance(received, Outcome)
    return received


def returned(rank: int, value: object = None) -> Outcome:
    return travelled(Outcome(rank, enclosed(value), None, NO_TIME))


def failed(rank: int, failure: Failure) -> Outcome:
    return travelled(Outcome(rank, (), failure, NO_TIME))


def farewell(rank: int) -> Farewell:
    return Farewell(rank, Usage({"s3:PutObject": rank + 1}))


def job(size: int = 2) -> Job:
    return Job(size, started=100.0, timeout=10.0)


def test_a_job_is_done_when_all_ranks_have_returned() -> None:
    it = job()
    it.feed(returned(1, "one"), 101.0)
    assert not it.is_done
    it.feed(Progress(1, 2), 101.0)
    it.feed(returned(0, "zero"), 102.0)
    it.feed(farewell(1), 102.0)
    assert not it.is_done
    it.feed(farewell(0), 102.0)
    assert it.is_done
    assert it.usage == Usage({"s3:PutObject": 3})
    assert it.values() == ["zero", "one"]
    assert it.failure(102.0) is None


def test_a_failed_rank_fails_the_job_at_once() -> None:
    it = job()
    error = ValueError("oops")
    failure = Failure("raised ValueError: oops", "Traceback ...", enclosed(error))
    it.feed(failed(1, failure), 101.0)
    raised = it.failure(101.0)
    assert isinstance(raised, RankError)
    assert str(raised) == "rank 1 raised ValueError: oops\n\nTraceback ..."
    assert repr(raised.__cause__) == "ValueError('oops')"


def left(rank: int, code: int) -> Outcome:
    summary = f"exited with code {code}"
    return failed(
        rank, Failure(summary, error=enclosed(SystemExit(code)), is_exit=True)
    )


def test_when_a_rank_leaves_the_others_have_some_time_to_end() -> None:
    it = job(3)
    it.feed(left(1, 3), 101.0)
    assert it.failure(101.0) is None
    assert it.next_check() == 101.0 + LEAVE
    it.feed(left(2, 4), 102.0)
    assert it.next_check() == 101.0 + LEAVE
    raised = it.failure(101.0 + LEAVE)
    assert str(raised) == "rank 1 exited with code 3"
    assert raised is not None
    assert repr(raised.__cause__) == "SystemExit(3)"


def test_when_all_ranks_have_ended_one_that_left_fails_the_job_at_once() -> None:
    it = job()
    it.feed(left(1, 3), 101.0)
    it.feed(returned(0), 101.5)
    assert str(it.failure(101.5)) == "rank 1 exited with code 3"


def test_a_rank_that_raises_after_another_has_left_fails_the_job_at_once() -> None:
    it = job(3)
    it.feed(left(1, 3), 101.0)
    it.feed(failed(0, Failure("raised it")), 101.5)
    assert str(it.failure(101.5)) == "rank 1 exited with code 3"


class Stubborn(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__("only one argument")
        self.sum = one + two


def test_an_exception_that_cannot_be_rebuilt_is_left_out() -> None:
    it = job()
    it.feed(failed(0, Failure("raised it", "", enclosed(Stubborn(1, 2)))), 101.0)
    raised = it.failure(101.0)
    assert isinstance(raised, RankError)
    assert raised.__cause__ is None


def test_a_process_that_ends_without_a_word_fails_the_job_after_a_moment() -> None:
    it = job()
    it.feed(Ended(1, "was killed by SIGKILL before it returned"), 101.0)
    assert it.failure(101.0) is None
    assert it.next_check() == 101.0 + GRACE
    raised = it.failure(101.0 + GRACE)
    assert isinstance(raised, RankDiedError)
    assert str(raised) == "rank 1 was killed by SIGKILL before it returned"


@pytest.mark.parametrize("first", ["the word", "the end"])
def test_a_process_that_ends_after_its_word_is_fine(first: str) -> None:
    it = job(1)
    end = Ended(0, "ended with exit code 0")
    events: list[Event] = [returned(0), farewell(0), end]
    for event in events if first == "the word" else reversed(events):
        it.feed(event, 101.0)
    assert it.is_done
    assert it.failure(109.0) is None


def test_a_job_past_its_deadline_names_the_ranks_that_are_missing() -> None:
    it = job(3)
    it.feed(returned(1), 101.0)
    assert it.next_check() == 110.0 + LATE
    assert it.failure(110.0) is None
    raised = it.failure(110.0 + LATE)
    assert isinstance(raised, DeadlineError)
    assert str(raised) == "ranks 0, 2 did not finish within 10 s"


def test_a_value_that_cannot_be_loaded_names_its_rank() -> None:
    it = job(1)
    it.feed(returned(0, Stubborn(1, 2)), 101.0)
    it.feed(farewell(0), 101.0)
    with pytest.raises(RankError, match="rank 0 returned a value that this process"):
        it.values()


def test_a_rank_that_was_killed_has_not_left_its_mailbox() -> None:
    it = job(3)
    it.feed(Farewell(0, Usage()), 100.0)
    it.feed(Ended(1, "was not started: it is refused", has_run=False), 100.0)
    it.feed(Ended(2, "ended before it returned"), 100.0)
    assert not it.have_all_left
    it.feed(Farewell(2, Usage()), 101.0)
    assert it.have_all_left


def test_a_rank_that_leaves_without_an_outcome_has_failed() -> None:
    it = job(2)
    it.feed(returned(0), 100.0)
    it.feed(Farewell(0, Usage()), 100.0)
    it.feed(Farewell(1, Usage()), 101.0)
    assert it.failure(101.0) is None
    error = it.failure(101.0 + GRACE)
    assert isinstance(error, RankDiedError)
    assert str(error) == "rank 1 left before it returned"
