"""Leases that others have: who is dead, who lives, and who wins a race."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import enumerate as all_threads
from uuid import uuid4

import pytest

from serverless_dist.cloud import Blobs, Buffer, Chaos, ChaoticBlobs, MemoryBlobs
from serverless_dist.cloud.attempts import call
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_blobs import S3Blobs
from serverless_dist.cloud.lease_search import LeaseSearch
from serverless_dist.cloud.lease_table import TABLE_KEY, LeaseTable
from serverless_dist.cloud.lease_tenure import Tenure
from serverless_dist.cloud.leases import (
    LEASE_SECONDS,
    TAKEOVER_SECONDS,
    Lease,
    acquire,
)
from serverless_dist.cloud.lifeline import TAKEN
from serverless_dist.cloud.local import LocalBlobs
from serverless_dist.errors import CloudError
from serverless_dist.testing.clock import HandClock
from tests.lease_world import (
    Call,
    Fate,
    OwnClock,
    SteppedClock,
    World,
    entry,
    lease,
)
from tests.watched import until


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


# Somebody who finds none free.


class TestNoneFree:
    @pytest.fixture(autouse=True)
    def _start(self, blobs: MemoryBlobs) -> None:
        self.blobs = blobs
        self.eve = self.hold(5, "Eve")
        self.bob = self.hold(2, "Bob")

    def hold(self, count: int, name: str) -> Tenure:
        search = LeaseSearch(
            self.blobs, HandClock(), mailboxes=8, count=count, holder=name
        )
        tenure = search.attempt()
        assert tenure is not None
        return tenure

    def test_the_error_says_who_has_what(self, clock: SteppedClock) -> None:
        with pytest.raises(CloudError) as caught:
            lease(self.blobs, clock)
        assert caught.value.retryable
        assert str(caught.value) == (
            "3 mailboxes in a row are asked for, and none are free of the deployment's"
            " 8 after 0 s; held are 0 to 4 by Eve (silent for 0 s), 5 to 6 by Bob"
            " (silent for 0 s): wait for a job to end, as"
            " SERVERLESS_DIST_MAILBOX_WAIT=60 does (one that is dead is given up after"
            " 40 s of silence), or deploy with more --ranks"
        )
        assert clock.now() == 0.0

    def test_who_has_them_itself_does_not_wait_for_itself(
        self, clock: SteppedClock
    ) -> None:
        self.eve.stop()
        self.eve.vacate()
        own = self.hold(3, "Ada")
        with pytest.raises(CloudError, match="this program itself holds some: deploy"):
            lease(self.blobs, clock, count=6, wait=60.0)
        assert clock.now() == 0.0
        own.stop()  # what has ended does not count
        held = lease(self.blobs, clock, count=6, wait=60.0)
        assert clock.now() == TAKEOVER_SECONDS
        held.release(clean=True)

    def test_the_error_names_not_too_many(self) -> None:
        for number in range(20, 30):
            table = LeaseTable.read(self.blobs)
            added = [entry(number, 1)]
            self.blobs.put(TABLE_KEY, table.changed(added=added).pack())
        with pytest.raises(CloudError, match=r"25 by somebody .* s\), 4 more: wait"):
            lease(self.blobs, SteppedClock(), of=30, count=14)

    def test_it_waits_as_long_as_told(self, clock: SteppedClock) -> None:
        with pytest.raises(CloudError, match=r"after 33 s; .* \(silent for 33 s\)"):
            lease(self.blobs, clock, wait=33.0)
        assert clock.now() == 33.0

    def test_the_dead_are_found_in_time(self, clock: SteppedClock) -> None:
        held = lease(self.blobs, clock, count=8, wait=60.0)
        assert clock.now() == TAKEOVER_SECONDS
        assert self.blobs.list("leases/") == sorted([TABLE_KEY, held.key])
        for late in (self.eve, self.bob):
            assert not late.is_lost  # its clock stands still
            late.renew()
            assert late.is_lost
            late.stop()
            late.vacate()
        assert [e.count for e in LeaseTable.read(self.blobs).entries] == [8]
        held.release(clean=True)

    def test_who_lives_is_left_alone(self, clock: SteppedClock) -> None:
        self.blobs.delete([self.eve.key])
        renewing = RenewingClock(self.bob)
        held = lease(self.blobs, renewing, wait=60.0)
        assert (held.first, held.count) == (0, 3)
        assert [e.holder for e in LeaseTable.read(self.blobs).entries] == ["Ada", "Bob"]
        assert renewing.now() == TAKEOVER_SECONDS
        assert not self.bob.is_lost
        renewing.stop(held)

    def test_what_is_released_is_taken_at_the_next_look(self) -> None:
        releasing = RenewingClock(self.bob, self.eve)
        held = lease(self.blobs, releasing, wait=60.0)
        assert releasing.now() == 5.0
        releasing.stop(held)

    def test_what_another_has_begun_to_take_is_taken_at_once(
        self, clock: SteppedClock
    ) -> None:
        self.blobs.put(self.eve.key, TAKEN)
        held = lease(self.blobs, clock, count=5)
        assert held.first == 0
        held.release(clean=True)


class RenewingClock(SteppedClock):
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
        self.world.now += LEASE_SECONDS - 1
        renewing = Call(holder.renew)
        self.world.now += 1
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
