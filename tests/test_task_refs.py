"""Refs and streams of refs: who holds what, and when values come."""

import asyncio
import copy
import gc
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import serverless_dist as sd
from serverless_dist.errors import ObjectLostError
from serverless_dist.tasks.arguments import (
    pack_arguments,
)
from serverless_dist.tasks.messages import (
    STREAMING,
    Hold,
    Release,
)
from serverless_dist.tasks.submission import refs_of
from serverless_dist.tasks.values import (
    END,
    Cause,
    Failure,
    Form,
    Value,
    failed,
)
from serverless_dist.wire import encode
from tests.scripted_driver import ScriptedDriver, opened


@pytest.fixture
def driver() -> Iterator[ScriptedDriver]:
    with opened() as scripted:
        yield scripted


def test_refs_are_equal_if_they_refer_to_the_same_value(driver: ScriptedDriver) -> None:
    first, again, other = driver.ref(7), driver.ref(7), driver.ref(8)
    assert first == again
    assert first != other
    assert first != 7
    assert len({first, again, other}) == 2
    assert repr(first) == f"<ObjectRef {7:016x}>"


def test_a_ref_that_is_gone_is_released_once(driver: ScriptedDriver) -> None:
    ref = driver.ref(7)
    same = ref
    del ref
    assert not driver.said(Release)
    del same
    assert driver.said(Release) == [Release(7)]


def test_nothing_is_released_once_the_session_has_ended(driver: ScriptedDriver) -> None:
    ref = driver.ref(7)
    driver.client.fail(sd.UsageError("it has ended"))
    del ref
    assert not driver.said(Release)


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda ref: pickle.loads(pickle.dumps(ref))]
)
def test_a_copy_of_a_ref_is_a_holder_of_its_own(
    driver: ScriptedDriver, again: Callable[[Any], Any]
) -> None:
    ref = driver.ref(7)
    other = again(ref)
    assert other == ref
    # One for the copy, and one for ever: its pickle may be anywhere.
    assert driver.said(Hold) == [Hold(7), Hold(7)]
    del other
    assert driver.said(Release) == [Release(7)]


def test_a_ref_of_another_session_is_refused(driver: ScriptedDriver) -> None:
    stranger = ScriptedDriver()
    ref = stranger.ref(7, "secret")
    for refused in (
        lambda: sd.get(ref),
        lambda: sd.get([driver.ref(1), ref]),
        lambda: sd.wait([ref]),
        lambda: sd.as_completed([ref]),
        lambda: sd.cancel(ref),
        lambda: pack_arguments("f", (ref,), {}),
        lambda: pickle.dumps(ref),
        ref.future,
    ):
        with pytest.raises(sd.UsageError, match="session that is not open here"):
            refused()
    assert not stranger.asks()


def test_a_refs_future_has_its_value(driver: ScriptedDriver) -> None:
    assert driver.ref(7, "value").future().result(10) == "value"


def test_a_refs_future_has_its_failure(driver: ScriptedDriver) -> None:
    ref = driver.ref(7)
    driver.values[7] = failed(Failure(Cause.LOST, "a value", "is gone"))
    assert isinstance(ref.future().exception(10), ObjectLostError)


def test_futures_fail_when_the_session_ends(driver: ScriptedDriver) -> None:
    future = driver.unknown(7).future()
    driver.client.fail(sd.UsageError("it has ended"))
    with pytest.raises(sd.UsageError, match="it has ended"):
        future.result(10)


def test_a_callback_of_the_users_that_raises_stops_no_other(
    driver: ScriptedDriver,
) -> None:
    first = driver.unknown(7).future()
    second = driver.ref(8, 8).future()
    first.add_done_callback(lambda _: 1 / 0)
    driver.values[7] = Value(Form.INLINE, b"".join(encode(7)))
    driver.answer(driver.asks()[0])
    assert first.result(10) == 7
    assert second.result(10) == 8
    assert driver.ref(9, 9).future().result(10) == 9


def test_a_ref_can_be_awaited(driver: ScriptedDriver) -> None:
    async def both() -> list[Any]:
        first, second = driver.ref(7, "first"), driver.ref(8, "second")
        return [await first, *await asyncio.gather(second, first)]

    assert asyncio.run(both()) == ["first", "second", "first"]


# Streams.


def test_a_stream_gives_refs_until_its_end(driver: ScriptedDriver) -> None:
    stream = driver.client.take_id(STREAMING)
    refs = refs_of(driver.client, stream, STREAMING)
    driver.values[stream + 2] = END
    first = driver.ref(stream + 1, "first")
    assert [sd.get(ref) for ref in refs] == ["first"]
    assert list(refs) == []
    assert driver.said(Hold) == [Hold(first.id)]
    assert refs.completed().id == stream
    del refs, first
    gc.collect()
    assert driver.said(Release)[-2:] == [Release(stream), Release(stream + 1)]


def test_a_stream_can_be_iterated_asynchronously(driver: ScriptedDriver) -> None:
    stream = driver.client.take_id(STREAMING)
    driver.values[stream + 3] = END
    kept = [driver.ref(stream + 1, "first"), driver.ref(stream + 2, "second")]

    async def read() -> list[Any]:
        refs = refs_of(driver.client, stream, STREAMING)
        return [await ref async for ref in refs]

    assert asyncio.run(read()) == ["first", "second"]
    assert len(kept) == 2


def test_who_stops_waiting_for_a_stream_stops_no_other(driver: ScriptedDriver) -> None:
    stream = driver.client.take_id(STREAMING)

    async def give_up() -> None:
        refs = refs_of(driver.client, stream, STREAMING)
        waiting = asyncio.ensure_future(anext(refs))
        while not driver.asks():
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(give_up())
    driver.know(stream + 1, END)
    driver.answer(driver.asks()[0])
    assert driver.ref(7, "value").future().result(10) == "value"


def test_a_stream_is_not_passed_on(driver: ScriptedDriver) -> None:
    refs = refs_of(driver.client, driver.client.take_id(STREAMING), STREAMING)
    with pytest.raises(TypeError, match="pass the refs that it gives"):
        pickle.dumps(refs)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 9])
def test_a_call_gives_as_many_refs_as_it_returns_values(
    driver: ScriptedDriver, count: int
) -> None:
    first = driver.client.take_id(count)
    refs = refs_of(driver.client, first, count)
    if count == 0:
        assert refs is None
    elif count == 1:
        assert refs.id == first
    else:
        assert [ref.id for ref in refs] == list(range(first, first + count))
    assert driver.client.take_id(1) >= first + count
