"""Virtual time: who runs when, what waits cost, and who waits for ever."""

import sys
from collections.abc import Callable
from functools import partial
from itertools import count
from types import ModuleType

import pytest
from hypothesis import given, settings, strategies as st

from serverless_dist.cloud.beside import map_beside
from serverless_dist.cloud.virtual import VirtualTime
from serverless_dist.errors import ProtocolError


def test_strands_run_in_the_order_of_their_times_and_then_of_their_turns() -> None:
    time = VirtualTime()
    log: list[str] = []

    def walk(name: str, pace: float) -> None:
        for step in range(3):
            time.sleep(pace)
            log.append(f"{time.now():.0f} {name}{step}")

    for name, pace in (("a", 2.0), ("b", 1.0), ("c", 2.0)):
        time.start(partial(walk, name, pace), name)
    time.run()
    assert log == [
        "1 b0",
        "2 a0",
        "2 c0",
        "2 b1",
        "3 b2",
        "4 a1",
        "4 c1",
        "6 a2",
        "6 c2",
    ]


@given(st.lists(st.lists(st.floats(0, 10), max_size=5), max_size=6))
@settings(derandomize=True, deadline=None)
def test_time_never_goes_back_and_nobody_sleeps_too_long(
    naps: list[list[float]],
) -> None:
    time = VirtualTime()
    moments: list[float] = []

    def sleep(each: list[float]) -> None:
        for nap in each:
            before = time.now()
            time.sleep(nap)
            assert time.now() == before + nap
            moments.append(time.now())

    for each in naps:
        time.start(partial(sleep, each), "sleeper")
    time.run()
    assert moments == sorted(moments)
    assert len(moments) == sum(map(len, naps))


def test_measured_computing_takes_time_and_with_less_of_a_vcpu_more() -> None:
    ticks = count()  # each look at the processor's time is a second later
    time = VirtualTime(lambda: float(next(ticks)))
    ends: dict[str, float] = {}

    def work(name: str) -> None:
        before = time.now()
        ends[name] = time.now() - before

    time.start_with(partial(work, "whole"), "whole", share=1.0)
    time.start_with(partial(work, "half"), "half", share=0.5)
    time.run()
    assert ends == {"whole": 1.0, "half": 2.0}


def test_what_a_strand_computes_before_a_wait_is_paid_for_after_it() -> None:
    used = [0.0]
    time = VirtualTime(lambda: used[0])
    condition = time.condition()
    ends: list[float] = []

    def wait() -> None:
        with condition:
            used[0] += 5.0
            condition.wait()
        ends.append(time.now())

    def wake() -> None:
        with condition:
            condition.notify()

    time.start(wait, "waiter")
    time.start(wake, "waker")
    time.run()
    assert ends == [5.0]


def test_a_lock_is_held_while_its_holder_sleeps() -> None:
    time = VirtualTime()
    lock = time.condition()
    log: list[tuple[str, float]] = []

    def use(name: str) -> None:
        with lock, lock:
            log.append((f"{name} in", time.now()))
            time.sleep(2.0)
        log.append((f"{name} out", time.now()))

    for name in ("a", "b"):
        time.start(partial(use, name), name)
    time.run()
    assert sorted(log) == [("a in", 0.0), ("a out", 2.0), ("b in", 2.0), ("b out", 4.0)]


def test_a_lock_that_is_not_waited_for_is_not_taken() -> None:
    time = VirtualTime()
    lock = time.condition()
    taken: list[bool] = []

    def hold() -> None:
        with lock:
            time.sleep(1.0)

    def attempt() -> None:
        taken.append(lock.acquire(blocking=False))

    time.start(hold, "holder")
    time.start(attempt, "other")
    time.run()
    assert taken == [False]


def test_a_lock_is_waited_for_no_longer_than_asked() -> None:
    time = VirtualTime()
    lock = time.condition()
    seen: list[tuple[bool, float]] = []

    def hold() -> None:
        with lock:
            time.sleep(10.0)

    def attempt() -> None:
        seen.append((lock.acquire(timeout=1.0), time.now()))

    time.start(hold, "holder")
    time.start(attempt, "other")
    time.run()
    assert seen == [(False, 1.0)]


def test_a_notice_that_comes_while_a_late_waiter_wants_the_lock_is_no_error() -> None:
    time = VirtualTime()
    condition = time.condition()
    woken: list[bool] = []

    def wait() -> None:
        with condition:
            woken.append(condition.wait(1.0))

    def hold() -> None:
        time.sleep(0.5)
        with condition:
            time.sleep(2.0)
            condition.notify()

    time.start(wait, "waiter")
    time.start(hold, "holder")
    time.run()
    assert woken == [False]


def test_who_is_stopped_waits_for_nothing_more() -> None:
    time = VirtualTime()
    log: list[str] = []

    def stay() -> None:
        try:
            time.sleep(100.0)
        finally:
            try:
                time.sleep(1.0)
            except Exception:
                log.append("an error that others take for theirs")
            log.append("never")

    time.start(stay, "stays")
    time.run(time.start(partial(time.sleep, 1.0), "ends"))
    assert log == []


def test_wait_for_returns_what_the_predicate_is_in_time_or_late() -> None:
    time = VirtualTime()
    condition = time.condition()
    things: list[str] = []
    seen: list[tuple[object, float]] = []

    def wait(timeout: float) -> None:
        with condition:
            found = condition.wait_for(lambda: list(things), timeout)
            seen.append((found, time.now()))

    def bring() -> None:
        time.sleep(3.0)
        with condition:
            things.append("thing")
            condition.notify_all()

    for timeout in (1.0, 5.0):
        time.start(partial(wait, timeout), f"waits {timeout}")
    time.start(bring, "brings")
    time.run()
    assert seen == [([], 1.0), (["thing"], 3.0)]


def test_who_waits_for_ever_is_named() -> None:
    time = VirtualTime()

    def wait() -> None:
        condition = time.condition()
        with condition:
            condition.wait()

    waiter = time.start(wait, "the waiter")
    time.start(waiter.join, "the joiner")
    with pytest.raises(ProtocolError) as caught:
        time.run()
    assert str(caught.value) == (
        "2 strands are stuck: the waiter waits for a condition;"
        " the joiner waits for the end of the waiter"
    )


def test_what_a_strand_raises_comes_out_and_the_others_are_stopped() -> None:
    time = VirtualTime()
    log: list[str] = []

    def fail() -> None:
        time.sleep(1.0)
        msg = "a mistake"
        raise KeyError(msg)

    def stay() -> None:
        try:
            time.sleep(9.0)
        finally:
            log.append("stopped")

    time.start(stay, "stays")
    time.start(fail, "fails")
    with pytest.raises(KeyError, match="a mistake"):
        time.run()
    assert log == ["stopped"]
    assert repr(time) == "<VirtualTime 1.000 s, 0 strands>"


def test_a_run_until_one_has_ended_stops_the_others() -> None:
    time = VirtualTime()
    log: list[float] = []

    def tick() -> None:
        while True:
            time.sleep(1.0)
            log.append(time.now())

    time.start(tick, "ticks")
    time.run(time.start(partial(time.sleep, 3.5), "ends"))
    assert log == [1.0, 2.0, 3.0]


def test_strands_have_the_main_module_that_was_set_for_them() -> None:
    time = VirtualTime()
    before = sys.modules["__main__"]
    seen: list[ModuleType] = []

    def look(module: ModuleType) -> None:
        assert time.current is not None
        time.current.main = module
        time.sleep(1.0)
        seen.append(sys.modules["__main__"])
        time.start(lambda: seen.append(sys.modules["__main__"]), "child")

    modules = [ModuleType("one"), ModuleType("two")]
    for module in modules:
        time.start(partial(look, module), module.__name__)
    time.run()
    assert seen == [*modules, *modules]
    assert sys.modules["__main__"] is before


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_things_are_done_beside_each_other_as_many_as_may_be(limit: int) -> None:
    time = VirtualTime()

    def square(number: int) -> int:
        time.sleep(1.0)
        return number**2

    ends: list[float] = []

    def work() -> None:
        assert map_beside(time, square, range(7), limit=limit) == [
            number**2 for number in range(7)
        ]
        ends.append(time.now())

    time.start(work, "works")
    time.run()
    assert ends == [-(-7 // limit)]


def test_the_first_failure_of_things_beside_each_other_is_raised() -> None:
    time = VirtualTime()
    done: list[int] = []

    def fail(number: int) -> None:
        time.sleep(5.0 - number)
        done.append(number)
        if number in (1, 3):
            raise ValueError(number)

    def work(call: Callable[[int], None]) -> None:
        with pytest.raises(ValueError, match="1"):
            map_beside(time, call, range(5), limit=5)

    time.start(partial(work, fail), "works")
    time.run()
    assert sorted(done) == list(range(5))
