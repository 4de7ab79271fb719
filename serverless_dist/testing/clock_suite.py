"""The conformance suite of `Clock`."""

from abc import ABC, abstractmethod
from threading import Condition, Thread

from serverless_dist.cloud import Clock

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
        clock, condition = self.make_clock(), Condition()
        start = clock.now()
        with condition:
            clock.wait(condition, NAP)
        assert clock.now() - start >= ENOUGH

    def test_the_condition_is_held_again_after_a_wait(self) -> None:
        clock, condition = self.make_clock(), Condition()
        with condition:
            clock.wait(condition, 0.0)
            condition.notify_all()  # raises if it is not held

    def test_others_get_the_condition_during_a_wait(self) -> None:
        clock, condition = self.make_clock(), Condition()
        came: list[str] = []

        def come() -> None:
            with condition:
                came.append("other")
                condition.notify_all()

        other = Thread(target=come)
        with condition:
            other.start()
            while not came:
                clock.wait(condition, NAP)
        other.join()
