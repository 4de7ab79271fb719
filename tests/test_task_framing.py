"""Bodies on a byte stream, whatever parts it is read in."""

import random
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from serverless_dist.errors import ProtocolError
from serverless_dist.tasks.framing import BodyReader, framed

SIZES = [0, 1, 7, 8, 9, 0, 262_143, 262_144, 262_145, 3, 1_000_000, 5, 0]


def parts(data: bytes, rng: random.Random, longest: int) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        stop = start + rng.randint(1, longest)
        yield data[start:stop]
        start = stop


@pytest.mark.parametrize("longest", [10_000, 262_144, 5_000_000])
@pytest.mark.parametrize("seed", range(4))
def test_bodies_come_whole_and_in_order(seed: int, longest: int) -> None:
    rng = random.Random(seed)
    bodies = [rng.randbytes(size) for size in SIZES]
    reader = BodyReader()
    stream = b"".join([framed((body,)) for body in bodies])
    read = [body for part in parts(stream, rng, longest) for body in reader.feed(part)]
    assert read == bodies


@given(
    sizes=st.lists(st.integers(0, 40) | st.sampled_from([262_143, 262_144, 262_145])),
    cuts=st.lists(st.integers(0, 2_000_000)),
)
def test_bodies_do_not_depend_on_where_the_stream_is_cut(
    sizes: list[int], cuts: list[int]
) -> None:
    bodies = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    stream = b"".join([framed((body,)) for body in bodies])
    ends = sorted(cut % (len(stream) + 1) for cut in cuts)
    reader = BodyReader()
    read = [
        body
        for start, stop in pairwise([0, *ends, len(stream)])
        for body in reader.feed(stream[start:stop])
    ]
    assert read == bodies


def test_bodies_come_byte_by_byte() -> None:
    bodies = [b"", b"one", b"", b"", b"two"]
    reader = BodyReader()
    stream = b"".join([framed((body,)) for body in bodies])
    assert [b for byte in stream for b in reader.feed(bytes([byte]))] == bodies


def test_pieces_are_one_body() -> None:
    numbers = memoryview(bytearray(range(8))).cast("H")
    assert BodyReader().feed(framed((b"ab", b"", numbers))) == [b"ab" + bytes(range(8))]


def test_a_limit_holds_for_the_next_body_alone() -> None:
    reader = BodyReader(limit=10)
    large = framed((bytes(300_000),))
    assert reader.feed(framed((b"one",)) + framed((b"two",)) + large[:9]) == [b"one"]
    assert reader.feed(b"") == [b"two"]
    reader.limit = None
    assert reader.feed(b"") == []
    assert reader.feed(large[9:]) == [bytes(300_000)]


def test_a_body_above_the_limit_is_refused_before_it_has_come() -> None:
    reader = BodyReader(limit=10)
    assert reader.feed(framed((bytes(10),))) == [bytes(10)]
    with pytest.raises(ProtocolError, match="11 bytes has begun where 10 may come"):
        reader.feed(framed((bytes(11),))[:8])
