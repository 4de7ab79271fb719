"""Whoever waits inside of a task gives its slot back, however it waits."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import serverless_dist as sd


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    with sd.init("local", workers=1):
        yield


@sd.remote
def one(x: int) -> int:
    return x


def test_a_task_may_await_another_one() -> None:
    @sd.remote
    async def awaits(x: int) -> int:
        return int(await one.remote(x))

    refs = [awaits.remote(number) for number in range(3)]
    assert sd.get(refs, timeout=60) == [0, 1, 2]


def test_a_task_may_wait_for_a_future() -> None:
    @sd.remote
    def waits(x: int) -> int:
        return int(one.remote(x).future().result())

    assert sd.get(waits.remote(7), timeout=60) == 7


def test_a_thread_of_a_task_may_wait() -> None:
    @sd.remote
    def waits(x: int) -> int:
        with ThreadPoolExecutor(1) as pool:
            return int(pool.submit(sd.get, one.remote(x)).result())

    assert sd.get(waits.remote(7), timeout=60) == 7


def test_a_future_that_nobody_waited_for_keeps_no_worker() -> None:
    @sd.remote
    def leaves(depth: int) -> int:
        if depth:
            leaves.remote(depth - 1).future()
        return depth

    assert sd.get([leaves.remote(2) for _ in range(4)], timeout=60) == [2] * 4
    assert sd.get([one.remote(number) for number in range(5)]) == [*range(5)]
