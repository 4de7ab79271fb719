"""The queue channel: SNS to SQS for several targets, SQS alone for one.

Each rank owns one mailbox. Whatever one `send` call carries for several ranks shares
PublishBatch requests; a call for a single rank goes straight to its mailbox, which
saves a hop. Deletes are held back until ten make a batch, or until a third of the
visibility time-out has passed: a duplicate costs a request, a delete does too. Nobody
waits for a delete: a thread makes the request while the rank goes on.

A rank wakes itself by a body that is no frame in its own mailbox: only the service can
end a request that waits. Whoever else sends one ends a wait early, and no more.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from serverless_dist.cloud import Clock, Cloud, Delivery, Entry, Queue
from serverless_dist.cloud.limits import (
    MAX_BATCH,
    MAX_FILTERS,
    MAX_RECEIVE,
    MAX_WAIT,
    SQS_MAX_BYTES,
    VISIBILITY_TIMEOUT,
)
from serverless_dist.transport.inbox import Arrival, Inbox
from serverless_dist.transport.message import Message
from serverless_dist.transport.outbox import Outbox
from serverless_dist.wire import Flaw, JobKey, Kind

_WAKE = b"wake"  # no frame; a queue takes no empty body
_SPACING = 0.005  # seconds between short polls that find nothing: $0.29 an hour
_DELETE_WITHIN = VISIBILITY_TIMEOUT / 3  # seconds a receipt is held back at most


class QueueTransport:
    """Messages over mailboxes and the topic; see `Transport`.

    Parameters
    ----------
    rank, size
        This rank, which reads mailbox `rank`, and the number of ranks.
    cloud
        The fabric; its first `size` mailboxes are this job's.
    key
        The job's key.
    """

    def __init__(self, rank: int, size: int, cloud: Cloud, key: JobKey) -> None:
        self.rank = rank
        self.size = size
        self._clock = cloud.clock
        self._mailboxes = cloud.mailboxes
        self._own = cloud.mailboxes[rank]
        self._topic = cloud.topic
        self._inbox = Inbox(rank, key, max_frame=SQS_MAX_BYTES)
        self._outbox = Outbox(key)
        self._receipts: list[str] = []
        self._delete_by = 0.0
        self._deleting: list[_Deletion] = []

    def __repr__(self) -> str:
        held = len(self._receipts)
        return f"<QueueTransport rank {self.rank} of {self.size}: {held} to delete>"

    @property
    def dropped(self) -> Counter[Flaw]:
        """How many frames were dropped, by reason."""
        return self._inbox.dropped

    def send(self, messages: Sequence[Message]) -> None:
        """Hand over the messages, several targets sharing a request."""
        self.send_kinds([(message, Kind.DATA) for message in messages])

    def send_kinds(self, messages: Sequence[tuple[Message, Kind]]) -> None:
        """Hand over messages of several kinds; the hybrid channel adds pointers."""
        targets = {dest for message, _ in messages for dest in message.dests}
        if len(targets) == 1:
            mailbox = self._mailboxes[targets.pop()]
            mailbox.send(
                [
                    frame
                    for message, kind in messages
                    for frame in self._outbox.frames(
                        message, max_body=mailbox.max_body, kind=kind
                    )
                ]
            )
        elif targets:
            self._topic.publish(
                [
                    Entry(frame, part.dests)
                    for message, kind in messages
                    for part in _by_topic(message)
                    for frame in self._outbox.frames(
                        part, max_body=self._topic.max_body, kind=kind
                    )
                ]
            )

    def receive(self, wait: float, expect: Collection[int] = ()) -> Sequence[Message]:
        """Return what has arrived, waiting up to `wait` seconds for the first."""
        del expect  # one mailbox holds what all sources send
        return [arrival.message for arrival in self.receive_arrivals(wait)]

    def receive_arrivals(self, wait: float) -> list[Arrival]:
        """Return what has arrived with its kind; nothing after a `wake`."""
        deadline = self._clock.now() + wait
        self._finish_deleting(only_done=True)
        while True:
            left = min(max(0.0, deadline - self._clock.now()), MAX_WAIT)
            deliveries = self._own.receive(MAX_RECEIVE, left)
            arrivals = [
                arrival
                for delivery in deliveries
                if delivery.body != _WAKE
                for arrival in self._inbox.feed(delivery.body)
            ]
            self._forget(deliveries)
            is_woken = any(delivery.body == _WAKE for delivery in deliveries)
            if arrivals or is_woken or self._clock.now() >= deadline:
                return arrivals

    def wake(self) -> None:
        """Make `receive` return soon, by a body in this rank's own mailbox."""
        self._own.send([_WAKE])

    def close(self) -> None:
        """Delete what was received; what was sent is already in the queues."""
        self._delete(len(self._receipts))
        self._finish_deleting(only_done=False)

    def _forget(self, deliveries: Sequence[Delivery]) -> None:
        now = self._clock.now()
        if not self._receipts:
            self._delete_by = now + _DELETE_WITHIN
        self._receipts += [delivery.receipt for delivery in deliveries]
        whole = len(self._receipts) // MAX_BATCH * MAX_BATCH
        self._delete(len(self._receipts) if now >= self._delete_by else whole)

    def _delete(self, count: int) -> None:
        """Start to delete what was received first."""
        ripe, self._receipts = self._receipts[:count], self._receipts[count:]
        if ripe:
            self._deleting.append(_Deletion(self._clock, self._own, ripe))
            self._delete_by = self._clock.now() + _DELETE_WITHIN

    def _finish_deleting(self, *, only_done: bool) -> None:
        """Wait for deletions, unless `only_done`; raise what one has raised."""
        done = [
            each for each in self._deleting if not (only_done and each.is_under_way)
        ]
        self._deleting = [each for each in self._deleting if each not in done]
        for deletion in done:
            deletion.join()
        for deletion in done:
            if deletion.failure is not None:
                raise deletion.failure


def _by_topic(message: Message) -> list[Message]:
    """Return the message to those of its receivers that each topic serves.

    A frame names its receivers, so one for thousands would be large for each of them.
    """
    parts: dict[int, list[int]] = {}
    for dest in message.dests:
        parts.setdefault(dest // MAX_FILTERS, []).append(dest)
    if len(parts) == 1:
        return [message]
    return [replace(message, dests=tuple(dests)) for dests in parts.values()]


class _Deletion:
    """Deletes from a mailbox, beside its rank.

    Attributes
    ----------
    failure
        What it has raised.
    """

    def __init__(self, clock: Clock, mailbox: Queue, receipts: Sequence[str]) -> None:
        self._mailbox = mailbox
        self._receipts = receipts
        self.failure: Exception | None = None
        self._work = clock.start(self._delete, "serverless_dist deletion")

    @property
    def is_under_way(self) -> bool:
        """Whether it has not ended yet."""
        return self._work.is_alive()

    def join(self) -> None:
        """Return when it has ended."""
        self._work.join()

    def _delete(self) -> None:
        try:
            self._mailbox.delete(self._receipts)
        except Exception as error:
            self.failure = error
