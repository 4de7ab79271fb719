"""Actors: state, order, handles, names, lives and deaths."""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import serverless_dist as sd
from tests.gates import Gate
from tests.stores import directory, wait_until_empty


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    with sd.init("local", workers=2):
        yield


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


@sd.remote
class Counter:
    """Counts."""

    step = 1

    def __init__(self, start: int = 0) -> None:
        self.count = start
        self.log: list[Any] = []

    def up(self, by: int = 1) -> int:
        self.count += by * self.step
        return self.count

    def note(self, x: Any) -> None:
        self.log.append(x)

    def read(self) -> list[Any]:
        return self.log

    def pair(self) -> tuple[int, int]:
        return self.count, -self.count

    def fails(self) -> None:
        msg = f"at {self.count}"
        raise KeyError(msg)

    def passes(self, gate: Gate) -> None:
        gate.pass_through()

    def pid(self) -> int:
        return os.getpid()

    def dies(self, mark: Path | None = None) -> str:
        if mark is None or not mark.exists():
            if mark is not None:
                mark.touch()
            os._exit(3)
        return "alive"

    async def later(self, x: int) -> int:
        await asyncio.sleep(0)
        return self.count + x

    @staticmethod
    def double(x: int) -> int:
        return 2 * x

    @classmethod
    def named(cls) -> str:
        return cls.__name__

    def __call__(self) -> str:
        return "called"


CounterClass: Any = Counter  # mypy takes no note of what decorates a class


@sd.remote
def ups(counter: Any, times: int) -> list[int]:
    return [sd.get(counter.up.remote()) for _ in range(times)]


def make(**options: Any) -> Any:
    return CounterClass.options(**options).remote()


# State and order.


def test_an_actor_keeps_its_state() -> None:
    counter: Any = CounterClass.remote(10)
    assert sd.get([counter.up.remote(number) for number in range(5)]) == [
        10, 11, 13, 16, 20
    ]  # fmt: skip
    with pytest.raises(KeyError, match="at 20"):
        sd.get(counter.fails.remote())
    assert sd.get(counter.up.remote()) == 21


def test_actors_are_independent() -> None:
    counters = [make() for _ in range(4)]  # more than there are workers for tasks
    sd.get([counter.up.remote(number) for number, counter in enumerate(counters)])
    assert sd.get([each.up.remote() for each in counters]) == [1, 2, 3, 4]
    assert sd.get(ups.remote(counters[0], 2)) == [2, 3]


def test_calls_run_in_the_order_in_which_they_were_made() -> None:
    counter = make()
    for number in range(500):
        counter.note.remote(number)
    assert sd.get(counter.read.remote()) == list(range(500))


def test_calls_wait_for_those_before_whose_arguments_are_not_known(gate: Gate) -> None:
    @sd.remote
    def passes(gate: Gate) -> str:
        gate.pass_through()
        return "first"

    counter = make()
    counter.note.remote(passes.remote(gate))
    counter.note.remote("second")
    gate.wait_for_arrival()
    gate.open()
    assert sd.get(counter.read.remote()) == ["first", "second"]


def test_arguments_of_the_constructor_are_resolved() -> None:
    counter: Any = CounterClass.remote(sd.put(5))
    assert sd.get(counter.up.remote(sd.put(2))) == 7
    after: Any = CounterClass.remote(counter.up.remote())
    assert sd.get(after.up.remote()) == 9


def test_what_an_actor_keeps_of_its_arguments_stays_valid() -> None:
    counter = make()
    for number in range(5):
        counter.note.remote(np.full(100_000, number))
    log = sd.get(counter.read.remote())
    assert [int(each.sum()) for each in log] == [n * 100_000 for n in range(5)]


def test_kinds_of_methods() -> None:
    counter = make()
    assert sd.get(counter.later.remote(1)) == 1
    assert sd.get(counter.double.remote(2)) == 4
    assert sd.get(counter.named.remote()) == "Counter"
    assert sd.get(counter.__call__.remote()) == "called"
    first, second = counter.pair.options(num_returns=2).remote()
    assert sd.get([second, first]) == [0, 0]
    assert counter.up.options(num_returns=0).remote() is None
    assert sd.get(counter.up.remote()) == 2


def test_inherited_methods_are_methods() -> None:
    class Base:
        def base(self) -> str:
            return type(self).__name__

    @sd.remote
    class Derived(Base):
        pass

    derived: Any = Derived.remote()  # type: ignore[attr-defined]
    assert sd.get(derived.base.remote()) == "Derived"


def test_a_wrong_call_is_refused_at_once() -> None:
    counter = make()
    calls: list[Callable[[], Any]] = [
        lambda: CounterClass.remote(1, 2),
        lambda: CounterClass(),
        lambda: counter.up.remote(1, 2),
        lambda: counter.up.remote(by=1, wrong=2),
        lambda: counter.up(),
    ]
    for wrong in calls:
        with pytest.raises(TypeError, match=r"Counter|up"):
            wrong()
    with pytest.raises(AttributeError, match="Counter has no method 'down'"):
        counter.down.remote()
    with pytest.raises(AttributeError, match="count"):
        _ = counter.count
    assert not hasattr(counter, "__array__")


def test_a_method_may_take_too_long_and_the_actor_goes_on(gate: Gate) -> None:
    counter = make()
    with pytest.raises(sd.TaskTimeoutError, match="passes"):
        sd.get(counter.passes.options(timeout=0.2).remote(gate))
    assert sd.get(counter.up.remote()) == 1


# Handles.


def test_handles_can_be_passed_on() -> None:
    counter = make()
    refs = [ups.remote(counter, 3) for _ in range(4)]
    counts = [count for part in sd.get(refs) for count in part]
    assert sorted(counts) == list(range(1, 13))
    box = make()
    sd.get(box.note.remote({"inside": [counter]}))
    (back,) = sd.get(box.read.remote())
    assert back["inside"] == [counter]
    assert len({back["inside"][0], counter}) == 1
    assert sd.get(back["inside"][0].up.remote()) == 13


def test_an_actor_made_by_a_task_lives_as_long_as_its_handle() -> None:
    @sd.remote
    def makes() -> Any:
        counter = make()
        sd.get(counter.up.remote())
        return counter

    counter = sd.get(makes.remote())
    assert sd.get(counter.up.remote()) == 2


def test_an_actor_ends_when_nobody_has_a_handle(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    @sd.remote
    class Holder:
        def __init__(self, fifo: Path) -> None:
            self.fifo = fifo

        def hold(self) -> None:
            self.file = self.fifo.open("w")
            self.file.write("held")

    holder: Any = Holder.remote(fifo)  # type: ignore[attr-defined]
    holder.hold.remote()
    with fifo.open() as file:
        del holder
        assert file.read() == "held"  # which ends when the worker does


def test_calls_that_were_made_before_are_done_first() -> None:
    ref = make().up.remote()
    assert sd.get(ref) == 1
    refs = [make(name=None).up.remote() for _ in range(3)]
    assert sd.get(refs) == [1, 1, 1]


def test_what_an_actor_holds_goes_with_it() -> None:
    counter = make()
    sd.get(counter.note.remote([sd.put(bytes(100_000))]))
    wait_until_empty(directory(), but=1)
    del counter
    wait_until_empty(directory())


# Names.


def test_an_actor_is_found_by_its_name() -> None:
    counter = make(name="counter")
    found = sd.get_actor("counter")
    assert found == counter
    assert sd.get([counter.up.remote(), found.up.remote()]) == [1, 2]

    @sd.remote
    def finds() -> int:
        return int(sd.get(sd.get_actor("counter").up.remote()))

    assert sd.get(finds.remote()) == 3
    with pytest.raises(ValueError, match="'counter' already"):
        make(name="counter")
    sd.kill(counter)
    with pytest.raises(ValueError, match="no actor with the name 'counter'"):
        sd.get_actor("counter")
    again = make(name="counter")
    assert sd.get(again.up.remote()) == 1


@pytest.mark.parametrize("name", ["nobody", ""])
def test_a_name_that_no_actor_has(name: str) -> None:
    with pytest.raises(sd.UsageError, match=f"no actor with the name {name!r}"):
        sd.get_actor(name)


# Deaths.


def test_a_killed_actor_is_dead() -> None:
    counter = make()
    pid = sd.get(counter.pid.remote())
    waiting = counter.up.remote()
    sd.get(waiting)
    sd.kill(counter)
    with pytest.raises(sd.ActorDiedError, match=r"Counter.*killed"):
        sd.get(counter.up.remote())
    sd.kill(counter)
    with Gone(pid):
        pass


def test_calls_under_way_fail_when_the_actor_is_killed(gate: Gate) -> None:
    counter = make()
    refs = [counter.passes.remote(gate), counter.up.remote()]
    gate.wait_for_arrival()
    sd.kill(counter)
    for ref in refs:
        with pytest.raises(sd.ActorDiedError):
            sd.get(ref)


def test_an_actor_whose_worker_dies_is_dead() -> None:
    counter = make()
    refs = [counter.dies.remote(), counter.up.remote()]
    for ref in refs:
        with pytest.raises(sd.ActorDiedError, match="exit code 3"):
            sd.get(ref)
    with pytest.raises(sd.ActorDiedError, match="exit code 3"):
        sd.get(counter.up.remote())


def test_an_actor_is_made_anew_as_often_as_its_options_say() -> None:
    counter = make(max_restarts=1)
    assert sd.get(counter.up.remote(5)) == 5
    with pytest.raises(sd.ActorDiedError):
        sd.get(counter.dies.remote())
    assert sd.get(counter.up.remote()) == 1
    with pytest.raises(sd.ActorDiedError):
        sd.get(counter.dies.remote())
    with pytest.raises(sd.ActorDiedError):
        sd.get(counter.up.remote())


def test_a_call_is_run_again_if_the_options_say_so(tmp_path: Path) -> None:
    counter = make(max_restarts=-1, max_task_retries=1)
    refs = [counter.dies.remote(tmp_path / "mark"), counter.up.remote()]
    assert sd.get(refs) == ["alive", 1]
    with pytest.raises(sd.ActorDiedError):
        sd.get(counter.dies.remote())
    assert sd.get(counter.up.remote()) == 1


def test_kill_may_leave_an_actor_to_be_made_anew() -> None:
    counter = make(max_restarts=1)
    assert sd.get(counter.up.remote(5)) == 5
    sd.kill(counter, no_restart=False)
    assert sd.get(counter.up.remote()) == 1
    sd.kill(counter)
    with pytest.raises(sd.ActorDiedError):
        sd.get(counter.up.remote())


def test_a_constructor_that_raises_is_the_cause_of_death() -> None:
    @sd.remote
    class Broken:
        def __init__(self) -> None:
            msg = "no luck"
            raise LookupError(msg)

        def call(self) -> None: ...

    broken: Any = Broken.remote()  # type: ignore[attr-defined]
    with pytest.raises(sd.ActorDiedError, match=r"(?s)Broken.*no luck") as caught:
        sd.get(broken.call.remote())
    assert isinstance(caught.value.__cause__, LookupError)


@pytest.mark.parametrize("what", [3, None, "name"])
def test_only_actors_can_be_killed(what: Any) -> None:
    with pytest.raises(TypeError, match="kill takes the handle"):
        sd.kill(what)


class Gone:
    """Waits until a process has ended."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def __enter__(self) -> None:
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        import select

        assert select.select([descriptor], [], [], 10)[0]
        os.close(descriptor)

    def __exit__(self, *exception: object) -> None: ...
