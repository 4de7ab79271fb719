"""What functions and classes bring along: closures, refs, handles, each other."""

import os
from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import Any

import cloudpickle
import numpy as np
import pytest

import serverless_dist as sd


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    with sd.init("local", workers=2):
        yield


@sd.remote
def identity(x: Any) -> Any:
    return x


def module_level(x: int) -> int:
    return x + 1


def test_a_closure_travels_with_its_function() -> None:
    data = np.arange(10)

    @sd.remote
    def total(x: int) -> int:
        return int(data.sum()) + x

    assert sd.get(total.remote(1)) == 46


def test_a_function_is_as_it_was_when_it_was_called_first() -> None:
    box = [1]

    @sd.remote
    def looks() -> int:
        return box[0]

    assert sd.get(looks.remote()) == 1
    box[0] = 2
    assert sd.get(looks.remote()) == 1


def test_a_function_is_pickled_once() -> None:
    class Counted:
        count = 0

        def __reduce__(self) -> tuple[Any, ...]:
            type(self).count += 1
            return int, (1,)

    counted = Counted()

    @sd.remote
    def looks() -> object:
        return counted

    refs = [looks.remote() for _ in range(5)]
    refs += [looks.options(retries=0).remote() for _ in range(5)]
    assert sd.get(refs) == [1] * 10
    assert Counted.count == 1


def test_a_remote_function_may_call_itself() -> None:
    @sd.remote
    def factorial(n: int) -> int:
        return 1 if n < 2 else n * sd.get(factorial.remote(n - 1))

    assert sd.get(factorial.remote(6)) == 720


def test_remote_functions_may_call_each_other() -> None:
    @sd.remote
    def is_even(n: int) -> bool:
        return n == 0 or sd.get(is_odd.remote(n - 1))

    @sd.remote
    def is_odd(n: int) -> bool:
        return n != 0 and sd.get(is_even.remote(n - 1))

    assert sd.get(is_even.remote(6))
    assert not sd.get(is_even.remote(5))


def test_remote_functions_classes_and_gangs_can_be_arguments() -> None:
    @sd.remote
    class Box:
        def __init__(self, x: int) -> None:
            self.x = x

        def get(self) -> int:
            return self.x

    @sd.ranks(2, channel="direct")
    def total(comm: Any, x: int) -> int:
        return int(comm.allreduce(x))

    @sd.remote
    def uses(function: Any, cls: Any, gang: Any) -> list[Any]:
        box = cls.remote(2)
        return sd.get([function.remote(1), box.get.remote(), gang.remote(3)])

    assert sd.get(uses.remote(identity, Box, total)) == [1, 2, [6, 6]]
    again = cloudpickle.loads(cloudpickle.dumps(identity.options(name="again")))
    assert repr(again) == "<RemoteFunction again>"
    assert sd.get(again.remote(7)) == 7


def test_refs_and_handles_in_a_closure_are_kept() -> None:
    @sd.remote
    class Counter:
        def __init__(self) -> None:
            self.count = 0

        def up(self) -> int:
            self.count += 1
            return self.count

    counter: Any = Counter.remote()  # type: ignore[attr-defined]
    ref: Any = sd.put(bytes(100_000))

    @sd.remote
    def uses() -> tuple[int, int]:
        return len(sd.get(ref)), sd.get(counter.up.remote())

    assert sd.get(uses.remote()) == (100_000, 1)
    ref = counter = None  # the function was pickled before
    assert sd.get(uses.remote()) == (100_000, 2)


def test_lambdas_partials_methods_and_builtins() -> None:
    class Adder:
        def __init__(self, x: int) -> None:
            self.x = x

        def add(self, y: int) -> int:
            return self.x + y

        @staticmethod
        def fixed() -> str:
            return "fixed"

    assert sd.get(sd.remote(lambda x: -x).remote(3)) == -3
    assert sd.get(sd.remote(Adder(3).add).remote(4)) == 7
    assert sd.get(sd.remote(Adder.fixed).remote()) == "fixed"
    assert sd.get(sd.remote(abs).remote(-3)) == 3
    assert sd.get(sd.remote(np.linalg.norm).remote([3.0, 4.0])) == 5.0
    assert sd.get(identity.remote(partial(module_level, 3)))() == 4
    with pytest.raises(TypeError, match="remote takes a function or a class"):
        sd.remote(partial(module_level, 3))


def test_a_decorated_function_keeps_its_signature() -> None:
    def doubled(function: Callable[..., int]) -> Callable[..., int]:
        @wraps(function)
        def inner(*args: Any, **kwargs: Any) -> int:
            return 2 * function(*args, **kwargs)

        return inner

    @sd.remote
    @doubled
    def add(x: int, y: int) -> int:
        return x + y

    assert sd.get(add.remote(1, y=2)) == 6
    with pytest.raises(TypeError, match=r"add\(\) missing"):
        add.remote(1)


def test_an_async_function_is_run_to_its_end() -> None:
    @sd.remote
    async def waits(ref: list[Any]) -> int:
        return int(await ref[0]) + 1

    assert sd.get(waits.remote([identity.remote(1)])) == 2


def test_tasks_run_in_processes_of_their_own() -> None:
    pid = sd.remote(os.getpid)
    pids = set(sd.get([pid.remote() for _ in range(20)]))
    assert os.getpid() not in pids
    assert len(pids) <= 2
