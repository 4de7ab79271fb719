"""Where large values lie until nobody refers to them."""

import os
import re
from collections.abc import Sequence
from itertools import count, islice
from pathlib import Path
from typing import Protocol

from serverless_dist.cloud import Blobs
from serverless_dist.errors import CloudError, ObjectLostError, ProtocolError
from serverless_dist.tasks.mapped import mapped
from serverless_dist.transport.vectors import MAX_PIECES, advance, pieces
from serverless_dist.wire import Body


class Store(Protocol):
    """An object store that the driver and its workers share; keys are bytes.

    A value is written once, under a key of its own, and never changed. Whoever read it
    may keep what was read, also after it has been deleted.
    """

    def put(self, body: Body) -> bytes:
        """Write a body and return its key; a full store is a `CloudError`."""
        ...

    def get(self, key: bytes) -> memoryview:
        """Return a body, read-only; one that is gone is an `ObjectLostError`."""
        ...

    def delete(self, keys: Sequence[bytes]) -> None:
        """Forget bodies; a key that is not there is no error."""
        ...

    def close(self) -> None:
        """Give back what is held; twice is no error."""
        ...


_NAME = re.compile(r"\d+-\d+")  # owner and number


class SharedStore:
    """Values in the memory of one machine: a file each, in a private directory.

    A value is mapped, not read, so to get a large array takes no time and no memory.

    Parameters
    ----------
    directory
        Where the files are: of the session, private to the user.
    owner
        Keeps the keys of several writers apart.
    """

    def __init__(self, directory: Path, owner: int) -> None:
        self._directory = directory
        self._owner = owner
        self._numbers = count()

    def __repr__(self) -> str:
        return f"<SharedStore in {self._directory}>"

    def put(self, body: Body) -> bytes:
        """Write a body to a file of its own."""
        name = f"{self._owner}-{next(self._numbers)}"
        path = self._directory / name
        try:
            # Not through a mapping: a full file system would be a SIGBUS there.
            with path.open("xb", buffering=0) as file:
                _write(file.fileno(), body)
        except OSError as error:
            path.unlink(missing_ok=True)
            size = sum(memoryview(buffer).nbytes for buffer in body)
            msg = (
                f"the object store in {self._directory} has no room for a value of "
                f"{size:,} bytes: {error.strerror}"
            )
            raise CloudError(msg, retryable=False) from error
        except BaseException:  # the task that puts it is interrupted
            path.unlink(missing_ok=True)
            raise
        return name.encode()

    def get(self, key: bytes) -> memoryview:
        """Map a body; it stays mapped as long as something of it is in use."""
        try:
            with (self._directory / _checked(key)).open("rb", buffering=0) as file:
                return mapped(file.fileno(), os.fstat(file.fileno()).st_size)
        except FileNotFoundError:
            raise _lost(key) from None

    def delete(self, keys: Sequence[bytes]) -> None:
        """Remove files; what is mapped stays where it is mapped."""
        for key in keys:
            (self._directory / _checked(key)).unlink(missing_ok=True)

    def close(self) -> None:
        """Do nothing: the directory is the session's."""


class BlobStore:
    """Values as objects of a cloud; see `Store`.

    Parameters
    ----------
    blobs
        The object store of the cloud.
    prefix
        What the keys of the session begin with.
    owner
        Keeps the keys of several writers apart.
    """

    def __init__(self, blobs: Blobs, prefix: str, owner: int) -> None:
        self._blobs = blobs
        self._prefix = prefix
        self._owner = owner
        self._numbers = count()

    def __repr__(self) -> str:
        return f"<BlobStore under {self._prefix}>"

    def put(self, body: Body) -> bytes:
        """Put a body as one object."""
        key = f"{self._prefix}{self._owner}-{next(self._numbers)}"
        self._blobs.put(key, b"".join(body))
        return key.encode()

    def get(self, key: bytes) -> memoryview:
        """Get an object."""
        data = self._blobs.get(key.decode())
        if data is None:
            raise _lost(key)
        return memoryview(data)

    def delete(self, keys: Sequence[bytes]) -> None:
        """Delete objects, as many as fit into a request at a time."""
        self._blobs.delete([key.decode() for key in keys])

    def close(self) -> None:
        """Do nothing: the cloud is the session's."""


def _checked(key: bytes) -> str:
    """Return the name that a key ends with; others' keys are not to lead elsewhere."""
    name = key.decode(errors="replace")
    if not _NAME.fullmatch(name):
        msg = f"{name!r} is no key of the object store"
        raise ProtocolError(msg)
    return name


def _write(descriptor: int, body: Body) -> None:
    rest = pieces(body)
    while rest:
        views = [view for view, _ in islice(rest, MAX_PIECES)]
        advance(rest, os.writev(descriptor, views))


def _lost(key: bytes) -> ObjectLostError:
    return ObjectLostError("a value", f"is gone from the store: {key.decode()}")
