"""What every implementation of the seams refuses, in the same words.

Each function raises a `UsageError` or returns None; nothing has been sent by then.
"""

from collections.abc import Sequence

from serverless_dist.cloud.batches import body_size
from serverless_dist.cloud.limits import MAX_RECEIVE, MAX_WAIT
from serverless_dist.cloud.services import Buffer, Entry
from serverless_dist.errors import UsageError


def check_bodies(bodies: Sequence[Buffer], max_body: int) -> None:
    """Refuse empty bodies, as SQS and SNS do, and those over `max_body` bytes."""
    for index, body in enumerate(bodies):
        size = body_size(body)
        if size == 0:
            msg = f"body {index} is empty: a queue takes at least 1 byte"
            raise UsageError(msg)
        if size > max_body:
            msg = (
                f"body {index} has {size:,} bytes, over the limit of {max_body:,}:"
                " split it, or send it as a blob"
            )
            raise UsageError(msg)


def check_entries(entries: Sequence[Entry], max_body: int, mailboxes: int) -> None:
    """Refuse bad bodies, entries for nobody, and targets that do not exist."""
    check_bodies([entry.body for entry in entries], max_body)
    for index, entry in enumerate(entries):
        if not entry.targets:
            msg = f"entry {index} names no target: give at least one mailbox"
            raise UsageError(msg)
        for target in entry.targets:
            if not 0 <= target < mailboxes:
                msg = (
                    f"entry {index} is for mailbox {target}, but there are"
                    f" {mailboxes}: use 0 to {mailboxes - 1}"
                )
                raise UsageError(msg)


def check_receive(limit: int, wait: float) -> None:
    """Refuse a receive of other than 1 to 10 bodies or 0 to 20 seconds."""
    if not 1 <= limit <= MAX_RECEIVE:
        msg = f"cannot receive {limit} bodies at once: ask for 1 to {MAX_RECEIVE}"
        raise UsageError(msg)
    if not 0 <= wait <= MAX_WAIT:
        msg = f"cannot wait {wait} s in one receive: wait 0 to {MAX_WAIT:.0f} s"
        raise UsageError(msg)


def check_key(key: str) -> None:
    """Refuse the empty key, as S3 does."""
    if not key:
        msg = "the key of a blob is empty: name it"
        raise UsageError(msg)


def check_range(start: int, stop: int | None) -> None:
    """Refuse a range that counts from the end; one past the end is cut short."""
    if start < 0 or (stop is not None and stop < 0):
        msg = f"cannot get bytes {start} to {stop}: count from the first byte, 0"
        raise UsageError(msg)
