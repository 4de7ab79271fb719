"""Gates: where a task waits, in another process, until the test lets it go on."""

import os
from pathlib import Path


class Gate:
    """Two named pipes; to open one waits until somebody opens its other end.

    Each gate is passed once. It can be pickled.
    """

    def __init__(self, directory: Path, name: str = "gate") -> None:
        self._arrived = directory / f"{name}-arrived"
        self._opened = directory / f"{name}-opened"
        os.mkfifo(self._arrived)
        os.mkfifo(self._opened)

    def pass_through(self) -> None:
        """Tell the test that the task is here, and wait for it to open the gate."""
        self._arrived.write_bytes(b"")
        self._opened.read_bytes()

    def wait_for_arrival(self) -> None:
        """Return when a task is at the gate."""
        self._arrived.read_bytes()

    def open(self) -> None:
        """Let the task go on."""
        self._opened.write_bytes(b"")
