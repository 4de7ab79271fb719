"""Removing a deployment, or what there is of one."""

from collections.abc import Sequence
from functools import partial

from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_address import FabricNames
from serverless_dist.cloud.aws_blobs import S3Blobs
from serverless_dist.cloud.aws_refusals import NotProvisionedError
from serverless_dist.cloud.deployment import RECORD_KEY
from serverless_dist.cloud.lease_table import LeaseTable, lifeline_key
from serverless_dist.cloud.lifeline import is_beat
from serverless_dist.errors import UsageError
from serverless_dist.runtime.stack import MAX_TOPICS, stack_name
from serverless_dist.runtime.stacks import Progress, Stacks


def destroy(
    clients: AwsClients, name: str, *, force: bool = False, on_progress: Progress
) -> Sequence[str]:
    """Remove a deployment, half-made ones too.

    Parameters
    ----------
    clients
        How AWS is asked; they decide account and region.
    name
        Of the deployment; one that does not exist is no error.
    force
        Whether to remove it although jobs run on it; they are stopped.
    on_progress
        Is told what goes on.

    Returns
    -------
    sequence of str
        What could not be removed, with the reason; empty: it is gone.

    Raises
    ------
    UsageError
        Jobs run on it; the message names the first.
    CredentialsError
        There are no usable credentials.
    CloudError
        AWS refused; nothing or a part has been removed.
    """
    account = clients.account()
    bucket = FabricNames(name).bucket(account)
    blobs = S3Blobs(clients.s3, bucket, clients.pool)
    stacks = Stacks(clients, on_progress)
    # The main stack goes last: whoever breaks off here finds the rest by it.
    parts = [stack_name(name, topic) for topic in reversed(range(MAX_TOPICS))]
    there = [part for part in parts if stacks.find(part) is not None]
    if not there:
        on_progress(
            f"there is no deployment {name} in account {account}, region"
            f" {clients.region}: nothing to remove"
        )
        return ()
    if name in there:
        if not force:
            _withdraw(blobs, name)
        # Without the record no job starts, without their lifelines all stop.
        empty(blobs)
    left: list[str] = []
    for part in there:
        prepare = partial(empty, blobs) if part == name else None
        left += stacks.remove(part, prepare)
    if not left:
        on_progress(f"{name} is removed")
    return left


def empty(blobs: S3Blobs) -> None:
    """Remove all blobs of a bucket; one that does not exist is no error."""
    try:
        # First that by which jobs start.
        blobs.delete([RECORD_KEY])
        blobs.delete(blobs.list(""))
    except NotProvisionedError:
        return


def _withdraw(blobs: S3Blobs, name: str) -> None:
    """Remove the record, so that no job starts, unless jobs run already."""
    try:
        record = blobs.get(RECORD_KEY)
        blobs.delete([RECORD_KEY])
    except NotProvisionedError:  # there is no bucket
        return
    try:
        _check_unused(blobs, name)
    except BaseException:
        if record is not None:
            blobs.put(RECORD_KEY, record)
        raise


def _check_unused(blobs: S3Blobs, name: str) -> None:
    try:
        # A job that has ended, or was stopped, has no lifeline any more.
        entries = [
            entry
            for entry in LeaseTable.read(blobs).entries
            if is_beat(blobs.get(lifeline_key(entry.id)), entry.id)
        ]
    except NotProvisionedError:  # there is no bucket
        return
    if entries:
        more = f" and {len(entries) - 1:,} more" if len(entries) > 1 else ""
        msg = (
            f"{name} is in use: mailboxes {entries[0]}{more}; wait for the end, or add"
            " --force, which stops what runs and also removes what a dead process has"
            " left"
        )
        raise UsageError(msg)
