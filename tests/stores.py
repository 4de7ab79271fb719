"""Looking into the store of the session that is open in this process."""

import time
from pathlib import Path

import serverless_dist as sd
from serverless_dist.tasks.current import find_client
from serverless_dist.tasks.store import SharedStore

_PATIENCE = 10.0  # seconds; then something is kept that should not be


def directory() -> Path:
    """Return where the values of the session are."""
    client = find_client()
    assert client is not None
    assert isinstance(client.store, SharedStore)
    return client.store._directory


def wait_until_empty(directory: Path, *, but: int = 0) -> None:
    """Return once so many values are left; the driver removes them when it can."""
    until = time.monotonic() + _PATIENCE
    while (left := len(list(directory.iterdir()))) != but:
        assert time.monotonic() < until, f"{left} values are left instead of {but}"
        sd.get(sd.put(None))  # what nobody waits for, the driver does with the next
