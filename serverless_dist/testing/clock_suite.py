"""The conformance suite of `Clock`."""

from abc import ABC, abstractmethod
from threading import RLock

from serverless_dist.cloud import Clock
from serverless_dist.testing.expect import raises

# The system's clock may be set while a test runs: allow for half.
NAP = 0.02
ENOUGH = NAP / 2


class ClockSuite(ABC):
    """What a `Clock` promises; derive and implement `make_clock`."""

    @abstractmethod
    def make_clock(self) -> Clock:
        """Return a clock."""

    def test_time_goes_on_while_sleeping(self) -> None:
        clock = self.make_clock()
        start = clock.now()
        clock.sleep(NAP)
        assert clock.now() - start >= ENOUGH

    def test_sleeping_for_no_time_is_no_error(self) -> None:
        clock = self.make_clock()
        start = clock.now()
        clock.sleep(0.0)
        assert clock.now() >= start

    def test_a_wait_without_notice_lasts_its_time(self) -> None:
        clock = self.make_clock()
        condition = clock.condition()
        start = clock.now()
        with condition:
            clock.wait(condition, NAP)
        assert clock.now() - start >= ENOUGH

    def test_the_condition_is_held_again_after_a_wait(self) -> None:
        clock = self.make_clock()
        condition = clock.condition()
        with condition:
            clock.wait(condition, 0.0)
            condition.notify_all()  # raises if it is not held

    def test_who_does_not_hold_a_condition_cannot_notify(self) -> None:
        condition = self.make_clock().condition()
        with raises(RuntimeError):
            condition.notify()

    def test_others_get_the_condition_during_a_wait(self) -> None:
        clock = self.make_clock()
        condition = clock.condition()
        came: list[str] = []

        def come() -> None:
            with condition:
                came.append("other")
                condition.notify_all()

        with condition:
            other = clock.start(come, "other")
            while not came:
                clock.wait(condition, NAP)
        other.join()
        assert not other.is_alive()

    def test_a_condition_is_a_lock_that_its_holder_may_take_again(self) -> None:
        condition = self.make_clock().condition()
        with condition, condition:
            condition.notify_all()

    def test_a_condition_gives_up_the_lock_that_it_was_given(self) -> None:
        clock, lock = self.make_clock(), RLock()
        condition = clock.condition(lock)
        with lock:
            clock.wait(condition, NAP)
            condition.notify_all()

    def test_a_join_may_end_before_the_work(self) -> None:
        clock = self.make_clock()
        condition = clock.condition()
        is_over: list[bool] = []

        def stay() -> None:
            with condition:
                while not is_over:
                    clock.wait(condition, NAP)

        work = clock.start(stay, "stays")
        work.join(NAP)
        assert work.is_alive()
        with condition:
            is_over.append(True)
            condition.notify_all()
        work.join()
        assert not work.is_alive()
