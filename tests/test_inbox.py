"""The inbox: each message once and in order, whatever is fed in, however often."""

from collections import defaultdict
from random import Random

import pytest
from hypothesis import given, settings, strategies as st

from serverless_dist.transport import Message
from serverless_dist.transport.inbox import Inbox
from serverless_dist.transport.outbox import Outbox
from serverless_dist.wire import Flaw, JobKey

KEY = JobKey(b"j" * 16, b"s" * 32)
OTHER_JOB = JobKey(b"k" * 16, b"s" * 32)
OTHER_SECRET = JobKey(b"j" * 16, b"t" * 32)
ME = 3


def message(
    body: bytes = b"", *, source: int = 0, context: int = 0, dests: object = (ME,)
) -> Message:
    assert isinstance(dests, tuple)
    return Message(source, dests, context, 0, (body,))


def bodies(inbox: Inbox, frames: list[bytes]) -> list[bytes]:
    return [
        b"".join(arrival.message.body)
        for frame in frames
        for arrival in inbox.feed(frame)
    ]


SCRIPT = st.lists(
    st.tuples(
        st.integers(0, 2),  # source
        st.integers(0, 1),  # context
        st.sampled_from([(ME,), (1, ME), (ME, 2), (1,), (1, 2)]),
        st.integers(0, 900),  # size
    ),
    max_size=12,
)


@given(script=SCRIPT, seed=st.integers(0, 2**32), duplicates=st.integers(0, 30))
@settings(max_examples=300)
def test_any_interleaving_gives_each_message_once_and_in_order(
    script: list[tuple[int, int, tuple[int, ...], int]], seed: int, duplicates: int
) -> None:
    random = Random(seed)
    outboxes = [Outbox(KEY) for _ in range(3)]
    frames: list[bytes] = []
    expected = defaultdict(list)
    for source, context, dests, size in script:
        body = random.randbytes(size)
        sent = Message(
            source, dests, context, 7, (body[: size // 2], body[size // 2 :])
        )
        frames += outboxes[source].frames(sent, max_body=400)
        if ME in dests:
            expected[source, context].append(body)
    if frames:
        frames += random.choices(frames, k=duplicates)
    random.shuffle(frames)
    inbox = Inbox(ME, KEY)
    received = defaultdict(list)
    for frame in frames:
        for arrival in inbox.feed(frame):
            got = arrival.message
            received[got.source, got.context].append(b"".join(got.body))
    assert received == expected


@given(garbage=st.binary(max_size=300))
def test_garbage_is_dropped_and_counted(garbage: bytes) -> None:
    inbox = Inbox(ME, KEY)
    assert inbox.feed(garbage) == []
    assert inbox.dropped == {Flaw.MALFORMED: 1}


@given(data=st.data())
def test_any_changed_byte_makes_a_frame_worthless(data: st.DataObject) -> None:
    (frame,) = Outbox(KEY).frames(message(b"hello"), max_body=None)
    place = data.draw(st.integers(0, len(frame) - 1))
    changed = bytearray(frame)
    changed[place] ^= data.draw(st.integers(1, 255))
    inbox = Inbox(ME, KEY)
    assert inbox.feed(changed) == []
    assert inbox.dropped.total() == 1
    assert bodies(inbox, [frame]) == [b"hello"]


@given(cut=st.integers(0, 110))
def test_a_truncated_frame_is_dropped(cut: int) -> None:
    (frame,) = Outbox(KEY).frames(message(b"hello" * 20), max_body=None)
    inbox = Inbox(ME, KEY)
    assert inbox.feed(frame[:cut]) == []
    assert inbox.dropped.total() == 1


@pytest.mark.parametrize(
    ("key", "flaw"), [(OTHER_JOB, Flaw.FOREIGN), (OTHER_SECRET, Flaw.FORGED)]
)
def test_frames_of_another_key_are_dropped(key: JobKey, flaw: Flaw) -> None:
    inbox = Inbox(ME, KEY)
    assert bodies(inbox, Outbox(key).frames(message(b"x"), max_body=None)) == []
    assert inbox.dropped == {flaw: 1}


def test_a_frame_for_another_rank_is_dropped() -> None:
    inbox = Inbox(ME, KEY)
    frames = Outbox(KEY).frames(message(dests=(1, 2)), max_body=None)
    assert bodies(inbox, frames) == []
    assert inbox.dropped == {Flaw.MISDIRECTED: 1}


def test_an_oversized_frame_is_dropped_unread() -> None:
    (frame,) = Outbox(KEY).frames(message(b"x" * 500), max_body=None)
    inbox = Inbox(ME, KEY, max_frame=len(frame) - 1)
    assert inbox.feed(frame) == []
    assert inbox.dropped == {Flaw.OVERSIZED: 1}
    assert bodies(Inbox(ME, KEY, max_frame=len(frame)), [frame]) == [b"x" * 500]


def test_duplicates_are_counted() -> None:
    outbox, inbox = Outbox(KEY), Inbox(ME, KEY)
    first = outbox.frames(message(b"1"), max_body=None)
    second = outbox.frames(message(b"2"), max_body=None)
    assert bodies(inbox, second + second) == []
    assert bodies(inbox, first + first + second) == [b"1", b"2"]
    assert inbox.dropped == {Flaw.DUPLICATE: 3}


@pytest.mark.parametrize("size", [0, 1, 271, 272, 273, 544, 545])
def test_a_message_is_cut_so_that_no_frame_is_too_large(size: int) -> None:
    body = bytes(n % 256 for n in range(size))
    frames = Outbox(KEY).frames(message(body), max_body=400)
    assert all(len(frame) <= 400 for frame in frames)
    assert bodies(Inbox(ME, KEY), frames) == [body]


def test_frames_for_a_thousand_dests_fit() -> None:
    outbox = Outbox(KEY)
    dests = tuple(range(1_000))
    for _ in range(3):
        frames = outbox.frames(message(b"x" * 50_000, dests=dests), max_body=20_000)
        assert all(len(frame) <= 20_000 for frame in frames)


def test_the_secret_is_not_shown() -> None:
    assert b"ssss".decode() not in repr(KEY)
