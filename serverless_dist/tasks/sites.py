"""Where a session is: its line and its store, at the driver's end and at a worker's.

A `Site` is the driver's: it opens what workers connect to, and says for each worker
where: its `Place`, which travels in the invitation.
"""

import os
import secrets
import shutil
import tempfile
import time
from collections import deque
from contextlib import ExitStack, suppress
from math import inf
from pathlib import Path
from typing import Protocol

from serverless_dist.cloud import Meter, MeteredCloud, Usage
from serverless_dist.cloud.limits import LAMBDA_TIMEOUT
from serverless_dist.cloud.local import private_directory
from serverless_dist.config import Config
from serverless_dist.errors import ServerlessDistError
from serverless_dist.runtime.clouds import (
    check_cloud,
    check_lease,
    has_functions,
    new_key,
    open_cloud,
    scratch_of,
)
from serverless_dist.tasks.crews import Crew, FunctionCrew, ProcessCrew, Tell
from serverless_dist.tasks.lines import Hub
from serverless_dist.tasks.mailbox_lines import MailboxHub
from serverless_dist.tasks.messages import DRIVER, Bye, unpack
from serverless_dist.tasks.places import CloudPlace, LocalPlace, Place, objects_of
from serverless_dist.tasks.socket_lines import SocketHub
from serverless_dist.tasks.store import BlobStore, SharedStore, Store
from serverless_dist.wire import JobKey

_SHARED_MEMORY = Path("/dev/shm")
_LOCAL_WORKERS = 1_000  # processes; each takes some MB and some descriptors
_EXTRA = 8  # mailboxes for actors, and
_PER_SLOT = 4  # for workers that wait for others
_MAILBOXES = 64
_IDLE_SECONDS = 10.0  # then a worker costs more than it saves: a start is a second
_INVOKE = {"lambda:Invoke": 1}
_HAUNTED_SECONDS = 60.0  # more than a request waits at a mailbox
_GOODBYE = 6.0  # seconds that workers may take to see that the session is over
_GRACE = 1.0  # seconds that a word may take after the end of its worker


class Site(Protocol):
    """Where the driver waits for its workers.

    Attributes
    ----------
    name, key
        What the cloud is called, and the session's key.
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
    skew
        By how many seconds this machine's clock is behind the workers'.
    """

    name: str
    key: JobKey
    hub: Hub
    store: Store
    capacity: int
    idle_seconds: float
    lifetime: float
    start_usage: Usage
    grace: float
    ships_modules: bool
    skew: float

    def open_crew(self, tell: Tell) -> Crew:
        """Return what starts workers; `tell` is told of each that has ended."""
        ...

    def place_for(self, worker: int) -> Place | None:
        """Return where a worker finds all this; None: there is no room now."""
        ...

    def release(self, worker: int, *, is_certain: bool) -> None:
        """Take note that a worker has ended, as far as one can be certain."""
        ...

    def check(self) -> None:
        """Raise a `CloudError` if the session cannot go on."""
        ...

    def usage(self) -> Usage:
        """Return what the driver's end has used."""
        ...

    def close(self) -> None:
        """Give back everything and remove what is left; twice is no error."""
        ...


class LocalSite:
    """One machine: sockets, and files in shared memory."""

    name = "local"
    capacity = _LOCAL_WORKERS
    idle_seconds = inf
    lifetime = 0.0
    start_usage = Usage()
    grace = 0.0
    ships_modules = False
    skew = 0.0

    def __init__(self) -> None:
        self.key = key = JobKey(secrets.token_bytes(16), secrets.token_bytes(32))
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
        self._scratch = (sockets, objects)
        self._place = LocalPlace(sockets, objects)

    def __repr__(self) -> str:
        return f"<LocalSite {self.hub!r}>"

    def open_crew(self, tell: Tell) -> Crew:
        """Return what starts processes."""
        return ProcessCrew(tell, scratch=self._scratch)

    def place_for(self, worker: int) -> Place:
        """Return where the directories are."""
        del worker
        return self._place

    def release(self, worker: int, *, is_certain: bool) -> None:
        """Close the worker's socket."""
        del is_certain
        self.hub.forget(worker)

    def check(self) -> None:
        """Do nothing: this machine is there."""

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
    """

    idle_seconds = _IDLE_SECONDS
    lifetime = LAMBDA_TIMEOUT
    start_usage = Usage(_INVOKE, _INVOKE)
    grace = _GRACE
    ships_modules = True

    def __init__(self, name: str, workers: int, config: Config) -> None:
        self.name = name
        wish = max(workers, min(_MAILBOXES, _PER_SLOT * workers + _EXTRA))
        self._meter = Meter()
        self._taken: dict[int, int] = {}  # mailboxes by worker
        # Those that a worker may still read which was told to end, and since when.
        self._haunted: deque[tuple[float, int]] = deque()
        with ExitStack() as stack:
            cloud = open_cloud(name, wish + 1, config, least=workers + 1)
            stack.callback(cloud.close)
            self.capacity = min(wish, len(cloud.mailboxes) - 1)
            self._free = deque(range(self.capacity))
            self.key = key = new_key(cloud)
            self.skew = cloud.skew if has_functions(cloud) else 0.0
            self._opened = cloud
            metered = MeteredCloud(cloud, self._meter)
            self._blobs = metered.blobs
            stack.callback(self._remove_blobs)
            self.store: Store = BlobStore(self._blobs, objects_of(key), DRIVER)
            self._hub = MailboxHub(metered, self.capacity + 1, key)
            stack.callback(self._hub.close)
            self.hub: Hub = self._hub
            stack.callback(self._stop)
            self._stack = stack.pop_all()

    def __repr__(self) -> str:
        return f"<CloudSite {self.name}: {len(self._free)} mailboxes free>"

    def place_for(self, worker: int) -> Place | None:
        """Return the address and a mailbox that is free."""
        with suppress(IndexError):  # several threads ask
            while self._haunted[0][0] + _HAUNTED_SECONDS <= time.monotonic():
                self._free.append(self._haunted.popleft()[1])
        try:
            mailbox = self._free.popleft()
        except IndexError:
            return None
        self._taken[worker] = mailbox
        self._hub.expect(worker, mailbox)
        return CloudPlace(self._opened.address, mailbox, self.capacity + 1)

    def open_crew(self, tell: Tell) -> Crew:
        """Return what invokes the function, or starts processes where there is none."""
        if has_functions(self._opened):
            return FunctionCrew(self._opened.functions, self._hub, tell)
        return ProcessCrew(tell, scratch=scratch_of(self._opened))

    def release(self, worker: int, *, is_certain: bool) -> None:
        """Have the worker's mailbox used again, as the last one.

        One that a worker may still read is kept from others for a while.
        """
        self._hub.forget(worker)
        mailbox = self._taken.pop(worker, None)
        if mailbox is None:
            return
        if is_certain:
            self._free.append(mailbox)
        else:
            self._haunted.append((time.monotonic(), mailbox))

    def check(self) -> None:
        """Raise a `CloudError` if others may use the mailboxes by now."""
        if has_functions(self._opened):
            check_lease(self._opened)

    def usage(self) -> Usage:
        """Return what the driver's end has used."""
        usage = self._meter.usage()
        if has_functions(self._opened):
            usage += self._opened.lease_usage()
        return usage

    def close(self) -> None:
        """Stop polling, remove the session's objects, let the cloud go."""
        self._stack.close()

    def _stop(self) -> None:
        """Stop all workers; let the mailboxes go if all say that they have ended."""
        if not has_functions(self._opened):
            return
        # Before the claims are removed: who starts now finds a claim or no lifeline.
        self._opened.stop()
        until = time.monotonic() + _GOODBYE
        while self._taken and (left := until - time.monotonic()) > 0:
            try:
                bodies = self._hub.receive(left)
            except ServerlessDistError:  # then they lapse
                return
            for worker, body in bodies:
                if any(type(each) is Bye for each in unpack(body)):
                    self.release(worker, is_certain=True)
        if not self._taken and not self._haunted:
            self._opened.vacate()

    def _remove_blobs(self) -> None:
        """Remove what the session has put; on AWS what stays expires after a day."""
        with suppress(ServerlessDistError):
            self._blobs.delete(self._blobs.list(f"{self.key.job.hex()}/"))


def open_site(cloud: str, workers: int, config: Config) -> Site:
    """Return the site of that name.

    Parameters
    ----------
    cloud
        ``"local"``, ``"emulated"`` or ``"aws"``.
    workers
        How many tasks run at a time.
    config
        Settings of the cloud.
    """
    if check_cloud(cloud) == LocalSite.name:
        return LocalSite()
    return CloudSite(cloud, workers, config)


def _memory_directory() -> Path:
    """Make a private directory in memory, or on disk where there is none for files."""
    parent = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None
    return Path(tempfile.mkdtemp(prefix="serverless-dist-", dir=parent))
