"""Which mailboxes are whose: the table of leases as a value, and the choice of a range.

A range of up to 200 mailboxes lies within 200j to 200j + 199 for some j, since topic j
serves those, and a publish then is one request. A longer one starts at such a 200j.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from serverless_dist.cloud.limits import MAX_FILTERS
from serverless_dist.cloud.services import Blobs
from serverless_dist.errors import UsageError

PREFIX = "leases/"
TABLE_KEY = PREFIX + "table"
_VERSION = 1


def lifeline_key(lease: str) -> str:
    """Return the key of a lease's lifeline."""
    return PREFIX + lease


@dataclass(frozen=True, slots=True)
class LeaseEntry:
    """One lease: whose, and which mailboxes."""

    id: str
    first: int
    count: int
    holder: str
    """For people: who has it."""

    def __str__(self) -> str:
        last = self.first + self.count - 1
        numbers = f"{self.first} to {last}" if self.count > 1 else f"{self.first}"
        return f"{numbers} by {self.holder}"


@dataclass(frozen=True, slots=True)
class LeaseTable:
    """All leases, by their first mailbox; `serial` grows with every change."""

    serial: int = 0
    entries: tuple[LeaseEntry, ...] = ()

    def changed(
        self, *, without: Collection[str] = (), added: Sequence[LeaseEntry] = ()
    ) -> "LeaseTable":
        """Return the next table.

        >>> table = LeaseTable().changed(added=[LeaseEntry("a", 0, 8, "Ada")])
        >>> table.changed(without=["a"])
        LeaseTable(serial=2, entries=())
        """
        kept = [entry for entry in self.entries if entry.id not in without]
        entries = sorted([*kept, *added], key=lambda entry: entry.first)
        return LeaseTable(self.serial + 1, tuple(entries))

    def find(self, lease: str) -> LeaseEntry | None:
        """Return the entry of a lease, if it has one."""
        return next((entry for entry in self.entries if entry.id == lease), None)

    @classmethod
    def read(cls, blobs: Blobs) -> "LeaseTable":
        """Return who has which mailboxes, holders that have died included."""
        return cls.unpack(blobs.get(TABLE_KEY))

    def pack(self) -> bytes:
        """Return the table as JSON."""
        leases = [asdict(entry) for entry in self.entries]
        values = {"version": _VERSION, "serial": self.serial, "leases": leases}
        return json.dumps(values, indent=1).encode()

    @classmethod
    def unpack(cls, data: bytes | None) -> "LeaseTable":
        """Return the table that `pack` made; None is the first one, which is empty.

        Raises
        ------
        UsageError
            It is that of another version, or damaged.
        """
        if data is None:
            return cls()
        try:
            values = json.loads(data)
            entries = tuple(_entry(**lease) for lease in values["leases"])
            if values["version"] == _VERSION:
                return cls(int(values["serial"]), entries)
            reason = f"version {values['version']}"
        except (ValueError, KeyError, TypeError) as error:
            reason = type(error).__name__
        msg = (
            f"the table of leases is of another version or damaged ({reason}): install"
            " the version that the others use, or deploy again when no job runs"
        )
        raise UsageError(msg)


def _entry(**values: Any) -> LeaseEntry:
    entry = LeaseEntry(**values)
    if not (entry.first >= 0 and entry.count >= 1):
        msg = f"no range of mailboxes: {entry}"
        raise ValueError(msg)
    return entry


def allocate(entries: Collection[LeaseEntry], mailboxes: int, count: int) -> int | None:
    """Return the first of `count` free mailboxes in a row, or None.

    Parameters
    ----------
    entries
        What is taken; it may lie past the end, from when there were more mailboxes.
    mailboxes
        How many there are.
    count
        How many are wanted.

    Returns
    -------
    int or None
        Of the free stretches that are long enough, where the shortest begins, and the
        first of these. What is wanted later then finds long ones.

    Examples
    --------
    >>> taken = [LeaseEntry("a", 3, 1, "Ada"), LeaseEntry("b", 6, 2, "Bob")]
    >>> allocate(taken, 20, 2), allocate(taken, 20, 3), allocate(taken, 20, 4)
    (4, 0, 8)
    >>> allocate(taken, 20, 13), allocate(taken, 250, 40), allocate(taken, 250, 193)
    (None, 200, None)
    """
    stretches = list(_free(entries, mailboxes))
    if count > MAX_FILTERS:
        starts = range(0, mailboxes - count + 1, MAX_FILTERS)
        fits = (
            start
            for start in starts
            if any(
                first <= start and start + count <= stop for first, stop in stretches
            )
        )
        return next(fits, None)
    pieces = [
        (min(stop, block + MAX_FILTERS) - max(first, block), max(first, block))
        for first, stop in stretches
        for block in range(first - first % MAX_FILTERS, stop, MAX_FILTERS)
    ]
    return min((piece for piece in pieces if piece[0] >= count), default=(0, None))[1]


def _free(entries: Collection[LeaseEntry], mailboxes: int) -> Iterator[tuple[int, int]]:
    """Give the free stretches, each from its first mailbox to past its last."""
    start = 0
    for entry in sorted(entries, key=lambda entry: entry.first):
        if start < min(entry.first, mailboxes):
            yield start, min(entry.first, mailboxes)
        start = max(start, entry.first + entry.count)
    if start < mailboxes:
        yield start, mailboxes
