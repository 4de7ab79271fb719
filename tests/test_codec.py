import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from serverless_dist.errors import ProtocolError, UnpicklableError
from serverless_dist.wire import decode, encode


def round_trip(obj: Any) -> Any:
    return decode([bytearray().join(encode(obj))])


@pytest.mark.parametrize(
    "obj",
    [None, True, 3, 2.5, "text", b"", b"bytes", bytearray(b"x"), [1, {"a": (2,)}], {3}],
    ids=repr,
)
def test_objects_come_back_equal_and_of_the_same_type(obj: object) -> None:
    back = round_trip(obj)
    assert back == obj
    assert type(back) is type(obj)


ARRAYS: dict[str, Callable[[], np.ndarray[Any, Any]]] = {
    "scalar": lambda: np.array(5.0),
    "empty": lambda: np.zeros((0, 3), dtype=np.int8),
    "matrix": lambda: np.arange(12.0).reshape(3, 4),
    "fortran": lambda: np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "strided": lambda: np.arange(10)[::2],
    "reversed": lambda: np.arange(10)[::-1],
    "big endian": lambda: np.arange(3, dtype=">i4"),
    "dates": lambda: np.array(["2020-01-01"], dtype="M8[D]"),
    "text": lambda: np.array(["a", "bc"]),
    "booleans": lambda: np.array([True, False]),
    "complex": lambda: np.array([1 + 2j]),
    "records": lambda: np.zeros(3, dtype=[("a", "i4"), ("b", "f8", 2)]),
    "objects": lambda: np.array([1, "x", None], dtype=object),
    "empty text": lambda: np.array([], dtype="U0"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_keep_values_type_shape_and_order(name: str) -> None:
    array = ARRAYS[name]()
    back = round_trip(array)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.flags.f_contiguous == np.array(array, order="K").flags.f_contiguous
    np.testing.assert_array_equal(back, array)


def test_a_subclass_of_an_array_stays_one() -> None:
    masked = np.ma.masked_array([1, 2], mask=[True, False])
    assert isinstance(round_trip(masked), np.ma.MaskedArray)


def test_decoded_arrays_may_be_written_to_and_alias_nothing() -> None:
    array = np.zeros(100)
    back = round_trip({"nested": array})["nested"]
    back[:] = 1
    assert array.sum() == 0


def test_a_large_array_is_never_copied_through_a_pickle() -> None:
    array = np.zeros(12_500_000)  # 100 MB
    for obj in (array, {"nested": [array]}):
        body = encode(obj)
        head_and_pickle = sum(memoryview(buffer).nbytes for buffer in body[:-1])
        assert memoryview(body[-1]).nbytes == array.nbytes
        assert np.shares_memory(np.frombuffer(body[-1], dtype=np.uint8), array)
        assert head_and_pickle < 1_000


def test_large_buffers_are_aligned_in_the_body() -> None:
    whole = bytearray().join(encode([b"odd", np.arange(3.0), np.arange(5.0)]))
    start = np.frombuffer(whole, np.uint8).ctypes.data
    for array in decode([whole])[1:]:
        assert (array.ctypes.data - start) % 64 == 0


def test_what_pickle_cannot_name_travels_too() -> None:
    factor = 3
    assert round_trip(lambda x: x * factor)(5) == 15


def test_what_cannot_travel_is_named() -> None:
    with pytest.raises(UnpicklableError, match=r"genexpr> cannot be sent.*generator"):
        encode(i for i in range(3))


@given(array=hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, min_side=0)))
def test_any_array_survives(array: np.ndarray[Any, Any]) -> None:
    back = round_trip(array)
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


@given(body=st.binary(max_size=200))
def test_bytes_that_are_no_body_are_a_protocol_error(body: bytes) -> None:
    try:
        decode([body])
    except (ProtocolError, pickle.UnpicklingError, EOFError):
        return
    except Exception as error:
        pytest.fail(f"{error!r}")


@pytest.mark.parametrize("cut", [0, 1, 3, 4, 10, 63, 64, 70])
def test_a_cut_body_is_a_protocol_error(cut: int) -> None:
    with pytest.raises(ProtocolError):
        decode([bytearray().join(encode(b"x" * 100))[:cut]])
