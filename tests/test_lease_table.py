"""What leases decide without asking anybody: ranges, tables, lifelines."""

from collections.abc import Sequence

import hypothesis.strategies as st
import pytest
from hypothesis import given

from serverless_dist.cloud import MemoryBlobs
from serverless_dist.cloud.clock import SteadyClock
from serverless_dist.cloud.lease_table import (
    TABLE_KEY,
    LeaseEntry,
    LeaseTable,
    allocate,
)
from serverless_dist.cloud.lifeline import (
    LEASE_SECONDS,
    TAKEN,
    Lifeline,
    Pulse,
)
from serverless_dist.cloud.limits import MAX_FILTERS
from serverless_dist.errors import UsageError
from tests.lease_world import entry

SIZES = [*range(1, 10), 13, 16, 24, 33, 199, 200, 201, 400, 401]

# The choice of a range.


def fits(taken: Sequence[LeaseEntry], mailboxes: int, first: int, count: int) -> bool:
    """Return whether a range keeps the rules, by looking at each mailbox."""
    used = {n for e in taken for n in range(e.first, e.first + e.count)}
    numbers = range(first, first + count)
    if count > MAX_FILTERS:
        is_placed = first % MAX_FILTERS == 0
    else:
        is_placed = len({number // MAX_FILTERS for number in numbers}) == 1
    return is_placed and numbers.stop <= mailboxes and used.isdisjoint(numbers)


@given(
    mailboxes=st.integers(1, 700),
    counts=st.lists(st.sampled_from(SIZES), max_size=20),
    released=st.sets(st.integers(0, 19)),
    count=st.sampled_from(SIZES),
)
def test_a_range_is_found_if_there_is_one(
    mailboxes: int, counts: list[int], released: set[int], count: int
) -> None:
    taken: list[LeaseEntry] = []
    for wanted in counts:
        first = allocate(taken, mailboxes, wanted)
        if first is not None:
            assert fits(taken, mailboxes, first, wanted)
            taken.append(entry(first, wanted))
    taken = [e for index, e in enumerate(taken) if index not in released]
    first = allocate(taken, mailboxes, count)
    possible = [n for n in range(mailboxes) if fits(taken, mailboxes, n, count)]
    assert first in possible if possible else first is None


def test_the_shortest_stretch_that_is_long_enough_is_chosen() -> None:
    taken = [entry(0, 1), entry(9, 1), entry(13, 1), entry(17, 1)]
    assert [allocate(taken, 24, count) for count in (1, 3, 4, 6, 7, 8, 9)] == [
        10,
        10,
        18,
        18,
        1,
        1,
        None,
    ]


def test_what_lies_past_the_last_mailbox_is_no_obstacle() -> None:
    taken = [entry(0, 2), entry(9, 200), entry(400, 33)]
    assert allocate(taken, 9, 7) == 2
    assert allocate(taken, 9, 8) is None


# The table.


def test_a_table_survives_packing() -> None:
    table = LeaseTable().changed(added=[entry(7, 9, "Ädä 🚀"), entry(0, 3)])
    assert [e.first for e in table.entries] == [0, 7]
    assert LeaseTable.unpack(table.pack()) == table
    assert LeaseTable.unpack(None) == LeaseTable()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"\xff",
        b'{"version": 2, "serial": 1, "leases": []}',
        b'{"version": 1, "serial": 1, "leases": [{"id": "a"}]}',
        LeaseTable().changed(added=[entry(-1, 3)]).pack(),
        LeaseTable().changed(added=[entry(0, 0)]).pack(),
    ],
)
def test_a_damaged_table_says_what_to_do(data: bytes) -> None:
    blobs = MemoryBlobs()
    blobs.put(TABLE_KEY, data)
    with pytest.raises(UsageError, match=r"table of leases .* deploy again"):
        LeaseTable.read(blobs)


# Lifelines.


def test_a_lifeline_lives_as_long_as_it_changes() -> None:
    lifeline = Lifeline(now=100.0)
    for turn in range(5):
        assert lifeline.feed(b"%d" % turn, 100 + 29.0 * turn) is Pulse.ALIVE
    assert lifeline.feed(b"4", 216 + LEASE_SECONDS - 0.1) is Pulse.ALIVE
    assert lifeline.feed(b"4", 216 + LEASE_SECONDS) is Pulse.LAPSED


@pytest.mark.parametrize("content", [None, TAKEN])
def test_a_lifeline_that_is_gone_or_taken_is_stopped(content: bytes | None) -> None:
    lifeline = Lifeline(now=0.0)
    assert lifeline.feed(b"1", 1.0) is Pulse.ALIVE
    assert lifeline.feed(content, 2.0) is Pulse.STOPPED
    assert lifeline.feed(b"2", 3.0) is Pulse.STOPPED


def test_a_lifeline_that_nobody_can_read_lapses_for_good() -> None:
    lifeline = Lifeline(now=0.0)
    assert lifeline.pulse(LEASE_SECONDS - 0.1) is Pulse.ALIVE
    assert lifeline.pulse(LEASE_SECONDS) is Pulse.LAPSED
    assert lifeline.feed(b"new", LEASE_SECONDS + 1) is Pulse.LAPSED


def test_the_steady_clock_goes_on() -> None:
    clock = SteadyClock()
    before = clock.now()
    assert clock.now() >= before
    assert repr(clock).startswith("<SteadyClock at ")
