"""Where large values lie until nobody refers to them."""

from collections.abc import Sequence
from typing import Protocol

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
