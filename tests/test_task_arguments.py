"""Arguments and values on their way, and the refs among them."""

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import serverless_dist as sd
from serverless_dist.tasks.arguments import (
    pack_arguments,
    pack_value,
    unpack_arguments,
)
from serverless_dist.tasks.messages import (
    Hold,
    Put,
)
from serverless_dist.tasks.refs import load
from serverless_dist.tasks.values import (
    INLINE_BYTES,
    Form,
)
from tests.scripted_driver import ScriptedDriver, opened


@pytest.fixture
def driver() -> Iterator[ScriptedDriver]:
    with opened() as scripted:
        yield scripted


def test_a_ref_among_the_arguments_is_replaced_by_its_value(
    driver: ScriptedDriver,
) -> None:
    first, second = driver.ref(7), driver.ref(8)
    packed = pack_arguments("f", (first, 1, second), {"key": first})
    assert packed.deps == (7, 8, 7)
    assert packed.refs == ()
    values = ("seven", "eight", "seven")
    args, kwargs = unpack_arguments(packed.body, values)
    assert args == ("seven", 1, "eight")
    assert kwargs == {"key": "seven"}


def test_a_ref_inside_of_an_argument_stays_a_ref(driver: ScriptedDriver) -> None:
    ref = driver.ref(7)
    cyclic: list[Any] = [ref, {"key": (ref,)}]
    cyclic.append(cyclic)
    packed = pack_arguments("f", (cyclic,), {})
    assert packed.deps == ()
    assert set(packed.refs) == {7}
    ((first, second, third),), _ = unpack_arguments(packed.body, ())
    assert first == second["key"][0] == ref
    assert third[2] is third


def test_values_that_look_like_places_are_left_alone(driver: ScriptedDriver) -> None:
    packed = pack_arguments("f", ((0,), driver.ref(7)), {})
    args, _ = unpack_arguments(packed.body, ["seven"])
    assert args == ((0,), "seven")


def test_the_argument_that_cannot_be_pickled_is_named() -> None:
    with pytest.raises(sd.UnpicklableError, match=r"f .*argument 1 is a _thread\.lock"):
        pack_arguments("f", (1, threading.Lock()), {})
    with pytest.raises(sd.UnpicklableError, match=r"f .*key is a _thread\.lock"):
        pack_arguments("f", (1,), {"key": threading.Lock()})


def test_what_is_refused_holds_nothing(driver: ScriptedDriver) -> None:
    ref = driver.ref(7)
    with pytest.raises(sd.UnpicklableError):
        pack_arguments("f", ([ref], threading.Lock()), {})
    assert not driver.said(Hold)


@pytest.mark.parametrize("size", [0, 1, INLINE_BYTES - 200, INLINE_BYTES + 1])
def test_large_values_go_to_the_store(driver: ScriptedDriver, size: int) -> None:
    value = driver.client.keep(*pack_value(bytes(size)))
    assert value.form == (Form.STORED if size > INLINE_BYTES else Form.INLINE)
    assert value.size >= size
    assert load(value, driver.client) == bytes(size)


@pytest.mark.parametrize("size", [0, 1, 8, 100_000])
def test_arrays_come_back_read_only(driver: ScriptedDriver, size: int) -> None:
    array = np.arange(size, dtype=np.int64)
    alone, in_list = sd.get([sd.put(array), sd.put([array])])
    for got in (alone, *in_list):
        np.testing.assert_array_equal(got, array)
        assert not got.flags.writeable
    assert driver.said(Put)


def test_a_value_holds_the_refs_inside_it(driver: ScriptedDriver) -> None:
    ref = driver.ref(7)
    sd.put([ref, ref])
    (put,) = driver.said(Put)
    assert set(put.value.refs) == {7}
    assert not driver.said(Hold)
