"""`map` and `starmap`: batches against a driver that computes them at once."""

from collections.abc import Iterator
from functools import partial
from itertools import count, islice
from typing import Any

import pytest

import serverless_dist as sd
from serverless_dist.tasks.arguments import pack_value, unpack_arguments
from serverless_dist.tasks.code import unpack_code
from serverless_dist.tasks.current import set_client
from serverless_dist.tasks.failures import failure_of_exception
from serverless_dist.tasks.messages import Cancel, Kind, Message, Ship, Submit
from serverless_dist.tasks.values import Cause, Failure, failed
from tests.scripted_driver import ScriptedDriver

SLOTS = 2


class ComputingDriver(ScriptedDriver):
    """Computes batches at once, and says that each call took `seconds`."""

    def __init__(self) -> None:
        super().__init__()
        self.client.slots = SLOTS
        self.seconds = 1.0
        self.batches: list[list[Any]] = []
        self.is_broken = self.is_slow = False

    def post(self, message: Message, *, urgent: bool) -> None:
        if isinstance(message, Submit) and message.spec.kind == Kind.MAP:
            self.compute(message)
        super().post(message, urgent=urgent)

    def compute(self, message: Submit) -> None:
        (batch,), _ = unpack_arguments([self.body(message.spec.payload)], ())
        self.batches.append(batch)
        if self.is_broken:
            value = failed(Failure(Cause.CRASHED, message.spec.name, "was killed"))
            self.know(message.spec.id, value)
        elif not self.is_slow:
            result = self.result(message.spec.code, batch)
            self.know(message.spec.id, self.client.keep(*pack_value(result)))

    def result(self, digest: bytes, batch: list[Any]) -> Any:
        ships = {each.digest: each.value for each in self.said(Ship)}
        function = unpack_code([self.body(ships[digest])]).target
        results = []
        for item in batch:
            try:
                results.append(function(*item))
            except Exception as error:
                return results, failure_of_exception("f", error), self.seconds
        return results, None, self.seconds * len(batch)


@pytest.fixture
def driver() -> Iterator[ComputingDriver]:
    scripted = ComputingDriver()
    set_client(scripted.client)
    yield scripted
    scripted.client.fail(sd.UsageError("the test is over"))
    set_client(None)


def inverse(x: int) -> float:
    return 1 / x


@pytest.mark.parametrize("size", [0, 1, 2, 3, 9, 33, 1_000])
@pytest.mark.parametrize("chunksize", [None, 1, 7, 100])
def test_results_are_those_of_map_in_order(
    driver: ComputingDriver, size: int, chunksize: int | None
) -> None:
    results = sd.map(pow, range(size), [2] * size, chunksize=chunksize)
    assert list(results) == [x * x for x in range(size)]
    assert sum(map(len, driver.batches)) == size


def test_starmap_spreads_its_items(driver: ComputingDriver) -> None:
    assert list(sd.starmap(pow, [[2, 3], (3, 2)])) == [8, 9]
    assert driver.batches == [[(2, 3)], [(3, 2)]]


def test_the_shortest_iterable_ends_it(driver: ComputingDriver) -> None:
    assert list(sd.map(pow, count(), [1, 2])) == [0, 1]


@pytest.mark.parametrize("function", [partial(pow, 2), (2).__pow__, sd.remote(abs)])
def test_all_that_can_be_called_can_be_mapped(
    driver: ComputingDriver, function: Any
) -> None:
    results = list(sd.map(function, [3, 4]))
    assert results in ([8, 16], [3, 4])


def test_no_more_is_taken_than_is_under_way(driver: ComputingDriver) -> None:
    items = count()
    results = sd.map(abs, items)
    assert next(items) == 3 * SLOTS
    assert next(results) == 0
    assert next(items) == 3 * SLOTS + 2


def test_the_function_is_shipped_once(driver: ComputingDriver) -> None:
    assert len(list(sd.map(abs, range(100)))) == 100
    assert len(driver.said(Ship)) == 1


def test_batches_grow_while_calls_are_short(driver: ComputingDriver) -> None:
    driver.seconds = 0.001
    assert len(list(sd.map(abs, range(1_000)))) == 1_000
    sizes = [len(batch) for batch in driver.batches]
    assert sizes[: 3 * SLOTS] == [1] * 3 * SLOTS
    assert set(sizes[3 * SLOTS : -1]) == {8, 50}
    assert sizes == sorted(sizes[:-1]) + sizes[-1:]


def test_batches_of_long_calls_have_one(driver: ComputingDriver) -> None:
    driver.seconds = 0.06
    assert len(list(sd.map(abs, range(20)))) == 20
    assert {len(batch) for batch in driver.batches} == {1}


def test_batches_shrink_when_calls_take_longer(driver: ComputingDriver) -> None:
    driver.seconds = 0.0001
    results = sd.map(abs, count())
    assert len(list(islice(results, 2_000))) == 2_000
    assert len(driver.batches[-1]) == 500
    driver.seconds = 0.01
    assert len(list(islice(results, 5_000))) == 5_000
    assert len(driver.batches[-1]) == 5


def test_results_before_an_error_are_given(driver: ComputingDriver) -> None:
    results = sd.map(inverse, [1, 2, 0, 4], chunksize=4)
    assert [next(results), next(results)] == [1.0, 0.5]
    with pytest.raises(ZeroDivisionError) as caught:
        next(results)
    assert isinstance(caught.value, sd.RemoteError)
    assert list(results) == []


def test_an_error_cancels_what_is_under_way(driver: ComputingDriver) -> None:
    results = sd.map(inverse, count(-1), chunksize=1)
    with pytest.raises(ZeroDivisionError):
        list(results)
    submitted = [each.spec.id for each in driver.said(Submit)]
    assert [each.id for each in driver.said(Cancel)] == submitted[2:]


def test_who_takes_no_more_cancels_what_is_under_way(driver: ComputingDriver) -> None:
    results = sd.map(abs, count())
    next(results)
    del results
    assert len(driver.said(Cancel)) == 3 * SLOTS


def test_a_batch_that_is_not_computed_is_the_end(driver: ComputingDriver) -> None:
    driver.is_broken = True
    results = sd.map(abs, range(3))
    with pytest.raises(sd.WorkerCrashedError, match="abs was killed"):
        next(results)
    assert list(results) == []


def test_a_map_that_takes_too_long_says_so(driver: ComputingDriver) -> None:
    driver.is_slow = True
    with pytest.raises(sd.GetTimeoutError, match="next result was not there"):
        next(sd.map(abs, range(3), timeout=0))


def test_what_cannot_be_mapped_is_refused_at_once(driver: ComputingDriver) -> None:
    with pytest.raises(TypeError, match="map takes a function, not 3"):
        sd.map(3, [1])  # type: ignore[arg-type]
    for chunksize in (0, -1, True, 1.5, "2"):
        with pytest.raises(sd.UsageError, match=f"chunksize is {chunksize!r}"):
            sd.map(abs, [1], chunksize=chunksize)  # type: ignore[arg-type]
    assert not driver.batches


def test_the_options_of_a_remote_function_hold(driver: ComputingDriver) -> None:
    function = sd.remote(abs).options(retries=0, memory=512, name="size")
    assert list(sd.map(function, [-1])) == [1]
    (submit,) = driver.said(Submit)
    policy = submit.spec.policy
    assert (submit.spec.name, policy.retries, policy.memory) == ("size", 0, 512)
