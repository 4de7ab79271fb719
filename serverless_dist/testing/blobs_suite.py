"""The conformance suite of `Blobs`."""

from abc import ABC, abstractmethod
from functools import partial
from typing import Any
from uuid import uuid4

from serverless_dist.cloud import Blobs, Clock, SystemClock
from serverless_dist.cloud.beside import map_beside
from serverless_dist.errors import UsageError
from serverless_dist.testing.expect import raises

ODD_NAMES = (
    "a space",
    "plus+plus",
    "100%",
    "%2F",
    "what?x=1&y=2",
    "hash#tag",
    "quotes'\"",
    "semi;colon:comma,",
    "ünïcödé",
    "日本/🚀",
    "back\\slash",
    "~tilde*star",
    "..dots.",
    "-" * 300,  # longer than a file name may be
)


class BlobsSuite(ABC):
    """What a `Blobs` promises; derive and implement `make_blobs`.

    A subclass may raise `many` above the page of its service's listing.
    """

    many = 25

    @abstractmethod
    def make_blobs(self) -> Blobs:
        """Return an object store; it may hold other keys."""

    def make_clock(self) -> Clock:
        """Return the clock that the blobs of this test go by."""
        return SystemClock()

    def prefix(self) -> str:
        """Return a prefix that no other test uses."""
        return f"{uuid4().hex}/"

    def test_what_was_put_is_got(self) -> None:
        blobs, key = self.make_blobs(), self.prefix() + "key"
        for data in (b"", b"1", bytes(range(256)), bytes(1_000_000)):
            assert blobs.put(key, data) is True
            got = blobs.get(key)
            assert got == data
            assert type(got) is bytes

    def test_a_missing_key_gives_none(self) -> None:
        blobs, key = self.make_blobs(), self.prefix() + "key"
        assert blobs.get(key) is None
        assert blobs.get(key, start=3) is None
        assert blobs.get(key, start=3, stop=3) is None

    def test_a_later_put_overwrites(self) -> None:
        blobs, key = self.make_blobs(), self.prefix() + "key"
        blobs.put(key, b"a longer first text")
        blobs.put(key, b"second")
        assert blobs.get(key) == b"second"

    def test_bytes_are_copied(self) -> None:
        blobs, prefix = self.make_blobs(), self.prefix()
        buffer = bytearray(b"before")
        blobs.put(prefix + "1", buffer)
        blobs.put(prefix + "2", memoryview(buffer)[:3])
        buffer[:] = b"after."
        assert blobs.get(prefix + "1") == b"before"
        assert blobs.get(prefix + "2") == b"bef"

    def test_buffers_of_wide_items_are_put_as_their_bytes(self) -> None:
        blobs, key = self.make_blobs(), self.prefix() + "key"
        wide: memoryview[Any] = memoryview(bytes(range(16))).cast("d")
        blobs.put(key, wide)
        assert blobs.get(key) == bytes(range(16))

    def test_ranges_are_cut_as_slices_are(self) -> None:
        blobs, key = self.make_blobs(), self.prefix() + "key"
        data = b"0123456789"
        blobs.put(key, data)
        for start in (0, 1, 9, 10, 11, 1_000):
            for stop in (None, 0, 1, 5, 9, 10, 11, 1_000):
                got = blobs.get(key, start=start, stop=stop)
                assert got == data[start:stop], (start, stop)

    def test_ranges_of_an_empty_blob_are_empty(self) -> None:
        blobs, key = self.make_blobs(), self.prefix() + "key"
        blobs.put(key, b"")
        assert blobs.get(key, start=0, stop=5) == b""
        assert blobs.get(key, start=5) == b""

    def test_ranges_count_from_the_front_only(self) -> None:
        blobs, key = self.make_blobs(), self.prefix() + "key"
        blobs.put(key, b"0123456789")
        with raises(UsageError):
            blobs.get(key, start=-1)
        with raises(UsageError):
            blobs.get(key, stop=-1)

    def test_if_absent_keeps_what_is_there(self) -> None:
        blobs, key = self.make_blobs(), self.prefix() + "key"
        assert blobs.put(key, b"first", if_absent=True) is True
        assert blobs.put(key, b"second", if_absent=True) is False
        assert blobs.get(key) == b"first"

    def test_if_absent_puts_again_after_a_delete(self) -> None:
        blobs, key = self.make_blobs(), self.prefix() + "key"
        blobs.put(key, b"first")
        blobs.delete([key])
        assert blobs.put(key, b"second", if_absent=True) is True
        assert blobs.get(key) == b"second"

    def test_one_writer_wins_the_race_for_an_absent_key(self) -> None:
        blobs, prefix = self.make_blobs(), self.prefix()
        texts = [f"writer {n}".encode() for n in range(8)]
        for turn in range(3):
            put = partial(blobs.put, f"{prefix}{turn}", if_absent=True)
            done = map_beside(self.make_clock(), put, texts, limit=8)
            won = [
                text for text, is_stored in zip(texts, done, strict=True) if is_stored
            ]
            assert [blobs.get(f"{prefix}{turn}")] == won

    def test_a_swap_replaces_what_it_expects(self) -> None:
        blobs, key = self.make_blobs(), self.prefix() + "key"
        blobs.put(key, b"first")
        for old, new in ((b"first", b""), (b"", b"2"), (b"2", bytes(range(256)))):
            assert blobs.swap(key, old, new) is True
            assert blobs.get(key) == new

    def test_a_swap_keeps_what_it_does_not_expect(self) -> None:
        blobs, key = self.make_blobs(), self.prefix() + "key"
        blobs.put(key, b"there")
        for old in (b"", b"ther", b"there!", b"There", None):
            assert blobs.swap(key, old, b"new") is False
            assert blobs.get(key) == b"there"

    def test_a_swap_that_expects_a_blob_makes_none(self) -> None:
        blobs, key = self.make_blobs(), self.prefix() + "key"
        assert blobs.swap(key, b"", b"new") is False
        blobs.put(key, b"old")
        blobs.delete([key])
        assert blobs.swap(key, b"old", b"new") is False
        assert blobs.get(key) is None

    def test_a_swap_that_expects_no_blob_makes_one(self) -> None:
        blobs, key = self.make_blobs(), self.prefix() + "key"
        assert blobs.swap(key, None, b"first") is True
        assert blobs.swap(key, None, b"second") is False
        assert blobs.get(key) == b"first"

    def test_a_swap_copies_and_compares_bytes(self) -> None:
        blobs, key = self.make_blobs(), self.prefix() + "key"
        wide: memoryview[Any] = memoryview(bytearray(range(16))).cast("d")
        assert blobs.swap(key, None, wide) is True
        new = bytearray(b"new")
        assert blobs.swap(key, wide, memoryview(new)) is True
        new[:] = b"old"
        assert blobs.swap(key, bytearray(b"new"), new) is True
        assert blobs.get(key) == b"old"

    def test_one_writer_wins_each_turn_of_a_race_of_swaps(self) -> None:
        blobs, key = self.make_blobs(), self.prefix() + "key"
        blobs.put(key, b"0")

        def increment(times: int) -> None:
            for _ in range(times):
                while True:
                    old = blobs.get(key)
                    assert old is not None
                    if blobs.swap(key, old, b"%d" % (int(old) + 1)):
                        break

        map_beside(self.make_clock(), increment, [5] * 4, limit=4)
        assert blobs.get(key) == b"20"

    def test_list_gives_the_keys_of_a_prefix_sorted(self) -> None:
        blobs, prefix = self.make_blobs(), self.prefix()
        names = ["b", "a/2", "a/10", "a", "ab", "B", "a/2/x"]
        for name in names:
            blobs.put(prefix + name, b"data")
        for start in ("", "a", "a/", "a/2", "b", "c"):
            expected = sorted(prefix + n for n in names if n.startswith(start))
            assert list(blobs.list(prefix + start)) == expected

    def test_list_shows_puts_and_deletes_at_once(self) -> None:
        blobs, prefix = self.make_blobs(), self.prefix()
        for turn in range(5):
            blobs.put(f"{prefix}{turn}", b"")
            assert list(blobs.list(prefix)) == [f"{prefix}{turn}"]
            blobs.delete([f"{prefix}{turn}"])
            assert list(blobs.list(prefix)) == []

    def test_many_keys_are_listed_and_deleted(self) -> None:
        blobs, prefix = self.make_blobs(), self.prefix()
        keys = [f"{prefix}{number:05}" for number in range(self.many)]
        clock = self.make_clock()
        map_beside(clock, lambda key: blobs.put(key, b"x"), keys, limit=8)
        assert list(blobs.list(prefix)) == keys
        blobs.delete(keys)
        assert list(blobs.list(prefix)) == []

    def test_deleting_a_missing_key_is_no_error(self) -> None:
        blobs, prefix = self.make_blobs(), self.prefix()
        blobs.put(prefix + "there", b"")
        blobs.delete([prefix + "missing", prefix + "there"])
        blobs.delete([])
        assert blobs.get(prefix + "there") is None

    def test_keys_with_odd_characters_are_kept_apart(self) -> None:
        blobs, prefix = self.make_blobs(), self.prefix()
        keys = [prefix + name for name in ODD_NAMES]
        for key in keys:
            blobs.put(key, key.encode())
        assert [blobs.get(key) for key in keys] == [key.encode() for key in keys]
        assert list(blobs.list(prefix)) == sorted(keys)
        for key in keys:
            assert list(blobs.list(key)) == [key]
        blobs.delete(keys)
        assert list(blobs.list(prefix)) == []

    def test_a_key_may_begin_with_another(self) -> None:
        blobs, prefix = self.make_blobs(), self.prefix()
        keys = [prefix + name for name in ("a", "a/b", "a/b/c")]
        for key in keys:
            blobs.put(key, key.encode())
        assert list(blobs.list(prefix)) == keys
        assert [blobs.get(key) for key in keys] == [key.encode() for key in keys]

    def test_the_empty_key_is_refused(self) -> None:
        blobs = self.make_blobs()
        with raises(UsageError):
            blobs.put("", b"data")
        with raises(UsageError):
            blobs.get("")
        for old in (None, b"data"):
            with raises(UsageError):
                blobs.swap("", old, b"data")
