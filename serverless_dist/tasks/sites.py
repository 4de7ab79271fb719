"""Where a session is: its line and its store, at the driver's end and at a worker's.

A `Site` is the driver's: it opens what workers connect to, and says for each worker
where: its `Place`, which travels in the invitation.
"""

import os
import shutil
import tempfile
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, Protocol

from serverless_dist.cloud import Meter, MeteredCloud, Usage
from serverless_dist.cloud.limits import LAMBDA_TIMEOUT
from serverless_dist.cloud.local import private_directory
from serverless_dist.config import Config
from serverless_dist.errors import ServerlessDistError
from serverless_dist.runtime.clouds import (
    Address,
    check_cloud,
    connect,
    open_cloud,
    pack_address,
    unpack_address,
)
from serverless_dist.tasks.lines import Hub, Line
from serverless_dist.tasks.mailbox_lines import MailboxHub, MailboxLine
from serverless_dist.tasks.messages import DRIVER
from serverless_dist.tasks.socket_lines import SocketHub, SocketLine
from serverless_dist.tasks.store import BlobStore, SharedStore, Store
from serverless_dist.wire import JobKey

_SHARED_MEMORY = Path("/dev/shm")
_LOCAL_WORKERS = 1_000  # processes; each takes some MB and some descriptors
_EXTRA = 8  # mailboxes for actors, and
_PER_SLOT = 4  # for workers that wait for others
_MAILBOXES = 64
_IDLE_SECONDS = 10.0  # then a worker costs more than it saves: a start is a second
_INVOKE = {"lambda:Invoke": 1}
_GRACE = 1.0  # seconds that a word may take after the end of its worker


class Place(Protocol):
    """Where a worker finds its driver and the store."""

    def open(
        self, key: JobKey, worker: int, meter: Meter, stack: ExitStack
    ) -> tuple[Line, Store]:
        """Return the line and the store, which `stack` closes."""
        ...


class Site(Protocol):
    """Where the driver waits for its workers.

    Attributes
    ----------
    name
        What the cloud is called.
    hub, store
        The lines to all workers, and where large values lie.
    capacity
        How many workers there may be at a time.
    idle_seconds
        After how long an idle worker costs more than it saves.
    lifetime
        How many seconds a worker may live; 0: for ever.
    start_usage
        What the start of a worker is billed as.
    grace
        How many seconds a word may take after the end of its worker.
    ships_modules
        Whether workers lack the modules beside the user's script.
    scratch
        What is to be removed if this process is killed.
    """

    name: str
    hub: Hub
    store: Store
    capacity: int
    idle_seconds: float
    lifetime: float
    start_usage: Usage
    grace: float
    ships_modules: bool
    scratch: Sequence[Path]

    def place_for(self, worker: int) -> Place | None:
        """Return where a worker finds all this; None: there is no room now."""
        ...

    def release(self, worker: int) -> None:
        """Take note that a worker has ended."""
        ...

    def usage(self) -> Usage:
        """Return what the driver's end has used."""
        ...

    def close(self) -> None:
        """Give back everything and remove what is left; twice is no error."""
        ...


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """On the driver's machine: the directories of its socket and of values."""

    sockets: Path
    objects: Path

    def open(
        self, key: JobKey, worker: int, meter: Meter, stack: ExitStack
    ) -> tuple[Line, Store]:
        """Connect to the driver's socket."""
        del meter  # nothing here is billed
        line = SocketLine(self.sockets, worker, key)
        stack.callback(line.close)
        return line, SharedStore(self.objects, worker)


@dataclass(frozen=True, slots=True)
class CloudPlace:
    """On a cloud: its address, the worker's mailbox, and how many there are."""

    address: Address
    mailbox: int
    size: int

    def open(
        self, key: JobKey, worker: int, meter: Meter, stack: ExitStack
    ) -> tuple[Line, Store]:
        """Connect to the cloud."""
        cloud = connect(self.address)
        stack.callback(cloud.close)
        metered = MeteredCloud(cloud, meter)
        line = MailboxLine(metered, self.mailbox, self.size, worker=worker, key=key)
        stack.callback(line.close)
        return line, BlobStore(metered.blobs, _objects(key), worker)


class LocalSite:
    """One machine: sockets, and files in shared memory."""

    name = "local"
    capacity = _LOCAL_WORKERS
    idle_seconds = inf
    lifetime = 0.0
    start_usage = Usage()
    grace = 0.0
    ships_modules = False

    def __init__(self, key: JobKey) -> None:
        with ExitStack() as stack:
            sockets = private_directory()
            stack.callback(shutil.rmtree, sockets, ignore_errors=True)
            objects = _memory_directory()
            stack.callback(shutil.rmtree, objects, ignore_errors=True)
            self.store: Store = SharedStore(objects, DRIVER)
            hub = SocketHub(sockets, key)
            stack.callback(hub.close)
            self.hub: Hub = hub
            self._stack = stack.pop_all()
        self.scratch: Sequence[Path] = (sockets, objects)
        self._place = LocalPlace(sockets, objects)

    def __repr__(self) -> str:
        return f"<LocalSite {self.hub!r}>"

    def place_for(self, worker: int) -> Place:
        """Return where the directories are."""
        del worker
        return self._place

    def release(self, worker: int) -> None:
        """Close the worker's socket."""
        self.hub.forget(worker)

    def usage(self) -> Usage:
        """Return nothing: nothing here is billed."""
        return Usage()

    def close(self) -> None:
        """Close the sockets and remove the directories."""
        self._stack.close()


class CloudSite:
    """A fabric of a cloud: mailboxes, and objects.

    Parameters
    ----------
    name
        What the cloud is called.
    workers
        How many tasks run at a time.
    config
        Settings of the cloud.
    key
        The session's key.
    """

    idle_seconds = _IDLE_SECONDS
    lifetime = LAMBDA_TIMEOUT
    start_usage = Usage(_INVOKE, _INVOKE)
    grace = _GRACE
    ships_modules = True

    def __init__(self, name: str, workers: int, config: Config, key: JobKey) -> None:
        self.name = name
        self.capacity = max(workers, min(_MAILBOXES, _PER_SLOT * workers + _EXTRA))
        self.scratch: Sequence[Path] = ()
        self._key = key
        self._meter = Meter()
        self._free = deque(range(self.capacity))
        self._taken: dict[int, int] = {}  # mailboxes by worker
        with ExitStack() as stack:
            cloud = open_cloud(name, self.capacity + 1, config)
            stack.callback(cloud.close)
            self._address = cloud.address
            metered = MeteredCloud(cloud, self._meter)
            self._blobs = metered.blobs
            stack.callback(self._remove_blobs)
            self.store: Store = BlobStore(self._blobs, _objects(key), DRIVER)
            self._hub = MailboxHub(metered, self.capacity + 1, key)
            stack.callback(self._hub.close)
            self.hub: Hub = self._hub
            self._stack = stack.pop_all()

    def __repr__(self) -> str:
        return f"<CloudSite {self.name}: {len(self._free)} mailboxes free>"

    def place_for(self, worker: int) -> Place | None:
        """Return the address and a mailbox that is free."""
        try:
            mailbox = self._free.popleft()  # several threads ask
        except IndexError:
            return None
        self._taken[worker] = mailbox
        self._hub.expect(worker, mailbox)
        return CloudPlace(self._address, mailbox, self.capacity + 1)

    def release(self, worker: int) -> None:
        """Have the worker's mailbox used again, as the last one."""
        self._hub.forget(worker)
        mailbox = self._taken.pop(worker, None)
        if mailbox is not None:
            self._free.append(mailbox)

    def usage(self) -> Usage:
        """Return what the driver's end has used."""
        return self._meter.usage()

    def close(self) -> None:
        """Stop polling, remove the session's objects, let the cloud go."""
        self._stack.close()

    def _remove_blobs(self) -> None:
        """Remove what the session has put; on AWS what stays expires after a day."""
        with suppress(ServerlessDistError):
            self._blobs.delete(self._blobs.list(f"{self._key.job.hex()}/"))


def open_site(cloud: str, workers: int, config: Config, key: JobKey) -> Site:
    """Return the site of that name.

    Parameters
    ----------
    cloud
        ``"local"``, ``"emulated"`` or ``"aws"``.
    workers
        How many tasks run at a time.
    config
        Settings of the cloud.
    key
        The session's key.
    """
    if check_cloud(cloud) == LocalSite.name:
        return LocalSite(key)
    return CloudSite(cloud, workers, config, key)


def pack_place(place: Place) -> Sequence[Any]:
    """Return a place as values that msgpack knows."""
    if isinstance(place, LocalPlace):
        return ("local", os.fsencode(place.sockets), os.fsencode(place.objects))
    assert isinstance(place, CloudPlace)
    return ("cloud", pack_address(place.address), place.mailbox, place.size)


def unpack_place(packed: Sequence[Any]) -> Place:
    """Return the place that `pack_place` was given."""
    kind, *fields = packed
    if kind == "local":
        return LocalPlace(*(Path(os.fsdecode(each)) for each in fields))
    address, mailbox, size = fields
    return CloudPlace(unpack_address(address), mailbox, size)


def _objects(key: JobKey) -> str:
    return f"{key.job.hex()}/objects/"


def _memory_directory() -> Path:
    """Make a private directory in memory, or on disk where there is none for files."""
    parent = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None
    return Path(tempfile.mkdtemp(prefix="serverless-dist-", dir=parent))
