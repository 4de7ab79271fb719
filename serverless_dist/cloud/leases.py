"""Leases: a range of mailboxes that one job has for itself for as long as it lives.

Two kinds of blobs. `leases/table` lists all leases and changes only by `swap`; every
table differs from all before it, since it has a serial number. `leases/ID` is the
lifeline of one lease, which its holder renews, so that renewals never meet.

The law:

1. *To take* free mailboxes, add an entry to the table, then make the lifeline. Who is
   not done with both `LEASE_SECONDS` after it began has lost the lease.
2. *To renew*, swap the lifeline's content for one that it never had. A holder never
   makes its lifeline again: who finds that it is gone, or not its own, has lost the
   lease; so has who could not renew it (see `lifeline`).
3. *To give back*, delete the lifeline first. Then, and only if nobody uses the
   mailboxes any more, remove the entry. The lifeline of a lease that has an entry may
   be missing; a lifeline without an entry belongs to nobody.
4. *To take over* what a dead holder has, see that its lifeline, or the lack of it, has
   not changed for `TAKEOVER_SECONDS`; swap what was seen for `TAKEN`; delete it; remove
   the entry. A holder that renewed in the last moment makes the swap fail, and lives.
   After it no renewal can succeed. Several may take over at once: each step may be
   done twice, and an entry is removed and the mailboxes are given to somebody in one
   swap of the table. Who finds `TAKEN` goes on where another one has stopped.
5. *To clean up*, list the lifelines, then read the table: what was listed and has no
   entry is deleted (it has had one before, by 1). Who takes over does this.

By 1 to 4 two leases never overlap while both holders believe in theirs. By 4 and 5
nothing stays for ever that a holder, or who takes over, has left behind at any step:
it is found by the next one who needs the room.

Requests to S3, if nobody is in the way: `acquire` 2 GET and 2 PUT (1 GET and 2 PUT for
the first lease ever), a renewal 1 GET and 1 PUT, a clean release 2 GET, 1 PUT and 1
DELETE, any other 1 DELETE. While none are free, each look costs 1 GET for the table
and 1 for each lease; a takeover 1 LIST, 2 GET and 1 DELETE, and for each of the dead 1
GET and 1 PUT. DELETE is free.
"""

import logging
from threading import Condition, Thread

from serverless_dist.cloud.clock import SteadyClock
from serverless_dist.cloud.lease_search import LeaseSearch
from serverless_dist.cloud.lease_tenure import Tenure
from serverless_dist.cloud.lifeline import (
    LEASE_SECONDS,
    RENEW_SECONDS,
    TAKEOVER_SECONDS,
    Lifeline,
    Pulse,
)
from serverless_dist.cloud.services import Blobs, Clock
from serverless_dist.errors import ServerlessDistError, UsageError

__all__ = [
    "LEASE_SECONDS",
    "RENEW_SECONDS",
    "TAKEOVER_SECONDS",
    "Lease",
    "Lifeline",
    "Pulse",
    "acquire",
]

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 5.0  # between two looks while none are free
_RETRY_SECONDS = 2.0  # after a renewal that has failed
_JOIN_SECONDS = 5.0  # for a renewal on its way to end; later it does no harm


class Lease:
    """Mailboxes that are the caller's until they are released; see `acquire`.

    A thread renews the lease until then, or until it is lost.

    Attributes
    ----------
    key
        The blob that ranks live by (see `Lifeline`).
    first, count
        The mailboxes: `count` in a row.
    """

    def __init__(self, tenure: Tenure, clock: Clock) -> None:
        self._tenure = tenure
        self._clock = clock
        self._condition = Condition()
        self._is_stopped = False
        self._thread = Thread(
            target=self._keep, name="serverless_dist lease", daemon=True
        )
        self.key = tenure.key
        self.first = tenure.entry.first
        self.count = tenure.entry.count
        self._thread.start()

    def __repr__(self) -> str:
        state = "stopped" if self._is_stopped else "lost" if self.lost else "held"
        return f"<Lease {self._tenure.entry}, {state}>"

    @property
    def lost(self) -> bool:
        """Whether others may have the mailboxes by now: then the job has to end.

        It asks nobody and never waits. Once True it stays so; it also becomes True
        `LEASE_SECONDS` after the lease was stopped.
        """
        return self._tenure.is_lost

    def stop(self) -> None:
        """Stop all that runs on the mailboxes: within seconds, where S3 is reached.

        Others get the mailboxes once they have waited long enough for all to end, or
        after a clean `release`. Stopping twice is no error.

        Raises
        ------
        ServerlessDistError
            S3 was not reached. The lease ends all the same, after `LEASE_SECONDS`.
        """
        with self._condition:
            self._is_stopped = True
            self._condition.notify_all()
        self._tenure.stop()
        self._thread.join(_JOIN_SECONDS)

    def release(self, clean: bool) -> None:  # noqa: FBT001
        """Stop all that runs on the mailboxes, and give them back.

        Parameters
        ----------
        clean
            Whether nobody uses the mailboxes any more. Then they are free at once;
            else when somebody who wants them has waited for `TAKEOVER_SECONDS`.
            Releasing twice is no error, and the second time may be clean.

        Raises
        ------
        ServerlessDistError
            S3 was not reached. Others find the mailboxes free in their time.
        """
        self.stop()
        if clean:
            self._tenure.vacate()

    def _keep(self) -> None:
        pause = RENEW_SECONDS
        while self._is_kept_after(pause):
            pause = RENEW_SECONDS
            try:
                self._tenure.renew()
            except ServerlessDistError as error:
                pause = _RETRY_SECONDS
                logger.warning("cannot renew the lease %s: %s", self.key, error)
        if not self._is_stopped:
            logger.error("the lease of mailboxes %s is lost", self._tenure.entry)

    def _is_kept_after(self, seconds: float) -> bool:
        """Wait, and return whether the lease is neither stopped nor lost by then."""
        due = self._clock.now() + seconds
        with self._condition:
            while not self._is_stopped and (left := due - self._clock.now()) > 0:
                self._clock.wait(self._condition, left)
            return not (self._is_stopped or self._tenure.is_lost)


def acquire(
    blobs: Blobs,
    *,
    mailboxes: int,
    count: int,
    holder: str,
    wait: float,
    clock: Clock | None = None,
) -> Lease:
    """Lease a range of mailboxes, waiting for one as long as told.

    Parameters
    ----------
    blobs
        The fabric's bucket, where `leases/` is.
    mailboxes
        How many the fabric has.
    count
        How many to lease: one for each rank and one for the driver.
    holder
        Who leases them, for people.
    wait
        Seconds to wait if none are free; mailboxes of a dead holder are only found in
        more than `TAKEOVER_SECONDS`.
    clock
        The time to go by; None: the machine's, which nobody sets.

    Returns
    -------
    Lease
        No other lease that is not lost has any of its mailboxes.

    Raises
    ------
    UsageError
        The fabric has not as many mailboxes, or the table is of another version.
    CloudError
        None have become free, or S3 was not reached. Nothing is leased.
    """
    if count < 1:
        msg = f"cannot lease {count} mailboxes: ask for at least 1"
        raise UsageError(msg)
    if count > mailboxes:
        msg = (
            f"the deployment has {mailboxes} mailboxes; {count - 1} ranks or workers"
            f" need {count}: deploy with --ranks {count - 1}"
        )
        raise UsageError(msg)
    clock = SteadyClock() if clock is None else clock
    search = LeaseSearch(blobs, clock, mailboxes=mailboxes, count=count, holder=holder)
    began = clock.now()
    while (tenure := search.attempt()) is None:
        waited = clock.now() - began
        if waited >= wait or search.is_hopeless:
            raise search.failure(waited)
        clock.sleep(min(_LOOK_SECONDS, wait - waited))
    return Lease(tenure, clock)
