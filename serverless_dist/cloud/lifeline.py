"""The sign of life of a lease: a blob that its holder keeps changing.

Nobody compares the clocks of two machines. Each looks at the blob, and at how long by
its own clock it has not changed:

1. A holder has lost its lease `LEASE_SECONDS` after it sent the last renewal that
   succeeded. To have lost a lease is final, whatever a late answer says.
2. A rank stops when the blob is gone, or has not changed for `LEASE_SECONDS`.
3. Others take the mailboxes when it has not changed for `TAKEOVER_SECONDS`. The
   difference is for ranks, which look only now and then, and for clocks that do not
   go alike.
"""

from dataclasses import dataclass
from enum import Enum

LEASE_SECONDS = 30.0
RENEW_SECONDS = 10.0  # two renewals may fail
TAKEOVER_SECONDS = 40.0

TAKEN = b"taken"  # what others write when they take the mailboxes


def beat(lease: str, number: int) -> bytes:
    """Return what the holder of a lease writes; it writes no number twice."""
    return f"{lease} {number}".encode()


def is_beat(content: bytes | None, lease: str) -> bool:
    """Return whether the holder of the lease has written this.

    >>> is_beat(beat("1f", 7), "1f"), is_beat(TAKEN, "1f"), is_beat(None, "1f")
    (True, False, False)
    """
    return content is not None and content.startswith(f"{lease} ".encode())


class Pulse(Enum):
    """What a lifeline says of the job."""

    ALIVE = "alive"
    STOPPED = "stopped"
    """The driver has ended the job, or others have its mailboxes."""
    LAPSED = "lapsed"
    """The driver, or the way to it, is dead."""


class Lifeline:
    """What a rank sees of its driver's lifeline; it asks nobody itself.

    Parameters
    ----------
    now
        The time by the rank's clock, in seconds.

    Examples
    --------
    >>> lifeline = Lifeline(now=0.0)
    >>> lifeline.feed(b"lease 1", now=2.0), lifeline.feed(b"lease 1", now=31.0)
    (<Pulse.ALIVE: 'alive'>, <Pulse.ALIVE: 'alive'>)
    >>> lifeline.pulse(now=32.0), lifeline.feed(None, now=33.0)
    (<Pulse.LAPSED: 'lapsed'>, <Pulse.STOPPED: 'stopped'>)
    """

    def __init__(self, now: float) -> None:
        self._content: bytes | None = None
        self._since = now
        self._is_stopped = False

    def __repr__(self) -> str:
        state = "stopped" if self._is_stopped else f"unchanged since {self._since:.1f}"
        return f"<Lifeline {state}>"

    def feed(self, content: bytes | None, now: float) -> Pulse:
        """Take note of what the blob was when it was asked for at `now`.

        None: there is none. Who is not alive never becomes so again.
        """
        if content is None or content == TAKEN:
            self._is_stopped = True
        elif content != self._content and self.pulse(now) is not Pulse.LAPSED:
            self._content, self._since = content, now
        return self.pulse(now)

    def pulse(self, now: float) -> Pulse:
        """Return the same when nothing new is known, as after a failed request."""
        if self._is_stopped:
            return Pulse.STOPPED
        is_silent = now - self._since >= LEASE_SECONDS
        return Pulse.LAPSED if is_silent else Pulse.ALIVE


@dataclass(frozen=True, slots=True)
class Silence:
    """How long others have seen a lifeline unchanged; None is "no blob".

    What counts is from the answer to the first look to the question of the last one:
    all that time the blob was the same, since no content comes twice.
    """

    content: bytes | None
    since: float
    seconds: float = 0.0

    def look(self, content: bytes | None, asked: float, answered: float) -> "Silence":
        """Return the silence after one more look.

        >>> Silence(b"1", since=3.0).look(b"1", asked=9.0, answered=10.0).seconds
        6.0
        >>> Silence(b"1", since=3.0).look(b"2", asked=9.0, answered=10.0)
        Silence(content=b'2', since=10.0, seconds=0.0)
        """
        if content != self.content:
            return Silence(content, answered)
        return Silence(content, self.since, max(0.0, asked - self.since))
