"""A cloud for the processes of one machine: a broker for mailboxes, files for blobs.

The process that starts it owns a private directory with the broker's socket and the
blobs. Others connect to the directory. When the owner closes it, or is killed, the
broker is gone and its clients get a `CloudError`.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from serverless_dist.cloud.batches import (
    QUEUE_MAX_BODY,
    TOPIC_MAX_BODY,
    body_size,
    entry_size,
    queue_batches,
    topic_batches,
)
from serverless_dist.cloud.broker import SOCKET_NAME, Broker, BrokerClient
from serverless_dist.cloud.checks import (
    check_bodies,
    check_entries,
    check_key,
    check_range,
    check_receive,
)
from serverless_dist.cloud.clock import SystemClock
from serverless_dist.cloud.limits import VISIBILITY_TIMEOUT
from serverless_dist.cloud.memory import MemoryCloud
from serverless_dist.cloud.services import Buffer, Delivery, Entry
from serverless_dist.errors import CloudError

_MAX_NAME = 250  # bytes of a file's name; 255 fit
_MAX_SOCKET_PATH = 100  # bytes; Linux takes 107, macOS 103


@dataclass(frozen=True, slots=True)
class LocalAddress:
    """Where a local cloud is: its directory and how many mailboxes it has."""

    directory: Path
    mailboxes: int


class LocalQueue:
    """Mailbox `index` of a broker; see `Queue`."""

    max_body = QUEUE_MAX_BODY

    def __init__(self, client: BrokerClient, index: int) -> None:
        self._client = client
        self._index = index

    def __repr__(self) -> str:
        return f"<LocalQueue {self._index}>"

    def send(self, bodies: Sequence[Buffer]) -> None:
        """Store all bodies."""
        check_bodies(bodies, self.max_body)
        for start, stop in queue_batches([body_size(body) for body in bodies]):
            self._client.ask("send", self._index, bodies[start:stop])

    def receive(self, limit: int, wait: float) -> list[Delivery]:
        """Return up to `limit` bodies, waiting up to `wait` seconds for the first."""
        check_receive(limit, wait)
        pairs = self._client.ask("receive", self._index, limit, wait)
        return [Delivery(body, receipt) for body, receipt in pairs]

    def delete(self, receipts: Sequence[str]) -> None:
        """Forget the bodies behind these receipts."""
        if receipts:
            self._client.ask("delete", self._index, receipts)


class LocalTopic:
    """The topic of a broker; see `Topic`."""

    max_body = TOPIC_MAX_BODY

    def __init__(self, client: BrokerClient, mailboxes: int) -> None:
        self._client = client
        self._mailboxes = mailboxes

    def __repr__(self) -> str:
        return f"<LocalTopic to {self._mailboxes} mailboxes>"

    def publish(self, entries: Sequence[Entry]) -> None:
        """Copy every entry to each of its targets."""
        check_entries(entries, self.max_body, self._mailboxes)
        sizes = [entry_size(body_size(e.body), e.targets) for e in entries]
        for start, stop in topic_batches(sizes):
            batch = [(e.body, e.targets) for e in entries[start:stop]]
            self._client.ask("publish", batch)


class LocalBlobs:
    """Blobs as files of one directory; see `Blobs`.

    A file appears under its name only when it is whole. While one is compared and
    replaced the directory is locked, for all processes, against other replacements
    and deletions, which share a lock among themselves.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __repr__(self) -> str:
        return f"<LocalBlobs in {self._directory}>"

    def put(self, key: str, data: Buffer, *, if_absent: bool = False) -> bool:
        """Store `data`; with `if_absent` return False if the key was there."""
        path = self._path(key)
        with _disk_errors(f"store {key}"), self._written(path, data) as temporary:
            if not if_absent:
                with self._locked(fcntl.LOCK_SH):
                    temporary.rename(path)
                return True
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
            return True

    def swap(self, key: str, old: Buffer | None, new: Buffer) -> bool:
        """Replace the blob if it still holds `old`; return whether it was replaced."""
        if old is None:
            return self.put(key, new, if_absent=True)
        path, expected = self._path(key), bytes(old)
        with (
            _disk_errors(f"replace {key}"),
            self._written(path, new) as temporary,
            self._locked(fcntl.LOCK_EX),
        ):
            if self.get(key) != expected:
                return False
            temporary.rename(path)
            return True

    @contextmanager
    def _written(self, path: Path, data: Buffer) -> Iterator[Path]:
        """Give a file that holds `data`, to be renamed; what is left is removed."""
        descriptor, name = tempfile.mkstemp(prefix="+", dir=self._directory)
        temporary = Path(name)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        """Hold the lock of the directory, shared or alone."""
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, kind)
            yield
        finally:
            os.close(descriptor)  # which gives up the lock

    def get(self, key: str, *, start: int = 0, stop: int | None = None) -> bytes | None:
        """Return the bytes from `start` up to `stop`; None if there is no such key."""
        check_range(start, stop)
        with _disk_errors(f"read {key}"):
            try:
                with self._path(key).open("rb") as file:
                    end = os.fstat(file.fileno()).st_size
                    end = end if stop is None else min(stop, end)
                    file.seek(min(start, end))
                    return file.read(max(0, end - start))
            except FileNotFoundError:
                return None

    def list(self, prefix: str) -> Sequence[str]:
        """Return all keys that begin with `prefix`, sorted."""
        keys = (
            unquote(os.path.relpath(os.path.join(folder, name), top).replace("+/", ""))
            for top in [self._directory]
            for folder, _, names in os.walk(top)
            for name in names
            if not name.startswith("+")
        )
        return sorted(key for key in keys if key.startswith(prefix))

    def delete(self, keys: Sequence[str]) -> None:
        """Remove the keys; one that is not there is no error."""
        paths = [self._path(key) for key in keys]
        if not paths or not self._directory.exists():  # the cloud may be closed
            return
        with _disk_errors("delete blobs"), self._locked(fcntl.LOCK_SH):
            for path in paths:
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        check_key(key)
        directory = self._directory
        name = quote(key, safe=" ").replace(".", "%2E")
        # A key may be longer than a file's name: then its head names folders.
        while len(name) > _MAX_NAME:
            directory /= name[:_MAX_NAME] + "+"
            name = name[_MAX_NAME:]
        return directory / name


@contextmanager
def _disk_errors(what: str) -> Iterator[None]:
    """Turn what the disk refuses into a `CloudError`."""
    try:
        yield
    except OSError as error:
        msg = f"cannot {what} on this machine: {error.strerror}"
        raise CloudError(msg, retryable=False) from error


class LocalCloud:
    """The cloud of one machine; see `Cloud`.

    `LocalCloud.start` makes one and owns it, `LocalCloud.connect` joins it.
    """

    def __init__(self, address: LocalAddress, broker: Broker | None = None) -> None:
        self.address = address
        self.clock = SystemClock()
        self._client = BrokerClient(address.directory)
        self._broker = broker
        self.mailboxes = [
            LocalQueue(self._client, index) for index in range(address.mailboxes)
        ]
        self.topic = LocalTopic(self._client, address.mailboxes)
        self.blobs = LocalBlobs(address.directory / "blobs")

    @classmethod
    def start(
        cls, mailboxes: int, *, visibility: float = VISIBILITY_TIMEOUT
    ) -> "LocalCloud":
        """Make a directory, start a broker for it, and own both."""
        directory = private_directory()
        try:
            (directory / "blobs").mkdir()
            broker = Broker(MemoryCloud(mailboxes, visibility=visibility), directory)
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        return cls(LocalAddress(directory, mailboxes), broker)

    @classmethod
    def connect(cls, address: LocalAddress) -> "LocalCloud":
        """Join the cloud at `address`."""
        return cls(address)

    def __repr__(self) -> str:
        return f"<LocalCloud in {self.address.directory}>"

    def close(self) -> None:
        """Hang up; the owner also stops the broker and removes the directory."""
        self._client.close()
        if self._broker is not None:
            broker, self._broker = self._broker, None
            try:
                broker.close()
            finally:
                shutil.rmtree(self.address.directory, ignore_errors=True)


def private_directory() -> Path:
    """Make a directory that only this user may enter, short enough for a socket."""
    directory = Path(tempfile.mkdtemp(prefix="serverless-dist-")).absolute()
    if len(os.fsencode(directory / SOCKET_NAME)) > _MAX_SOCKET_PATH:
        directory.rmdir()
        directory = Path(tempfile.mkdtemp(prefix="serverless-dist-", dir="/tmp"))
    return directory
