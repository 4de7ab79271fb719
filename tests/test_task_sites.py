"""Where a session is: what its workers find there, and what it leaves: nothing."""

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pytest

from serverless_dist.cloud import Cloud, Meter
from serverless_dist.cloud.local import LocalAddress, LocalCloud
from serverless_dist.cloud.wrapped import WrappedCloud
from serverless_dist.config import Config
from serverless_dist.errors import ObjectLostError, UsageError
from serverless_dist.tasks import sites
from serverless_dist.tasks.lines import Line
from serverless_dist.tasks.places import (
    CloudPlace,
    LocalPlace,
    Place,
    pack_place,
    unpack_place,
)
from serverless_dist.tasks.sites import CloudSite, LocalSite, Site, open_site
from serverless_dist.tasks.store import Store


class KeptCloud(WrappedCloud):
    """A cloud that goes on when the session ends, as AWS does."""

    def __init__(self, cloud: LocalCloud) -> None:
        super().__init__(cloud)
        self.address: LocalAddress = cloud.address

    def close(self) -> None:
        pass


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Return the cloud that sites find instead of opening one."""
    with closing(LocalCloud.start(65)) as cloud:

        def open_kept(*_: object, least: int) -> KeptCloud:
            return KeptCloud(cloud)

        monkeypatch.setattr(sites, "open_cloud", open_kept)
        yield cloud


def enter(site: Site, worker: int, stack: ExitStack) -> tuple[Line, Store, Meter]:
    """Do what a worker does with its place, after its way through an invitation."""
    place = site.place_for(worker)
    assert place is not None
    meter = Meter()
    there: Place = unpack_place(pack_place(place))
    assert there == place
    line, store = there.open(site.key, worker, meter, stack)
    return line, store, meter


def check_both_ways(site: Site, stack: ExitStack) -> Meter:
    line, store, meter = enter(site, 1, stack)
    array = np.arange(100_000)
    line.send([(b"result ", store.put((array.data,)))])
    while not (bodies := site.hub.receive(1.0)):
        pass
    ((worker, body),) = bodies
    key = bytes(body).removeprefix(b"result ")
    assert worker == 1
    assert site.store.get(key) == array.tobytes()
    site.hub.send({1: [(site.store.put((b"argument",)),)]})
    while not (orders := line.receive(1.0)):
        pass
    assert bytes(store.get(bytes(orders[0]))) == b"argument"
    site.store.delete([key])
    with pytest.raises(ObjectLostError):
        store.get(key)
    return meter


def test_a_worker_of_this_machine_finds_its_line_and_the_store(
    stack: ExitStack,
) -> None:
    with closing(open_site("local", 2, Config())) as site:
        meter = check_both_ways(site, stack)
        assert site.usage().requests == {}
    assert meter.usage().requests == {}


def test_a_worker_of_an_emulated_cloud_finds_its_line_and_the_store(
    stack: ExitStack, moto_endpoint: str
) -> None:
    config = Config(endpoint=moto_endpoint)
    with closing(open_site("emulated", 2, config)) as site, stack:
        meter = check_both_ways(site, stack)
        # A value, the deployment's record, the table of leases.
        assert site.usage().requests["s3:GetObject"] == 3
        assert meter.usage().requests["s3:PutObject"] == 1


def test_an_unknown_cloud_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no cloud 'moon'"):
        open_site("moon", 1, Config())


def test_a_local_session_is_private_and_leaves_nothing() -> None:
    site = LocalSite()
    site.store.put((b"data",))
    assert len(site._scratch) == 2
    for directory in site._scratch:
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    site.close()
    site.close()
    assert not any(directory.exists() for directory in site._scratch)


def test_values_are_kept_on_disk_where_no_memory_is_for_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sites, "_SHARED_MEMORY", tmp_path / "missing")
    with closing(LocalSite()) as site:
        assert bytes(site.store.get(site.store.put((b"data",)))) == b"data"


def test_a_local_place_may_have_any_name() -> None:
    place = LocalPlace(Path(os.fsdecode(b"/tmp/\xff")), Path("/dev/shm/x"))
    assert unpack_place(pack_place(place)) == place


@pytest.mark.parametrize(("workers", "capacity"), [(1, 12), (2, 16), (14, 64)])
def test_there_are_mailboxes_for_more_workers_than_run_at_a_time(
    kept: Cloud, workers: int, capacity: int
) -> None:
    with closing(CloudSite("local", workers, Config())) as site:
        assert site.capacity == capacity
        places = [site.place_for(worker) for worker in range(1, capacity + 1)]
        mailboxes = {p.mailbox for p in places if isinstance(p, CloudPlace)}
        assert mailboxes == set(range(capacity))  # the last one is the driver's
        assert site.place_for(capacity + 1) is None


def test_a_mailbox_is_used_again_as_the_last_one(kept: Cloud) -> None:
    with closing(CloudSite("local", 1, Config())) as site:
        for worker in range(1, site.capacity + 1):
            site.place_for(worker)
        for worker in (5, 3):
            site.release(worker, is_certain=True)
            site.release(worker, is_certain=True)
        again = [site.place_for(worker) for worker in (101, 102, 103)]
        assert [p.mailbox for p in again if isinstance(p, CloudPlace)] == [4, 2]
        assert again[2] is None


def test_a_session_removes_its_objects_and_no_others(
    kept: Cloud, stack: ExitStack
) -> None:
    kept.blobs.put("another/objects/0-0", b"data")
    site = CloudSite("local", 1, Config())
    line, store, _ = enter(site, 1, stack)
    line.send([(bytes(2_000_000),)])  # by an object
    while not site.hub.receive(1.0):
        pass
    store.put((b"data",))
    site.store.put((b"data",))
    assert len(kept.blobs.list("")) == 4
    line.close()
    site.close()
    site.close()
    assert kept.blobs.list("") == ["another/objects/0-0"]
