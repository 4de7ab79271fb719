"""Where a worker finds its driver and the store: its `Place`, which travels."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from serverless_dist.cloud import Cloud, Meter, MeteredCloud
from serverless_dist.runtime.clouds import (
    Address,
    connect,
    pack_address,
    unpack_address,
)
from serverless_dist.tasks.lines import Line
from serverless_dist.tasks.mailbox_lines import MailboxLine
from serverless_dist.tasks.socket_lines import SocketLine
from serverless_dist.tasks.store import BlobStore, SharedStore, Store
from serverless_dist.wire import JobKey


class Place(Protocol):
    """Where a worker finds its driver and the store."""

    def open(
        self, key: JobKey, worker: int, meter: Meter, stack: ExitStack
    ) -> tuple[Line, Store]:
        """Return the line and the store, which `stack` closes."""
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
        return self.attach(MeteredCloud(cloud, meter), key, worker, stack)

    def attach(
        self, cloud: Cloud, key: JobKey, worker: int, stack: ExitStack
    ) -> tuple[Line, Store]:
        """Return the line and the store over a cloud that is connected already."""
        line = MailboxLine(cloud, self.mailbox, self.size, worker=worker, key=key)
        stack.callback(line.close)
        return line, BlobStore(cloud.blobs, objects_of(key), worker)


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


def objects_of(key: JobKey) -> str:
    """Return what the keys of a session's values begin with."""
    return f"{key.job.hex()}/objects/"
