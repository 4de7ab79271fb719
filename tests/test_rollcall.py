"""Who does not answer the roll is invited again, and named in the end."""

from math import inf

import pytest

from serverless_dist.cloud.limits import LAMBDA_EVENT_AGE
from serverless_dist.runtime.rollcall import Missing, RollCall

START = 1_000.0


def test_the_roll_is_called_until_all_have_started() -> None:
    roll = RollCall(4, 2, START)
    assert roll.next_call > START
    assert roll.take({0, 1, 2, 3}) == Missing()
    assert roll.next_call == inf


def test_who_is_missing_is_invited_by_the_roots_of_what_is_missing() -> None:
    roll = RollCall(8, 3, START)
    assert not roll.take({0, 2, 4, 5}).invite
    assert list(roll.take({0, 2, 4, 5}).invite) == [1, 3]  # rank 1 starts 6 and 7
    assert not roll.take({0, 1, 2, 4, 5, 6, 7}).invite
    assert list(roll.take({0, 1, 2, 4, 5, 6, 7}).invite) == [3]


def test_nobody_is_invited_again_while_more_and_more_start() -> None:
    roll = RollCall(16, 4, START)
    for count in (3, 7, 12):
        assert roll.take(range(count)) == Missing()


def test_all_are_invited_again_if_nobody_has_started() -> None:
    assert list(RollCall(3, 3, START).take(()).invite) == [0, 1, 2]


def test_calls_come_one_after_the_other_and_the_last_after_all_invitations() -> None:
    roll, calls = RollCall(2, 2, START), []
    roll.take({0})
    while (missing := roll.take({0})).error is None:
        assert list(missing.invite) == [1]
        calls.append(roll.next_call)
    assert calls == sorted(set(calls))
    assert calls[-1] > START + LAMBDA_EVENT_AGE
    assert roll.next_call == inf


@pytest.mark.parametrize(
    ("present", "words"),
    [
        ([0, 2], "rank 1 did not start within 75 s: serverless-dist doctor shows"),
        ([2], "rank 0 did not start within 75 s, nor did 1 more: serverless-dist"),
        ([], "rank 0 did not start within 75 s, nor did 2 more: serverless-dist"),
    ],
)
def test_who_never_starts_is_named(present: list[int], words: str) -> None:
    roll = RollCall(3, 3, START)
    while (missing := roll.take(present)).error is None:
        pass
    assert str(missing.error).startswith(words)
    assert missing.error.rank == min({0, 1, 2} - set(present))
