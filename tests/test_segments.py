"""Bodies in shared memory: which segment is next, who holds it, and what lies."""

import fcntl
import gc
import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import numpy as np
import pytest
from hypothesis import given, strategies as st

from serverless_dist.errors import ProtocolError
from serverless_dist.transport import segments as module
from serverless_dist.transport.loans import Loans
from serverless_dist.transport.segments import (
    HEAD,
    Segment,
    SegmentPool,
    choose,
    surplus,
)
from serverless_dist.transport.streams import Loan


@dataclass(frozen=True)
class Shelf:
    """A segment to choose from."""

    capacity: int
    written: int
    last_use: int
    is_free: bool = True


def shelves(most: int) -> st.SearchStrategy[list[Shelf]]:
    """Return lists of up to `most` segments, each last used at a time of its own."""
    one = st.tuples(st.integers(0, 8), st.integers(0, 256), st.booleans())
    return st.lists(one, max_size=most).map(
        lambda rows: [
            Shelf(1 << exponent, min(written, 1 << exponent), number, is_free)
            for number, (exponent, written, is_free) in enumerate(rows)
        ]
    )


@given(shelves(6), st.integers(1, 300), st.integers(0, 500))
def test_a_choice_is_free_fits_and_keeps_the_limits(
    there: list[Shelf], size: int, idle_bytes: int
) -> None:
    choice = choose(there, size, limit=6, idle_bytes=idle_bytes)
    reuse = [] if choice.reuse is None else [choice.reuse]
    assert all(s.is_free and s.capacity >= size for s in reuse)
    assert all(s.is_free and s not in reuse for s in choice.retire)
    assert not (reuse and choice.may_create)
    left = [s for s in there if s not in choice.retire]
    assert len(left) + choice.may_create <= 6
    idle = [s for s in left if s.is_free and s not in reuse]
    assert sum(s.written for s in idle) <= idle_bytes
    is_hopeless = len(there) == 6 and not any(s.is_free for s in there)
    assert reuse or choice.may_create or is_hopeless


def test_the_smallest_that_fits_is_taken_and_the_last_used_of_equals() -> None:
    there = [Shelf(256, 9, 1), Shelf(128, 9, 2), Shelf(128, 9, 3)]
    assert choose(there, 100, limit=9, idle_bytes=99).reuse is there[2]
    assert choose(there, 129, limit=9, idle_bytes=99).reuse is there[0]


def test_a_small_body_does_not_take_a_huge_segment() -> None:
    choice = choose([Shelf(1 << 20, 9, 1)], 1000, limit=9, idle_bytes=99)
    assert choice.reuse is None
    assert choice.may_create


def test_at_the_limit_what_was_idle_longest_makes_room() -> None:
    there = [Shelf(8, 8, n, is_free) for n, is_free in enumerate([False, True, True])]
    choice = choose(there, 100, limit=3, idle_bytes=99)
    assert choice.may_create
    assert list(choice.retire) == [there[1]]


def test_surplus_keeps_what_was_used_last() -> None:
    there = [Shelf(64, 40, n) for n in (3, 2, 1)]
    assert list(surplus(there, 80)) == there[2:]
    assert list(surplus(there, 120)) == []
    assert list(surplus(there, 39)) == there


@pytest.fixture
def pool() -> Iterator[SegmentPool]:
    pool = SegmentPool(2)
    yield pool
    pool.close()


def stored(pool: SegmentPool, body: bytes, borrowers: int = 1) -> Segment:
    """Store a body for which there must be memory."""
    segment, _ = pool.store((body,), len(body), borrowers)
    assert segment is not None
    return segment


def borrow(loans: Loans, segment: Segment, size: int, place: int = 0) -> memoryview:
    """Read a body as rank `place` does."""
    if segment.number not in loans._maps:
        loans.admit(segment.number, segment.descriptor)
    return loans.borrow(Loan(0, 0, segment.number, place, size, 1, is_fresh=False))


def test_a_segment_is_used_again_only_when_all_have_given_it_back(
    pool: SegmentPool,
) -> None:
    first = stored(pool, b"a" * 1000, borrowers=2)
    views = [borrow(Loans(rank, 0), first, 1000, place=rank) for rank in range(2)]
    assert stored(pool, b"b" * 1000) is not first
    del views[0]
    assert stored(pool, b"c" * 1000) is not first
    assert views == [b"a" * 1000]
    del views[0]
    assert stored(pool, b"d" * 1000) is first


def test_part_of_a_body_holds_all_of_it(pool: SegmentPool) -> None:
    segment = stored(pool, bytes(1000))
    view = borrow(Loans(1, 0), segment, 1000)
    part = np.frombuffer(view, np.uint8)[990:].reshape(2, 5).T
    del view
    assert not segment.is_free
    del part
    assert segment.is_free


def test_what_refers_to_itself_is_given_back_when_it_is_collected(
    pool: SegmentPool,
) -> None:
    segment = stored(pool, bytes(1000))
    knot: list[object] = [borrow(Loans(1, 0), segment, 1000)]
    knot.append(knot)
    del knot
    gc.collect()
    assert segment.is_free


def test_a_child_of_a_fork_gives_nothing_back(pool: SegmentPool) -> None:
    segment = stored(pool, bytes(1000))
    view = borrow(Loans(1, 0), segment, 1000)
    child = os.fork()
    if child == 0:
        del view
        os._exit(0)
    os.waitpid(child, 0)
    assert not segment.is_free
    del view
    assert segment.is_free


@pytest.mark.parametrize("seed", range(5))
def test_a_body_that_somebody_holds_never_changes(pool: SegmentPool, seed: int) -> None:
    random = Random(seed)
    loans = Loans(1, 0)
    held: list[tuple[memoryview, bytes]] = []
    for number in range(400):
        size = random.choice([1, 10, 4_095, 4_097, 100_000])
        body = bytes([number % 256]) * size
        pieces = (body[: size // 2], b"", memoryview(body)[size // 2 :])
        segment, retired = pool.store(pieces, size, 1)
        for old in retired:
            loans.forget(old.number)
            old.close()
        if segment is not None:
            held.append((borrow(loans, segment, size), body))
        assert all(view == expected for view, expected in held[-8:])
        while held and random.random() < 0.55:
            view, expected = held.pop(random.randrange(len(held)))
            assert view == expected
            view[:] = bytes(view.nbytes)  # its owner may write to it
            del view
    assert all(view == expected for view, expected in held)
    assert len(pool._segments) <= 64


def test_there_are_so_many_segments_and_no_more(pool: SegmentPool) -> None:
    segments = [stored(pool, b"x") for _ in range(64)]
    assert pool.store((b"x",), 1, 1) == (None, [])
    segments[7].give_back(0)
    assert stored(pool, b"x") is segments[7]


def test_idle_segments_are_retired_when_they_are_too_much(
    pool: SegmentPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_BYTES", 250)
    segments = [stored(pool, b"x" * 100) for _ in range(3)]
    assert list(pool.trim()) == []
    for segment in segments:
        segment.give_back(0)
    assert list(pool.trim()) == segments[:1]
    assert list(pool.trim()) == []
    segments[0].close()


def test_without_descriptors_or_memory_there_is_no_segment(
    pool: SegmentPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = stored(pool, bytes(1000))
    kept.give_back(0)

    def fail(*_: object) -> int:
        raise OSError

    monkeypatch.setattr(os, "pwritev", fail)
    assert pool.store((bytes(1010),), 1010, 1) == (None, [kept])
    monkeypatch.setattr(os, "memfd_create", fail)
    assert pool.store((b"x",), 1, 1) == (None, [])
    assert repr(pool) == "<SegmentPool 0 segments, 0 bytes idle>"
    kept.close()


def lent(loans: Loans, pool: SegmentPool) -> Segment:
    segment = stored(pool, b"x" * 1000, borrowers=2)
    loans.admit(segment.number, segment.descriptor)
    return segment


@pytest.mark.parametrize(
    ("number", "place", "size"),
    [
        (1, 0, 1000),
        (0, 2, 1000),
        (0, HEAD, 1000),
        (0, 2**64 - 1, 1000),
        (0, 0, 0),
        (0, 0, 1025),
        (0, 0, 2**64 - 1),
    ],
)
def test_a_loan_that_lies_is_refused(
    pool: SegmentPool, number: int, place: int, size: int
) -> None:
    loans = Loans(1, 0)
    lent(loans, pool)
    with pytest.raises(ProtocolError, match="rank 1 cannot use the memory that rank 0"):
        loans.borrow(Loan(0, 0, number, place, size, 1, is_fresh=False))


def sealed(size: int, seals: int) -> int:
    descriptor = os.memfd_create("test", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, size)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


@pytest.mark.parametrize(
    ("size", "seals"),
    [
        (HEAD + 100, 0),
        (HEAD + 100, fcntl.F_SEAL_GROW),
        (HEAD, fcntl.F_SEAL_SHRINK),
        (0, fcntl.F_SEAL_SHRINK),
        (HEAD + 100, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_WRITE),
    ],
)
def test_memory_that_may_fail_its_reader_is_refused(size: int, seals: int) -> None:
    descriptor = sealed(size, seals)
    with pytest.raises(ProtocolError, match="rank 1 cannot use the memory that rank 0"):
        Loans(1, 0).admit(0, descriptor)
    os.close(descriptor)


def test_what_is_no_memory_and_what_did_not_come_are_refused() -> None:
    ends = os.pipe()
    for descriptor in (ends[0], None):
        with pytest.raises(ProtocolError):
            Loans(1, 0).admit(0, descriptor)
    for end in ends:
        os.close(end)


def test_a_number_is_not_given_twice(pool: SegmentPool) -> None:
    loans = Loans(1, 0)
    segment = lent(loans, pool)
    with pytest.raises(ProtocolError, match="not new"):
        loans.admit(segment.number, segment.descriptor)


def test_a_segment_cannot_shrink_under_its_reader(pool: SegmentPool) -> None:
    segment = stored(pool, b"x" * 1000)
    with pytest.raises(PermissionError):
        os.ftruncate(segment.descriptor, HEAD)
    mapping = mmap.mmap(segment.descriptor, HEAD + 1000)
    assert mapping[HEAD : HEAD + 1000] == b"x" * 1000
    mapping.close()
