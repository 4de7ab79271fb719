"""Every object store of remote tasks, and what the one of a machine does about it."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from serverless_dist.cloud import MemoryBlobs, Meter, MeteredBlobs
from serverless_dist.errors import CloudError, ObjectLostError
from serverless_dist.tasks.mapped import mapped
from serverless_dist.tasks.store import BlobStore, SharedStore, Store

PREFIX = "job/objects/"


class StoreSuite:
    """What each store promises; `make` returns the store of one owner."""

    def make(self, owner: int) -> Store:
        raise NotImplementedError

    @pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 3_000_000])
    def test_a_value_comes_back_as_it_was_put(self, size: int) -> None:
        data = np.random.default_rng(size).bytes(size)
        store = self.make(0)
        value = store.get(store.put((data,)))
        assert value == data
        assert value.readonly

    @pytest.mark.parametrize("count", [1, 2, 512, 513, 2_000])
    def test_pieces_are_put_one_after_the_other(self, count: int) -> None:
        pieces = [b"%d," % number for number in range(count)]
        array = np.arange(count, dtype=np.int32)
        store = self.make(0)
        value = store.get(store.put((*pieces, b"", memoryview(array.data))))
        assert value == b"".join(pieces) + array.tobytes()

    def test_what_one_owner_puts_the_others_get(self) -> None:
        stores = [self.make(owner) for owner in range(3)]
        keys = [store.put((b"%d" % n,)) for n, store in enumerate(stores)]
        assert len(set(keys)) == 3
        for store in stores:
            assert [bytes(store.get(key)) for key in keys] == [b"0", b"1", b"2"]

    def test_threads_of_one_owner_do_not_share_keys(self) -> None:
        store = self.make(1)
        values = [b"%d" % number for number in range(200)]
        with ThreadPoolExecutor(4) as pool:
            keys = list(pool.map(lambda value: store.put((value,)), values))
        assert [bytes(store.get(key)) for key in keys] == values

    def test_a_value_changes_no_more_when_what_was_put_does(self) -> None:
        array = bytearray(b"before")
        store = self.make(0)
        key = store.put((array,))
        array[:] = b"after!"
        assert bytes(store.get(key)) == b"before"

    def test_what_was_deleted_is_lost(self) -> None:
        store = self.make(0)
        kept, gone = store.put((b"kept",)), store.put((b"gone",))
        store.delete([gone])
        store.delete([gone])
        with pytest.raises(ObjectLostError, match="is gone from the store"):
            store.get(gone)
        assert bytes(store.get(kept)) == b"kept"

    def test_what_was_got_stays_when_it_is_deleted(self) -> None:
        data = b"data" * 100_000
        store = self.make(0)
        key = store.put((data,))
        value = store.get(key)
        store.delete([key])
        assert value == data

    def test_a_closed_store_leaves_values_to_others(self) -> None:
        one, two = self.make(1), self.make(2)
        key = one.put((b"data",))
        one.close()
        one.close()
        assert bytes(two.get(key)) == b"data"


class TestSharedStore(StoreSuite):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self._path = tmp_path

    def make(self, owner: int) -> Store:
        return SharedStore(self._path, owner)

    def test_arrays_got_twice_are_the_same_memory(self) -> None:
        store = self.make(0)
        key = store.put((np.arange(1_000_000).data,))
        inode = os.stat(self._path / key.decode()).st_ino
        held = store.get(key), store.get(key)
        lines = Path("/proc/self/maps").read_text().splitlines()
        assert sum(f" {inode} " in line for line in lines) == 2
        assert held[0] == held[1]

    def test_values_in_use_hold_no_descriptors(self) -> None:
        """A process may have a thousand of them, and more large values in use."""
        store = self.make(0)
        keys = [store.put((bytes(size),)) for size in range(20)]
        before = set(os.listdir("/proc/self/fd"))
        held = [store.get(key) for key in keys]
        assert set(os.listdir("/proc/self/fd")) == before
        assert [value.nbytes for value in held] == list(range(20))

    def test_a_value_is_in_memory_until_no_part_of_it_is_in_use(self) -> None:
        store = self.make(0)
        key = store.put((b"head", np.arange(100_000).data))
        inode = os.stat(self._path / key.decode()).st_ino

        def is_mapped() -> bool:
            return f" {inode} " in Path("/proc/self/maps").read_text()

        value = store.get(key)
        array = np.frombuffer(value[4:], dtype=np.int64)[99_000:]
        del value
        assert is_mapped()
        assert list(array) == list(range(99_000, 100_000))
        with pytest.raises(ValueError, match="cannot set WRITEABLE"):
            array.flags.writeable = True
        del array
        assert not is_mapped()

    def test_a_put_that_is_interrupted_keeps_no_part(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(descriptor: int, views: list[memoryview]) -> int:
            del descriptor, views
            raise KeyboardInterrupt

        store = self.make(0)
        monkeypatch.setattr(os, "writev", interrupt)
        with pytest.raises(KeyboardInterrupt):
            store.put((bytes(2_000),))
        assert list(self._path.iterdir()) == []

    def test_what_the_kernel_takes_in_parts_is_whole(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write = os.writev
        monkeypatch.setattr(
            os, "writev", lambda fd, views: write(fd, [bytes(views[0])[:7]])
        )
        store = self.make(0)
        value = store.get(store.put((b"0123456789" * 3, b"abc", b"defghijklmn")))
        assert value == b"0123456789" * 3 + b"abcdefghijklmn"

    def test_a_full_store_says_so_and_keeps_no_part(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write = os.writev

        def fill(descriptor: int, views: list[memoryview]) -> int:
            if os.fstat(descriptor).st_size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(descriptor, [views[0][:1_000]])

        store = self.make(0)
        monkeypatch.setattr(os, "writev", fill)
        with pytest.raises(CloudError, match=r"no room .* 2,000 bytes: No space left"):
            store.put((bytes(2_000),))
        assert list(self._path.iterdir()) == []
        monkeypatch.undo()
        assert bytes(store.get(store.put((b"next",)))) == b"next"


def test_what_the_kernel_does_not_map_is_an_error() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        mapped(-1, 10)


class TestBlobStore(StoreSuite):
    @pytest.fixture(autouse=True)
    def _memory(self) -> None:
        self._meter = Meter()
        self._blobs = MemoryBlobs()

    def make(self, owner: int) -> Store:
        return BlobStore(MeteredBlobs(self._blobs, self._meter), PREFIX, owner)

    def test_all_keys_are_the_sessions(self) -> None:
        keys = [self.make(owner).put((b"data",)).decode() for owner in range(3)]
        assert self._blobs.list(PREFIX) == sorted(keys)

    def test_many_values_are_deleted_in_few_requests(self) -> None:
        store = self.make(0)
        keys = [store.put((b"x",)) for _ in range(1_001)]
        before = dict(self._meter.usage().requests)
        store.delete(keys)
        after = self._meter.usage().requests
        assert {k: n - before.get(k, 0) for k, n in after.items()} == {
            "s3:PutObject": 0,
            "s3:DeleteObjects": 2,
        }
        assert self._blobs.list(PREFIX) == []
