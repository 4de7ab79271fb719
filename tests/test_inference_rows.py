import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from serverless_dist.errors import ProtocolError
from serverless_dist.inference.rows import Activations, Numbers, pack, unpack


def draw_rows(kind: str, shape: tuple[int, int], seed: int) -> Activations:
    random = np.random.default_rng(seed)
    if kind == "zeros":
        return np.zeros(shape, np.float32)
    if kind == "constant":
        return np.full(shape, 32, np.float32)
    if kind == "all different":
        return random.random(shape, np.float32) + 1
    if kind == "bits":
        return random.integers(0, 1 << 32, shape, np.uint32).view(np.float32)
    distinct = {"few": 20, "many": 3000}[kind]
    table = random.random(distinct, np.float32)
    values = table[random.integers(0, distinct, shape)]
    values[random.random(shape) < 0.6] = 0
    if shape[0]:  # some rows are equal
        values = values[random.integers(0, shape[0], shape[0]) // 2]
    return values


KINDS = ["zeros", "constant", "few", "many", "all different", "bits"]


def restore(data: bytes, rows: int, total: int) -> Activations:
    """Return all rows x all samples, as `unpack` describes them."""
    found = unpack(data, rows, total)
    dense = np.zeros((rows, total), np.float32)
    dense[:, found.samples] = found.values[found.index]
    return dense


def spread(values: Activations, samples: Numbers, total: int) -> Activations:
    dense = np.zeros((len(values), total), np.float32)
    dense[:, samples] = values
    return dense


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    rows=st.integers(0, 9),
    total=st.integers(1, 700),
    share=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_rows_come_back_bit_for_bit(
    kind: str, rows: int, total: int, share: float, seed: int
) -> None:
    samples = np.flatnonzero(np.random.default_rng(seed).random(total) < share)
    values = draw_rows(kind, (rows, samples.size), seed)
    data = pack(values, samples, total)
    expected = spread(values, samples, total)
    assert restore(data, rows, total).tobytes() == expected.tobytes()


@pytest.mark.parametrize("distinct", [255, 256, 257, 65535, 65536, 65537])
def test_tables_come_back_at_the_edges_of_their_widths(distinct: int) -> None:
    # Enough of each and more of one for a table to pay, if numbers reach so far.
    values = np.full((1, 16 * distinct + 6), 7, np.float32)
    values[0, : 6 * (distinct + 1)] = np.tile(np.arange(distinct + 1), 6)
    samples = np.arange(values.size)
    data = pack(values, samples, values.size)
    assert restore(data, 1, values.size).tobytes() == values.tobytes()
    # One or two bytes for each value, or four.
    width = 1 if distinct <= 256 else 2 if distinct <= 65536 else 4
    plain = width * np.count_nonzero(values) + 4 * distinct + values.size // 8
    assert struct.unpack_from("<cIIIIIB", data)[5] == (distinct if width < 4 else 0)
    assert len(data) < plain + 64


def test_a_negative_zero_keeps_its_sign_and_its_sample() -> None:
    values = np.array([[-0.0, 0.0]], np.float32)
    found = unpack(pack(values, np.array([3, 4]), 9), 1, 9)
    assert found.samples.tolist() == [3]
    assert np.signbit(found.values).tolist() == [[True]]


def test_a_view_of_a_larger_array_is_packed_as_what_it_shows() -> None:
    large = draw_rows("few", (8, 90), seed=2)
    samples = np.arange(30)
    data = pack(large[::2, 30:60], samples, 30)
    assert restore(data, 4, 30).tobytes() == large[::2, 30:60].tobytes()


def test_equal_rows_travel_once() -> None:
    values = draw_rows("all different", (1, 500), seed=3)
    samples = np.arange(500)
    once = pack(values, samples, 500)
    often = pack(np.repeat(values, 64, axis=0), samples, 500)
    assert len(often) < len(once) + 64
    assert len(unpack(often, 64, 500).values) == 1


def test_converged_rows_take_a_byte_per_sample_and_little_more() -> None:
    samples = np.sort(np.random.default_rng(4).choice(10_000, 337, replace=False))
    data = pack(np.full((256, 337), 32, np.float32), samples, 10_000)
    assert len(data) < 337 + 64


def test_dead_samples_are_left_out() -> None:
    values = np.zeros((3, 100), np.float32)
    values[1, 7] = 5
    found = unpack(pack(values, np.arange(100), 100), 3, 100)
    assert found.samples.tolist() == [7]


GOOD = pack(draw_rows("few", (5, 300), seed=5), np.arange(0, 600, 2), 600)


@pytest.mark.parametrize("length", [0, 1, 21, 22, len(GOOD) - 1])
def test_cut_off_bytes_are_refused(length: int) -> None:
    with pytest.raises(ProtocolError, match="packed rows"):
        unpack(GOOD[:length], 5, 600)


def test_bytes_behind_the_end_of_plain_rows_are_refused() -> None:
    plain = pack(np.ones((1, 1), np.float32), np.array([0]), 1)
    with pytest.raises(ProtocolError, match="length"):
        unpack(plain + b"x", 1, 1)


def test_another_number_of_rows_is_refused() -> None:
    with pytest.raises(ProtocolError, match="expected"):
        unpack(GOOD, 6, 600)


def test_a_sample_outside_of_the_batch_is_refused() -> None:
    data = pack(np.ones((1, 2), np.float32), np.array([0, 600]), 1000)
    with pytest.raises(ProtocolError, match="a sample"):
        unpack(data, 1, 100)


PLAIN = pack(draw_rows("constant", (3, 6), seed=6), np.arange(6), 6)


@pytest.mark.parametrize(("good", "rows", "total"), [(GOOD, 5, 600), (PLAIN, 3, 6)])
@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, 1000), replacement=st.binary(min_size=1, max_size=4))
def test_damaged_bytes_are_refused_or_read_but_never_crash(
    good: bytes, rows: int, total: int, place: int, replacement: bytes
) -> None:
    place %= len(good)
    damaged = good[:place] + replacement + good[place + len(replacement) :]
    try:
        found = unpack(damaged, rows, total)
    except ProtocolError:
        return
    assert found.values.size <= rows * total
    assert found.index.max() < len(found.values)


@settings(max_examples=300, deadline=None)
@given(
    counts=st.lists(st.integers(0, 40), min_size=4, max_size=4),
    gap=st.sampled_from([0, 1, 2, 3, 4]),
    body=st.binary(max_size=300),
    squeeze=st.booleans(),
)
def test_invented_bytes_never_crash(
    counts: list[int], gap: int, body: bytes, *, squeeze: bool
) -> None:
    kind, body = (b"Z", zlib.compress(body)) if squeeze else (b"R", body)
    data = struct.pack("<cIIIIIB", kind, 3, *counts, gap) + body
    try:
        found = unpack(data, 3, 40)
    except ProtocolError:
        return
    assert found.values.size <= 3 * 40


def test_a_small_body_that_inflates_is_not_inflated_beyond_its_size() -> None:
    header = GOOD[: struct.calcsize("<cIIIIIB")]
    bomb = header + zlib.compress(bytes(50_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match="length"):
            unpack(bomb, 5, 600)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
