"""The format of a stream between two processes: however its bytes are cut."""

import struct
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from serverless_dist.errors import ProtocolError
from serverless_dist.transport import Message
from serverless_dist.transport.streams import (
    Event,
    Loan,
    Retired,
    StreamReader,
    pack_greeting,
    pack_header,
    pack_loan,
    pack_retired,
)
from serverless_dist.wire import Flaw, JobKey

KEY = JobKey(b"j" * 16, b"s" * 32)
GREETING = pack_greeting(KEY, 0, 1)
LARGEST = 2**63 - 1


def read(reader: StreamReader, data: bytes, cuts: Sequence[int]) -> list[Event]:
    """Give the reader the data, cut there, as a socket would."""
    events: list[Event] = []
    edges = [0, *sorted(cuts), len(data)]
    for start, stop in pairwise(edges):
        piece = data[start:stop]
        while piece:
            target = reader.target
            if target is None:
                events += reader.feed(piece)
                break
            count = min(len(target), len(piece))
            target[:count] = piece[:count]
            events += reader.filled(count)
            piece = piece[count:]
    return events


def packed(event: Event) -> bytes:
    if isinstance(event, Message):
        body = b"".join(event.body)
        return pack_header(event, len(body)) + body
    if isinstance(event, Loan):
        return pack_loan(event)
    return pack_retired(event.number)


numbers = st.integers(0, LARGEST)
messages = st.builds(
    Message,
    st.just(0),
    st.just((1,)),
    numbers,
    numbers,
    st.binary(max_size=60).map(lambda body: (bytearray(body),)),
)
loans = st.builds(Loan, numbers, numbers, numbers, numbers, numbers, st.booleans())
events = st.lists(st.one_of(messages, loans, st.builds(Retired, numbers)), max_size=8)


@given(events, st.data())
def test_events_come_out_as_they_went_in_however_they_are_cut(
    sent: list[Event], data: st.DataObject
) -> None:
    written = GREETING + b"".join(map(packed, sent))
    cuts = data.draw(st.lists(st.integers(0, len(written)), max_size=10))
    reader = StreamReader(1, KEY, set())
    assert read(reader, written, cuts) == sent
    assert (reader.source, reader.flaw) == (0, None)


@pytest.mark.parametrize(
    ("written", "flaw"),
    [
        (pack_greeting(JobKey(b"j" * 16, b"t" * 32), 0, 1), Flaw.FORGED),
        (pack_greeting(JobKey(b"k" * 16, b"s" * 32), 0, 1), Flaw.FOREIGN),
        (pack_greeting(KEY, 0, 2), Flaw.MISDIRECTED),
        (pack_retired(3) + bytes(20), Flaw.MALFORMED),
        (bytes(100), Flaw.MALFORMED),
        (struct.pack("<BQQQ", 1, 513, 0, 0), Flaw.MALFORMED),
    ],
)
def test_a_stream_that_opens_otherwise_is_refused(written: bytes, flaw: Flaw) -> None:
    greeted: set[int] = set()
    cuts: Sequence[int]
    for cuts in ([], range(len(written))):
        reader = StreamReader(1, KEY, greeted)
        assert read(reader, written, cuts) == []
        assert (reader.source, reader.flaw) == (None, flaw)
    assert greeted == set()


def test_a_greeting_that_is_repeated_on_another_stream_is_refused() -> None:
    greeted: set[int] = set()
    first, second, other = (StreamReader(1, KEY, greeted) for _ in range(3))
    first.feed(GREETING)
    second.feed(GREETING)
    other.feed(pack_greeting(KEY, 2, 1))
    flaws = [reader.flaw for reader in (first, second, other)]
    assert flaws == [None, Flaw.DUPLICATE, None]


def test_nothing_that_follows_a_refused_greeting_is_read() -> None:
    reader = StreamReader(1, KEY, {0})
    message = Message(0, (1,), 0, 0, (b"evil",))
    assert reader.feed(GREETING + packed(message)) == []
    assert reader.feed(packed(message)) == []


@pytest.mark.parametrize(
    "written",
    [
        GREETING,
        struct.pack("<BQQQ", 9, 0, 0, 0),
        struct.pack("<BQQQ", 3, 8, 0, 0) + bytes(8),
        struct.pack("<BQQQ", 4, 25, 0, 0) + bytes(25),
        struct.pack("<BQQQ", 5, 24, 0, 0) + bytes(24),
        struct.pack("<BQQQ", 5, 2**64 - 1, 0, 0),
    ],
)
def test_a_peer_that_does_not_keep_to_the_format_is_told_from_others(
    written: bytes,
) -> None:
    reader = StreamReader(1, KEY, set())
    reader.feed(GREETING)
    with pytest.raises(ProtocolError, match="rank 1 cannot read its stream from rank"):
        reader.feed(written)
