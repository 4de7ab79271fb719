"""SQS and SNS as `Queue` and `Topic`.

1. One batch is one request. Several batches go out side by side; a call returns, or
   raises the first failure, when all of them have ended.
2. A receive is exactly one ReceiveMessage.
3. Busy services and failed entries are asked again as `attempts` says.
"""

import base64
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any

from serverless_dist.cloud.attempts import (
    Fault,
    Service,
    call,
    is_busy,
    send_all,
    side_by_side,
)
from serverless_dist.cloud.batches import (
    QUEUE_MAX_BODY,
    TOPIC_MAX_BODY,
    body_size,
    entry_size,
    queue_batches,
    target_attribute,
    topic_batches,
    topic_shards,
)
from serverless_dist.cloud.checks import check_bodies, check_entries, check_receive
from serverless_dist.cloud.limits import MAX_BATCH
from serverless_dist.cloud.services import Buffer, Delivery, Entry

# What SQS answers for the receipt of a body that is gone: there is nothing to do.
_STALE = frozenset({"ReceiptHandleIsInvalid", "InvalidParameterValue"})


def encode(body: Buffer) -> str:
    """Return a body as unpadded base64url text."""
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Return the body behind a text; what is not base64url comes as its own bytes.

    Who may send to a queue can put any text there: to tell foreign bodies from ours
    is the business of the layer that checks signatures.

    >>> decode(encode(b"hello"))
    b'hello'
    >>> decode("not ours!")
    b'not ours!'
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except ValueError:
        return text.encode("utf-8", "surrogatepass")


def _send_batch(
    service: Service,
    operation: str,
    resource: str,
    entries: Sequence[dict[str, Any]],
    *,
    field: str = "Entries",
    ignored: frozenset[str] = frozenset(),
    **arguments: object,
) -> None:
    """Send one batch until every entry has been taken."""

    def send(pending: Mapping[int, dict[str, Any]]) -> list[Fault]:
        batch = [{"Id": str(index), **entry} for index, entry in pending.items()]
        answer = service.request(operation, resource, **arguments, **{field: batch})
        return [
            Fault(
                index=int(failed["Id"]),
                code=failed["Code"],
                message=failed.get("Message", "no reason given"),
                retryable=not failed["SenderFault"] or is_busy(failed["Code"]),
            )
            for failed in answer.get("Failed", ())
            if failed["Code"] not in ignored
        ]

    send_all(service, entries, send, operation=operation, resource=resource)


class SqsQueue:
    """A standard queue of SQS.

    Parameters
    ----------
    service
        The client of SQS.
    url
        The queue's URL.
    pool
        Where several batches go out side by side.
    """

    def __init__(self, service: Service, url: str, pool: Executor) -> None:
        self._service = service
        self._url = url
        self._pool = pool
        self._resource = f"queue {url.rpartition('/')[2]}"

    def __repr__(self) -> str:
        return f"<SqsQueue {self._url}>"

    @property
    def max_body(self) -> int:
        """The largest body in bytes that `send` accepts."""
        return QUEUE_MAX_BODY

    def send(self, bodies: Sequence[Buffer]) -> None:
        """Store all bodies; a body over `max_body` is a `UsageError`, none is sent."""
        check_bodies(bodies, self.max_body)
        batches = queue_batches([body_size(body) for body in bodies])
        side_by_side(
            self._pool,
            [partial(self._send, bodies[start:stop]) for start, stop in batches],
        )

    def receive(self, limit: int, wait: float) -> list[Delivery]:
        """Return up to `limit` bodies in one request; see `Queue.receive`.

        SQS waits whole seconds, so `wait` is rounded up: rounding down would turn
        waits of less than a second into short polls, which ask only some of the
        servers and would be repeated, and billed, at full speed.
        """
        check_receive(limit, wait)
        answer = call(
            self._service,
            "receive_message",
            self._resource,
            QueueUrl=self._url,
            MaxNumberOfMessages=limit,
            WaitTimeSeconds=math.ceil(wait),
        )
        return [
            Delivery(decode(message["Body"]), message["ReceiptHandle"])
            for message in answer.get("Messages", ())
        ]

    def delete(self, receipts: Sequence[str]) -> None:
        """Forget the bodies behind these receipts; a stale receipt does nothing."""
        side_by_side(
            self._pool,
            [
                partial(self._delete, receipts[start : start + MAX_BATCH])
                for start in range(0, len(receipts), MAX_BATCH)
            ],
        )

    def _send(self, bodies: Sequence[Buffer]) -> None:
        entries = [{"MessageBody": encode(body)} for body in bodies]
        _send_batch(
            self._service,
            "send_message_batch",
            self._resource,
            entries,
            QueueUrl=self._url,
        )

    def _delete(self, receipts: Sequence[str]) -> None:
        entries = [{"ReceiptHandle": receipt} for receipt in receipts]
        _send_batch(
            self._service,
            "delete_message_batch",
            self._resource,
            entries,
            ignored=_STALE,
            QueueUrl=self._url,
        )


class SnsTopic:
    """One topic for any number of mailboxes, over topics of SNS.

    A topic of SNS takes 200 filter policies, so number j serves the mailboxes from
    200 j to 200 j + 199; an entry for mailboxes of several goes to each of them.

    Parameters
    ----------
    service
        The client of SNS.
    arns
        The ARNs of the topics, in order.
    mailboxes
        Which queues the mailboxes are, by number.
    pool
        Where several batches go out side by side.
    """

    def __init__(
        self, service: Service, arns: Sequence[str], mailboxes: range, pool: Executor
    ) -> None:
        self._service = service
        self._arns = tuple(arns)
        self._mailboxes = mailboxes
        self._pool = pool

    def __repr__(self) -> str:
        first = self._arns[0].rpartition(":")[2]
        return f"<SnsTopic {first} to {len(self._mailboxes)} mailboxes>"

    @property
    def max_body(self) -> int:
        """The largest body in bytes that `publish` accepts."""
        return TOPIC_MAX_BODY

    def publish(self, entries: Sequence[Entry]) -> None:
        """Copy every entry to each of its targets; several share a request."""
        check_entries(entries, self.max_body, len(self._mailboxes))
        queues = [
            Entry(entry.body, tuple(self._mailboxes[i] for i in entry.targets))
            for entry in entries
        ]
        jobs = []
        for shard, parts in topic_shards(queues).items():
            sizes = [entry_size(body_size(part.body), part.targets) for part in parts]
            jobs += [
                partial(self._publish, self._arns[shard], parts[start:stop])
                for start, stop in topic_batches(sizes)
            ]
        side_by_side(self._pool, jobs)

    def _publish(self, arn: str, entries: Sequence[Entry]) -> None:
        batch = [
            {
                "Message": encode(entry.body),
                "MessageAttributes": {
                    # A filter policy matches if any element of the array does.
                    "target": {
                        "DataType": "String.Array",
                        "StringValue": target_attribute(entry.targets),
                    }
                },
            }
            for entry in entries
        ]
        _send_batch(
            self._service,
            "publish_batch",
            f"topic {arn.rpartition(':')[2]}",
            batch,
            field="PublishBatchRequestEntries",
            TopicArn=arn,
        )
