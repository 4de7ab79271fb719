"""Leases: one driver, whose thread goes by a clock that the test lets go on."""

import subprocess
import sys
from collections import Counter

import pytest

from serverless_dist.cloud import Buffer, MemoryBlobs, Meter, MeteredBlobs
from serverless_dist.cloud.lease_table import TABLE_KEY, LeaseTable
from serverless_dist.cloud.lease_tenure import Tenure
from serverless_dist.cloud.leases import (
    LEASE_SECONDS,
    RENEW_SECONDS,
    Lifeline,
    Pulse,
)
from serverless_dist.cloud.lifeline import TAKEN
from serverless_dist.errors import CloudError, UsageError
from tests.lease_world import SteppedClock, lease
from tests.watched import until


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
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def blobs() -> BrokenBlobs:
    return BrokenBlobs()


@pytest.mark.usefixtures("no_thread_is_left")
class TestOneDriver:
    def test_a_lease_is_listed_until_it_is_released(
        self, blobs: BrokenBlobs, clock: SteppedClock
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

    def test_it_is_renewed_in_time(
        self, blobs: BrokenBlobs, clock: SteppedClock
    ) -> None:
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
        self, blobs: BrokenBlobs, clock: SteppedClock, caplog: pytest.LogCaptureFixture
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
        clock.pass_by(2.0)  # by when nothing is due
        assert not held.lost
        held.release(clean=True)
        assert "cannot renew the lease leases/" in caplog.text

    def test_it_is_lost_when_it_was_not_renewed(
        self, blobs: BrokenBlobs, clock: SteppedClock, caplog: pytest.LogCaptureFixture
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
        self, blobs: BrokenBlobs, clock: SteppedClock, content: bytes | None
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
        self, blobs: BrokenBlobs, clock: SteppedClock
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
        self, blobs: BrokenBlobs, clock: SteppedClock
    ) -> None:
        with pytest.raises(
            UsageError,
            match="the deployment has 72 mailboxes; 100 ranks or workers need 101:"
            " deploy with --ranks 100",
        ):
            lease(blobs, clock, count=101, of=72)
        with pytest.raises(UsageError, match="0 mailboxes"):
            lease(blobs, clock, count=0)
        assert blobs.list("") == []

    def test_what_fails_half_way_leaves_nothing(
        self, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        blobs = MemoryBlobs()

        def fail(tenure: Tenure) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Tenure, "renew", fail)
        with pytest.raises(KeyboardInterrupt):
            lease(blobs, clock)
        assert blobs.list("leases/") == [TABLE_KEY]
        assert LeaseTable.read(blobs).entries == ()

    def test_the_requests_are_as_few_as_promised(self, clock: SteppedClock) -> None:
        meter = Meter()
        blobs = MeteredBlobs(MemoryBlobs(), meter)
        before: Counter[str] = Counter()

        def used() -> dict[str, int]:
            nonlocal before
            now = Counter(meter.usage().requests)
            used, before = now - before, now
            return {key.removeprefix("s3:"): n for key, n in used.items()}

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
