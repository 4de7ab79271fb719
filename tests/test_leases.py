"""Leases: the choice of a range, lifelines, and one or two drivers at a time."""

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Condition, enumerate as all_threads
from uuid import uuid4

import hypothesis.strategies as st
import pytest
from hypothesis import given

from serverless_dist.cloud import (
    Blobs,
    Buffer,
    Chaos,
    ChaoticBlobs,
    MemoryBlobs,
    Meter,
    MeteredBlobs,
)
from serverless_dist.cloud.attempts import call
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_blobs import S3Blobs
from serverless_dist.cloud.lease_search import LeaseSearch
from serverless_dist.cloud.lease_table import (
    TABLE_KEY,
    LeaseEntry,
    LeaseTable,
    allocate,
)
from serverless_dist.cloud.lease_tenure import Tenure
from serverless_dist.cloud.leases import (
    LEASE_SECONDS,
    RENEW_SECONDS,
    TAKEOVER_SECONDS,
    Lease,
    Lifeline,
    Pulse,
    acquire,
)
from serverless_dist.cloud.lifeline import TAKEN, SteadyClock
from serverless_dist.cloud.limits import MAX_FILTERS
from serverless_dist.cloud.local import LocalBlobs
from serverless_dist.errors import CloudError, UsageError
from serverless_dist.testing.clock import HandClock
from tests.lease_world import Call, Fate, OwnClock, World
from tests.watched import until

SIZES = [*range(1, 10), 13, 16, 24, 33, 199, 200, 201, 400, 401]


def entry(first: int, count: int, name: str = "somebody") -> LeaseEntry:
    return LeaseEntry(f"{first}", first, count, name)


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


# One driver. Its thread goes by a clock that the test lets go on.


class TestClock(HandClock):
    """Sleeps jump; a wait ends when the test has let enough time pass."""

    __test__ = False

    def __init__(self) -> None:
        super().__init__()
        self.waiting: Condition | None = None

    def wait(self, condition: Condition, seconds: float) -> None:
        self.waiting = condition
        condition.wait()
        self.waiting = None

    def pass_by(self, seconds: float) -> None:
        """Let time pass when the thread waits, and return when it waits again."""
        until(lambda: self.waiting is not None)
        condition = self.waiting
        assert condition is not None
        with condition:
            self.advance(seconds)
            self.waiting = None
            condition.notify_all()


class BrokenBlobs(MemoryBlobs):
    """Refuses swaps when told to."""

    is_broken = False
    refused = 0

    def swap(self, key: str, old: Buffer | None, new: Buffer) -> bool:
        if self.is_broken:
            self.refused += 1
            msg = "S3 cannot be reached"
            raise CloudError(msg, retryable=True)
        return super().swap(key, old, new)


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def blobs() -> BrokenBlobs:
    return BrokenBlobs()


def lease(
    blobs: Blobs, clock: HandClock, count: int = 3, wait: float = 0.0, of: int = 8
) -> Lease:
    return acquire(
        blobs, mailboxes=of, count=count, holder="Ada", wait=wait, clock=clock
    )


@pytest.mark.usefixtures("no_thread_is_left")
class TestOneDriver:
    def test_a_lease_is_listed_until_it_is_released(
        self, blobs: BrokenBlobs, clock: TestClock
    ) -> None:
        one = lease(blobs, clock)
        two = lease(blobs, clock)
        assert [(e.first, e.count) for e in LeaseTable.read(blobs).entries] == [
            (0, 3),
            (3, 3),
        ]
        assert (one.first, one.count, two.first) == (0, 3, 3)
        assert blobs.list("leases/") == sorted([TABLE_KEY, one.key, two.key])
        assert repr(one) == "<Lease 0 to 2 by Ada, held>"
        one.release(clean=True)
        assert repr(one) == "<Lease 0 to 2 by Ada, stopped>"
        assert blobs.list("leases/") == sorted([TABLE_KEY, two.key])
        assert [e.first for e in LeaseTable.read(blobs).entries] == [3]
        two.release(clean=True)

    def test_it_is_renewed_in_time(self, blobs: BrokenBlobs, clock: TestClock) -> None:
        held = lease(blobs, clock)
        lifeline = Lifeline(clock.now())
        for _ in range(5):
            content = blobs.get(held.key)
            assert lifeline.feed(content, clock.now()) is Pulse.ALIVE
            clock.pass_by(RENEW_SECONDS)
            until(lambda content=content: blobs.get(held.key) != content)  # type: ignore[misc]
            assert not held.lost
        held.release(clean=True)
        assert lifeline.feed(blobs.get(held.key), clock.now()) is Pulse.STOPPED

    def test_a_renewal_that_fails_is_tried_again_soon(
        self, blobs: BrokenBlobs, clock: TestClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        held = lease(blobs, clock)
        blobs.is_broken = True
        clock.pass_by(RENEW_SECONDS)
        until(lambda: blobs.refused == 1)
        clock.pass_by(2.0)
        until(lambda: blobs.refused == 2)
        blobs.is_broken = False
        content = blobs.get(held.key)
        clock.pass_by(2.0)
        until(lambda: blobs.get(held.key) != content)
        clock.pass_by(2.0)  # which is not enough
        assert not held.lost
        held.release(clean=True)
        assert "cannot renew the lease leases/" in caplog.text

    def test_it_is_lost_when_it_was_not_renewed(
        self, blobs: BrokenBlobs, clock: TestClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        held = lease(blobs, clock)
        blobs.is_broken = True
        clock.pass_by(LEASE_SECONDS - 0.1)
        assert not held.lost
        clock.pass_by(0.1)
        assert held.lost
        clock.pass_by(2.0)
        until(lambda: "the lease of mailboxes 0 to 2 by Ada is lost" in caplog.text)
        assert repr(held) == "<Lease 0 to 2 by Ada, lost>"
        blobs.is_broken = False
        held.release(clean=True)
        assert held.lost
        assert LeaseTable.read(blobs).entries == ()

    @pytest.mark.parametrize("content", [None, TAKEN])
    def test_it_is_lost_when_others_have_taken_it(
        self, blobs: BrokenBlobs, clock: TestClock, content: bytes | None
    ) -> None:
        held = lease(blobs, clock)
        if content is None:
            blobs.delete([held.key])
        else:
            blobs.put(held.key, content)
        clock.pass_by(RENEW_SECONDS)
        until(lambda: held.lost)
        assert blobs.get(held.key) == content
        held.release(clean=False)

    def test_releasing_twice_is_no_error(
        self, blobs: BrokenBlobs, clock: TestClock
    ) -> None:
        held = lease(blobs, clock)
        held.stop()
        held.release(clean=False)
        assert blobs.list("leases/") == [TABLE_KEY]
        assert len(LeaseTable.read(blobs).entries) == 1
        for _ in range(2):
            held.release(clean=True)
            assert LeaseTable.read(blobs).entries == ()

    def test_more_than_there_are_is_a_usage_error(
        self, blobs: BrokenBlobs, clock: TestClock
    ) -> None:
        with pytest.raises(
            UsageError,
            match="^the fabric has 72 mailboxes; 100 ranks need 101: deploy with"
            " --ranks 100$",
        ):
            lease(blobs, clock, count=101, of=72)
        with pytest.raises(UsageError, match="0 mailboxes"):
            lease(blobs, clock, count=0)
        assert blobs.list("") == []

    def test_what_fails_half_way_leaves_nothing(
        self, clock: TestClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        blobs = MemoryBlobs()

        def fail(tenure: Tenure) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Tenure, "renew", fail)
        with pytest.raises(KeyboardInterrupt):
            lease(blobs, clock)
        assert blobs.list("leases/") == [TABLE_KEY]
        assert LeaseTable.read(blobs).entries == ()

    def test_the_requests_are_as_few_as_promised(self, clock: TestClock) -> None:
        meter = Meter()
        blobs = MeteredBlobs(MemoryBlobs(), meter)

        def used() -> dict[str, int]:
            nonlocal before
            now = Counter(meter.usage().requests)
            used, before = now - before, now
            return {key.removeprefix("s3:"): n for key, n in used.items()}

        before: Counter[str] = Counter()
        first = lease(blobs, clock)
        assert used() == {"GetObject": 1, "PutObject": 2}
        second = lease(blobs, clock)
        assert used() == {"GetObject": 2, "PutObject": 2}
        first._tenure.renew()
        assert used() == {"GetObject": 1, "PutObject": 1}
        first.release(clean=True)
        assert used() == {"GetObject": 2, "PutObject": 1, "DeleteObjects": 1}
        second.release(clean=False)
        assert used() == {"DeleteObjects": 1}

    def test_a_process_that_ends_does_not_wait_for_its_leases(self) -> None:
        program = (
            "from serverless_dist.cloud import MemoryBlobs\n"
            "from serverless_dist.cloud.leases import acquire\n"
            "held = acquire(MemoryBlobs(), mailboxes=1, count=1, holder='', wait=0)\n"
        )
        subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


# Somebody who finds none free.


class TestNoneFree:
    @pytest.fixture(autouse=True)
    def _start(self, blobs: BrokenBlobs) -> None:
        self.blobs = blobs
        self.ada = self.hold(5, "Ada")
        self.bob = self.hold(2, "Bob")

    def hold(self, count: int, name: str) -> Tenure:
        search = LeaseSearch(
            self.blobs, HandClock(), mailboxes=8, count=count, holder=name
        )
        tenure = search.attempt()
        assert tenure is not None
        return tenure

    def test_the_error_says_who_has_what(self, clock: TestClock) -> None:
        with pytest.raises(CloudError) as caught:
            lease(self.blobs, clock)
        assert caught.value.retryable
        assert str(caught.value) == (
            "3 mailboxes in a row are asked for, and none are free of the fabric's 8"
            " after 0 s; held are 0 to 4 by Ada (silent for 0 s), 5 to 6 by Bob"
            " (silent for 0 s): wait for a job to end (one that is dead is given up"
            " after 40 s of silence), or deploy with more --ranks"
        )
        assert clock.now() == 0.0

    def test_the_error_names_not_too_many(self) -> None:
        for number in range(20, 30):
            table = LeaseTable.read(self.blobs)
            added = [entry(number, 1)]
            self.blobs.put(TABLE_KEY, table.changed(added=added).pack())
        with pytest.raises(CloudError, match=r"25 by somebody .* s\), 4 more: wait"):
            lease(self.blobs, TestClock(), of=30, count=14)

    def test_it_waits_as_long_as_told(self, clock: TestClock) -> None:
        with pytest.raises(CloudError, match=r"after 33 s; .* \(silent for 33 s\)"):
            lease(self.blobs, clock, wait=33.0)
        assert clock.now() == 33.0

    def test_the_dead_are_found_in_time(self, clock: TestClock) -> None:
        held = lease(self.blobs, clock, count=8, wait=60.0)
        assert clock.now() == TAKEOVER_SECONDS
        assert self.blobs.list("leases/") == sorted([TABLE_KEY, held.key])
        for late in (self.ada, self.bob):
            assert not late.is_lost  # its clock stands still
            late.renew()
            assert late.is_lost
            late.stop()
            late.vacate()
        assert [e.count for e in LeaseTable.read(self.blobs).entries] == [8]
        held.release(clean=True)

    def test_who_lives_is_left_alone(self, clock: TestClock) -> None:
        self.blobs.delete([self.ada.key])
        renewing = RenewingClock(self.bob)
        held = lease(self.blobs, renewing, wait=60.0)
        assert (held.first, held.count) == (0, 3)
        assert [e.holder for e in LeaseTable.read(self.blobs).entries] == ["Ada", "Bob"]
        assert renewing.now() == TAKEOVER_SECONDS
        assert not self.bob.is_lost
        renewing.stop(held)

    def test_what_is_released_is_taken_at_the_next_look(self) -> None:
        releasing = RenewingClock(self.bob, self.ada)
        held = lease(self.blobs, releasing, wait=60.0)
        assert releasing.now() == 5.0
        releasing.stop(held)

    def test_what_another_has_begun_to_take_is_taken_at_once(
        self, clock: TestClock
    ) -> None:
        self.blobs.put(self.ada.key, TAKEN)
        held = lease(self.blobs, clock, count=5)
        assert held.first == 0
        held.release(clean=True)


class RenewingClock(TestClock):
    """A clock by which somebody is renewed, and somebody else released."""

    def __init__(self, renewed: Tenure, released: Tenure | None = None) -> None:
        super().__init__()
        self._renewed, self._released = renewed, released

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self._renewed.renew()
        if self._released is not None:
            self._released.stop()
            self._released.vacate()

    def stop(self, held: Lease) -> None:
        until(lambda: self.waiting is not None)
        held.release(clean=True)


# Two drivers, request by request.


class TestTwoDrivers:
    @pytest.fixture(autouse=True)
    def _start(self) -> None:
        self.world = World(seed=1)
        self.standing = OwnClock(self.world, start=7.0, speed=0.0)
        self.going = OwnClock(self.world, start=0.0, speed=1.0)

    def search(self, clock: OwnClock, count: int = 5) -> LeaseSearch:
        return LeaseSearch(
            self.world, clock, mailboxes=8, count=count, holder="somebody"
        )

    def held(self, clock: OwnClock) -> Tenure:
        looking = Call(self.search(clock).attempt)
        looking.finish()
        assert isinstance(looking.result, Tenure)
        return looking.result

    def looked(self) -> LeaseSearch:
        """Return somebody who has looked, and is about to find others dead."""
        search = self.search(self.going)
        Call(search.attempt).finish()
        self.world.now += TAKEOVER_SECONDS
        return search

    def test_who_renews_in_the_last_moment_lives(self) -> None:
        holder = self.held(self.standing)
        taking = Call(self.looked().attempt)
        taking.step()  # the table
        taking.step()  # the lifeline, silent for too long
        Call(holder.renew).finish()
        taking.finish()
        assert taking.result is None
        Call(holder.renew).finish()
        assert not holder.is_lost

    def test_who_renews_too_late_is_lost(self) -> None:
        holder = self.held(self.standing)
        taking = Call(self.looked().attempt)
        for _ in range(3):
            taking.step()
        assert self.world.memory.get(holder.key) == TAKEN
        Call(holder.renew).finish()
        assert holder.is_lost
        assert self.world.memory.get(holder.key) == TAKEN
        taking.finish()
        assert taking.result.entry.first == 0

    def test_a_late_success_does_not_bring_a_lost_lease_back(self) -> None:
        holder = self.held(self.going)
        renewing = Call(holder.renew)
        self.world.now += LEASE_SECONDS
        renewing.finish()
        assert holder.is_lost

    def test_a_renewal_counts_from_when_it_was_sent(self) -> None:
        holder = self.held(self.going)
        renewing = Call(holder.renew)
        self.world.now += LEASE_SECONDS - 1
        renewing.finish()
        assert not holder.is_lost
        self.world.now += 1
        assert holder.is_lost

    @pytest.mark.parametrize("fate", [Fate.LOST, Fate.LATE, Fate.REFUSED])
    def test_a_renewal_without_an_answer_is_made_good(self, fate: Fate) -> None:
        holder = self.held(self.going)
        renewing = Call(holder.renew)
        renewing.step(fate)
        assert isinstance(renewing.error, CloudError)
        for effect in self.world.late:
            effect()
        Call(holder.renew).finish()
        Call(holder.renew).finish()
        assert not holder.is_lost

    def test_who_has_not_made_its_lifeline_yet_is_left_in_peace(self) -> None:
        beginning = Call(self.search(self.going).attempt)
        beginning.step()
        beginning.step()
        assert len(LeaseTable.read(self.world.memory).entries) == 1
        other = Call(self.search(self.going).attempt)
        other.finish()
        assert other.result is None
        beginning.finish()
        assert isinstance(beginning.result, Tenure)

    def test_who_begins_too_slowly_begins_again(self) -> None:
        beginning = Call(self.search(self.going, 3).attempt)
        beginning.step()
        beginning.step()
        self.world.now += LEASE_SECONDS
        beginning.finish()
        assert not beginning.result.is_lost
        assert self.world.memory.list("leases/") == sorted(
            [TABLE_KEY, beginning.result.key]
        )
        assert len(LeaseTable.read(self.world.memory).entries) == 1

    def test_who_cleans_up_spares_what_has_just_begun(self) -> None:
        self.held(self.standing)
        taking = Call(self.looked().attempt)
        for _ in range(3):
            taking.step()
        beginning = Call(self.search(self.going, 2).attempt)
        taking.step()  # the first of the list and the table
        beginning.finish()
        taking.finish()
        tenures = [taking.result, beginning.result]
        assert [tenure.entry.first for tenure in tenures] == [0, 5]
        Call(beginning.result.renew).finish()
        assert not beginning.result.is_lost

    def test_an_entry_whose_answer_was_lost_is_found(self) -> None:
        """The store says no, since somebody else has changed the table since."""
        first = Call(self.search(self.going, 3).attempt)
        first.step()
        swap = self.world.chaotic.swap
        others: list[Tenure] = []

        def lose(key: str, old: Buffer | None, new: Buffer) -> bool:
            self.world.chaotic.swap = swap  # type: ignore[method-assign]
            assert swap(key, old, new)
            others.append(self.held(self.going))
            return False

        self.world.chaotic.swap = lose  # type: ignore[method-assign]
        first.step()
        first.finish()
        assert [e.count for e in LeaseTable.read(self.world.memory).entries] == [3, 5]
        assert first.result.entry.first == 0
        assert others[0].entry.first == 3


# Many at once, on every store.


@pytest.fixture(params=["memory", "chaotic", "local"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Sequence[Blobs]:
    """Return three ways to the same blobs."""
    memory = MemoryBlobs()
    if request.param == "local":
        return [LocalBlobs(tmp_path) for _ in range(3)]
    if request.param == "chaotic":
        worst = Chaos(fail=0.5)
        return [ChaoticBlobs(memory, seed=seed, chaos=worst) for seed in range(3)]
    return [memory] * 3


def race(stores: Sequence[Blobs], turns: int) -> None:
    """Have eight threads race for eight mailboxes, three for each, again and again."""

    def compete(number: int) -> Lease | None:
        blobs = stores[number % len(stores)]
        try:
            return acquire(
                blobs, mailboxes=8, count=3, holder=f"thread {number}", wait=0.0
            )
        except CloudError:
            return None

    with ThreadPoolExecutor(8) as pool:
        for _ in range(turns):
            won = [held for held in pool.map(compete, range(8)) if held is not None]
            try:
                assert sorted((held.first, held.count) for held in won) == [
                    (0, 3),
                    (3, 3),
                ]
            finally:
                for held in won:
                    held.release(clean=True)
            assert LeaseTable.read(stores[0]).entries == ()


@pytest.mark.usefixtures("no_thread_is_left")
def test_two_win_a_race_for_the_last_mailboxes(stores: Sequence[Blobs]) -> None:
    race(stores, turns=3)


def test_two_win_a_race_on_s3(clients: AwsClients) -> None:
    bucket = f"leases-{uuid4().hex[:12]}"
    call(clients.s3, "create_bucket", f"bucket {bucket}", Bucket=bucket)
    race([S3Blobs(clients.s3, bucket, clients.pool) for _ in range(2)], turns=2)
    assert not [t for t in all_threads() if t.name == "serverless_dist lease"]
