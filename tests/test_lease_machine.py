"""Leases under any order of requests: refused, late, without an answer, or never sent.

Drivers take, renew and give back mailboxes, stop for a while or for ever, and look for
those of others; each has a clock of its own. No mailbox may ever have two users, and
when all are dead whoever comes next gets everything and finds nothing left behind.
"""

import hypothesis.strategies as st
from hypothesis import Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from serverless_dist.cloud.lease_search import LeaseSearch
from serverless_dist.cloud.lease_table import (
    PREFIX,
    TABLE_KEY,
    LeaseTable,
    allocate,
)
from serverless_dist.cloud.lifeline import TAKEOVER_SECONDS
from serverless_dist.testing.clock import HandClock
from tests.lease_world import Call, Driver, Fate, OwnClock, World

MAILBOXES = 5
FATES = st.sampled_from([*[Fate.FINE] * 9, Fate.REFUSED, Fate.LOST, Fate.LATE])
SPEEDS = st.sampled_from([0.97, 1.0, 1.03])


class LeaseMachine(RuleBasedStateMachine):
    """Rules are what may happen next; each draws to whom it happens."""

    world: World

    @initialize(seed=st.integers(0, 1_000))
    def start(self, seed: int) -> None:
        self.world = World(seed)
        self.drivers: list[Driver] = []

    def draw(self, data: st.DataObject, drivers: list[Driver]) -> Driver:
        return data.draw(st.sampled_from(drivers), label="driver")

    @property
    def alive(self) -> list[Driver]:
        return [driver for driver in self.drivers if driver.is_alive]

    @property
    def seekers(self) -> list[Driver]:
        return [d for d in self.alive if d.tenure is None and not d.calls]

    @property
    def holders(self) -> list[Driver]:
        return [d for d in self.alive if d.tenure is not None]

    @property
    def busy(self) -> list[Driver]:
        return [driver for driver in self.alive if driver.calls]

    @precondition(lambda self: len(self.seekers) < 3)
    @rule(
        count=st.sampled_from([1, 2, 2, 3]), start=st.integers(0, 1_000), speed=SPEEDS
    )
    def a_driver_comes(self, count: int, start: int, speed: float) -> None:
        clock = OwnClock(self.world, start, speed)
        name = f"driver {len(self.drivers)}"
        self.drivers.append(Driver(self.world, clock, MAILBOXES, count, name))

    @precondition(lambda self: bool(self.seekers))
    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        driver = self.draw(data, self.seekers)
        driver.begin(driver.search.attempt)

    @precondition(lambda self: bool(self.seekers))
    @rule(seconds=st.sampled_from([0, 0, 5, 21, 33, 41]), is_renewed=st.booleans())
    def all_look_and_look_again(self, seconds: int, *, is_renewed: bool) -> None:
        self._look_alone()
        self.world.now += seconds
        if is_renewed:
            self._renew_alone()
        self._look_alone()

    def _look_alone(self) -> None:
        for driver in self.seekers:
            driver.begin(driver.search.attempt).finish()
            driver.settle()
            if driver.tenure is None:
                entries = LeaseTable.read(self.world.memory).entries
                assert allocate(entries, MAILBOXES, driver.count) is None
            self.no_mailbox_has_two_users()

    def _renew_alone(self) -> None:
        for driver in self.holders:
            if not driver.calls and not driver.is_stopping:
                assert driver.tenure is not None
                driver.begin(driver.tenure.renew).finish()
                driver.settle()

    @precondition(lambda self: bool(self.busy))
    @rule(data=st.data(), fates=st.lists(FATES, min_size=1, max_size=6))
    def go_on(self, data: st.DataObject, fates: list[Fate]) -> None:
        driver = self.draw(data, self.busy)
        call = data.draw(st.sampled_from(driver.calls), label="call")
        for fate in fates:
            if not call.is_done:
                call.step(fate)
        driver.settle()

    @precondition(lambda self: bool(self.holders))
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        driver = self.draw(data, self.holders)
        assert driver.tenure is not None
        is_renewing = driver.renewal is not None and not driver.renewal.is_done
        if not is_renewing and not driver.is_stopping:
            driver.renewal = driver.begin(driver.tenure.renew)
            driver.settle()

    @precondition(lambda self: bool(self.holders))
    @rule(times=st.integers(1, 3))
    def all_renew_in_time(self, times: int) -> None:
        for _ in range(times):
            self.world.now += 9
            self._renew_alone()

    @precondition(lambda self: bool(self.holders))
    @rule(data=st.data(), is_clean=st.booleans())
    def release(self, data: st.DataObject, *, is_clean: bool) -> None:
        driver = self.draw(data, self.holders)
        tenure = driver.tenure
        assert tenure is not None
        driver.is_stopping = True
        driver.is_vacant |= is_clean

        def release() -> None:
            tenure.stop()
            if is_clean:
                tenure.vacate()

        driver.begin(release)
        driver.settle()

    @precondition(lambda self: len(self.alive) > 3)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        self.draw(data, self.alive).crash()

    @rule(seconds=st.sampled_from([1, 9, 20, 31, 36]))
    def time_passes(self, seconds: int) -> None:
        self.world.now += seconds

    @precondition(lambda self: bool(self.world.late))
    @rule(data=st.data())
    def a_late_request_arrives(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.world.late) - 1))
        self.world.apply(self.world.late.pop(index))

    @invariant()
    def no_mailbox_has_two_users(self) -> None:
        users = [driver for driver in self.drivers if driver.is_user()]
        taken = [number for driver in users for number in driver.taken()]
        assert len(taken) == len(set(taken)), "\n".join(
            f"{driver.name}: {driver.tenure and driver.tenure.entry}"
            for driver in users
        )

    def teardown(self) -> None:
        for driver in self.drivers:
            driver.crash()
        for effect in self.world.late:
            effect()
        self._give_everything_to_the_next()

    def _give_everything_to_the_next(self) -> None:
        clock = HandClock()
        self._search(clock, 1)  # leaves one that is dead, if there is none
        search = self._search(clock, MAILBOXES)
        clock.advance(TAKEOVER_SECONDS)
        call = Call(search.attempt)
        call.finish()
        tenure = call.result
        assert tenure is not None, "mailboxes were not given up"
        assert self.world.memory.list(PREFIX) == sorted([TABLE_KEY, tenure.key])
        Call(tenure.stop).finish()
        Call(tenure.vacate).finish()
        assert self.world.memory.list(PREFIX) == [TABLE_KEY]
        assert LeaseTable.read(self.world.memory).entries == ()

    def _search(self, clock: HandClock, count: int) -> LeaseSearch:
        search = LeaseSearch(
            self.world, clock, mailboxes=MAILBOXES, count=count, holder="the next"
        )
        Call(search.attempt).finish()
        return search


TestLeaseMachine = LeaseMachine.TestCase
TestLeaseMachine.settings = settings(
    max_examples=150,
    stateful_step_count=60,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # to shrink what fails takes minutes
)
