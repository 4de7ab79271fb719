"""What the holder of a lease does: rules 1 to 3 of `leases`, without a thread."""

from threading import Lock

from serverless_dist.cloud.lease_table import (
    TABLE_KEY,
    LeaseEntry,
    LeaseTable,
    lifeline_key,
)
from serverless_dist.cloud.lifeline import LEASE_SECONDS, beat, is_beat
from serverless_dist.cloud.services import Blobs, Clock


class Tenure:
    """One lease, which its owner renews in time; safe to share among threads.

    Parameters
    ----------
    blobs
        Where it is.
    entry
        What is leased.
    clock
        Whose time the lease runs out by.
    began
        When the owner began to add the entry.
    """

    def __init__(
        self, blobs: Blobs, entry: LeaseEntry, clock: Clock, began: float
    ) -> None:
        self.entry = entry
        self.key = lifeline_key(entry.id)
        self._blobs = blobs
        self._clock = clock
        self._until = began + LEASE_SECONDS
        self._content: bytes | None = None
        self._number = 0
        self._is_lost = False
        self._lock = Lock()

    @property
    def is_lost(self) -> bool:
        """Whether others may have the mailboxes by now: once True, always."""
        with self._lock:
            if self._clock.now() >= self._until:
                self._is_lost = True
            return self._is_lost

    def renew(self) -> None:
        """Make the lifeline, or change it, or find out that the lease is lost.

        Call it in one thread at a time. An error tells nothing: call it again.
        """
        asked = self._clock.now()
        while not self.is_lost:
            self._number += 1
            content = beat(self.entry.id, self._number)
            if self._blobs.swap(self.key, self._content, content):
                self._content = content
                self._extend(asked + LEASE_SECONDS)
                return
            # An earlier renewal may have succeeded though its answer was lost.
            found = self._blobs.get(self.key)
            if is_beat(found, self.entry.id):
                self._content = found
            else:
                self._lose()

    def stop(self) -> None:
        """Delete the lifeline, which stops who lives by it; twice is no error."""
        self._blobs.delete([self.key])

    def vacate(self) -> None:
        """Remove the entry, if it is there, so that others can have the mailboxes."""
        while True:
            data = self._blobs.get(TABLE_KEY)
            table = LeaseTable.unpack(data)
            if table.find(self.entry.id) is None:
                return
            changed = table.changed(without=[self.entry.id])
            if self._blobs.swap(TABLE_KEY, data, changed.pack()):
                return

    def _extend(self, until: float) -> None:
        with self._lock:
            # What lasted too long comes too late: others may have the mailboxes.
            self._is_lost = self._is_lost or self._clock.now() >= self._until
            self._until = max(self._until, until)

    def _lose(self) -> None:
        with self._lock:
            self._is_lost = True
