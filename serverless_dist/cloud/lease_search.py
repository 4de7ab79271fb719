"""What somebody does who wants a lease: rules 1, 4 and 5 of `leases`."""

from contextlib import suppress
from uuid import uuid4

from serverless_dist.cloud.lease_table import (
    PREFIX,
    TABLE_KEY,
    LeaseEntry,
    LeaseTable,
    allocate,
    lifeline_key,
)
from serverless_dist.cloud.lease_tenure import Tenure
from serverless_dist.cloud.lifeline import (
    TAKEN,
    TAKEOVER_SECONDS,
    Silence,
    is_beat,
)
from serverless_dist.cloud.services import Blobs, Clock
from serverless_dist.errors import CloudError, ServerlessDistError

_NAMED = 8  # holders that a message names


class LeaseSearch:
    """Somebody who looks for free mailboxes, and sees who else lives.

    Parameters
    ----------
    blobs
        Where the leases are.
    clock
        Whose time others' silence is measured by.
    mailboxes
        How many there are.
    count
        How many are wanted.
    holder
        Who wants them, for people.
    """

    def __init__(
        self, blobs: Blobs, clock: Clock, *, mailboxes: int, count: int, holder: str
    ) -> None:
        self._blobs = blobs
        self._clock = clock
        self._mailboxes = mailboxes
        self._count = count
        self._holder = holder
        self._others: tuple[LeaseEntry, ...] = ()
        self._silences: dict[str, Silence] = {}
        self._dead: set[str] = set()

    def attempt(self) -> Tenure | None:
        """Take mailboxes if some are free, or can be taken from the dead."""
        tenure = self._take()
        if tenure is None and self._bury():
            tenure = self._take()
        return tenure

    def failure(self, waited: float) -> CloudError:
        """Return the error to raise when the search is given up."""
        described = [
            f"{entry} (silent for {self._silence(entry.id):.0f} s)"
            for entry in self._others
        ]
        more = len(described) - _NAMED
        named = [*described[:_NAMED], *([f"{more} more"] if more > 0 else [])]
        advice = (
            "this program itself holds some: deploy with more --ranks"
            if self.is_hopeless
            else "wait for a job to end, as SERVERLESS_DIST_MAILBOX_WAIT=60 does (one"
            f" that is dead is given up after {TAKEOVER_SECONDS:.0f} s of silence), or"
            " deploy with more --ranks"
        )
        msg = (
            f"{self._count} mailboxes in a row are asked for, and none are free of the"
            f" deployment's {self._mailboxes} after {waited:.0f} s; held are"
            f" {', '.join(named)}: {advice}"
        )
        return CloudError(msg, retryable=True)

    @property
    def is_hopeless(self) -> bool:
        """Whether there is no room beside what this program holds, whoever ends."""
        own = tuple(
            entry
            for entry in self._others
            if entry.holder == self._holder and self._has_lifeline(entry)
        )
        return allocate(own, self._mailboxes, self._count) is None

    def _take(self) -> Tenure | None:
        while True:
            data = self._blobs.get(TABLE_KEY)
            table = LeaseTable.unpack(data)
            self._others = tuple(e for e in table.entries if e.id not in self._dead)
            first = allocate(self._others, self._mailboxes, self._count)
            if first is None and len(self._others) == len(table.entries):
                return None
            if first is None:
                changed = table.changed(without=self._dead)
                self._blobs.swap(TABLE_KEY, data, changed.pack())
                continue
            entry = LeaseEntry(uuid4().hex, first, self._count, self._holder)
            changed = table.changed(without=self._dead, added=[entry])
            tenure = self._claim(entry, data, changed.pack())
            if tenure is not None:
                return tenure

    def _claim(self, entry: LeaseEntry, old: bytes | None, new: bytes) -> Tenure | None:
        """Make an entry and its lifeline, or leave no trace of them."""
        tenure = Tenure(self._blobs, entry, self._clock, self._clock.now())
        try:
            if not self._blobs.swap(TABLE_KEY, old, new) and not self._is_listed(entry):
                return None
            tenure.renew()
            if not tenure.is_lost:
                return tenure
            tenure.stop()
            tenure.vacate()
        except BaseException:
            with suppress(ServerlessDistError):
                tenure.stop()
                tenure.vacate()
            raise
        return None

    def _is_listed(self, entry: LeaseEntry) -> bool:
        """Look whether a swap succeeded whose answer was lost before others came."""
        return LeaseTable.read(self._blobs).find(entry.id) is not None

    def _bury(self) -> bool:
        """Look at all lifelines once; return whether somebody was found dead."""
        dead = {entry.id for entry in self._others if self._is_dead(entry)}
        if not dead:
            return False
        self._dead |= dead
        listed = self._blobs.list(PREFIX)
        entries = LeaseTable.read(self._blobs).entries
        living = {lifeline_key(e.id) for e in entries if e.id not in self._dead}
        self._blobs.delete([key for key in listed if key not in {TABLE_KEY, *living}])
        return True

    def _is_dead(self, entry: LeaseEntry) -> bool:
        """Look at a lifeline, and make sure that the dead stay dead."""
        key, asked = lifeline_key(entry.id), self._clock.now()
        content = self._blobs.get(key)
        answered = self._clock.now()
        before = self._silences.get(entry.id, Silence(content, answered))
        silence = before.look(content, asked, answered)
        self._silences[entry.id] = silence
        if content == TAKEN:
            return True
        is_silent = silence.seconds >= TAKEOVER_SECONDS
        return is_silent and self._blobs.swap(key, content, TAKEN)

    def _has_lifeline(self, entry: LeaseEntry) -> bool:
        seen = self._silences.get(entry.id)
        return seen is not None and is_beat(seen.content, entry.id)

    def _silence(self, lease: str) -> float:
        seen = self._silences.get(lease)
        return 0.0 if seen is None else seen.seconds
