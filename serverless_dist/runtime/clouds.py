"""The clouds by name, and their addresses as bytes.

boto3 takes a fifth of a second to import, so what needs it is imported when used.
"""

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, TypeGuard

from serverless_dist.cloud import Cloud, Functions, Usage
from serverless_dist.cloud.aws_address import AwsAddress
from serverless_dist.cloud.deployment import Deployment
from serverless_dist.cloud.local import LocalAddress, LocalCloud
from serverless_dist.config import Config
from serverless_dist.errors import CloudError, UsageError
from serverless_dist.runtime.versions import check_versions, versions
from serverless_dist.wire import JobKey

Address = LocalAddress | AwsAddress


class FunctionCloud(Cloud, Protocol):
    """A cloud with functions of its own, and mailboxes that are leased for one job."""

    @property
    def address(self) -> AwsAddress:
        """What `connect` takes."""
        ...

    @property
    def deployment(self) -> Deployment:
        """What it is part of."""
        ...

    @property
    def functions(self) -> Functions:
        """What ranks and workers run in."""
        ...

    @property
    def skew(self) -> float:
        """By how many seconds this machine's clock is behind the cloud's."""
        ...

    @property
    def is_lost(self) -> bool:
        """Whether others may use the mailboxes, since the lease was not renewed."""
        ...

    def lease_usage(self) -> Usage:
        """Return the requests for the lease and for what is deployed."""
        ...

    def stop(self) -> None:
        """Make all that run on the mailboxes stop, within seconds."""
        ...

    def vacate(self) -> None:
        """Take note that nothing runs on the mailboxes any more."""
        ...


Opened = LocalCloud | FunctionCloud


def _start_local(mailboxes: int, least: int, config: Config) -> LocalCloud:
    del least, config
    return LocalCloud.start(mailboxes)


def _start_emulated(mailboxes: int, least: int, config: Config) -> FunctionCloud:
    del least
    from serverless_dist.cloud.emulated import EmulatedCloud

    return EmulatedCloud(
        mailboxes,
        endpoint=config.endpoint,
        memory_mb=config.memory_mb,
        versions=versions(),
    )


def _find_aws(mailboxes: int, least: int, config: Config) -> FunctionCloud:
    from serverless_dist.cloud.aws import AwsClients
    from serverless_dist.cloud.leased import LeasedCloud, find_deployment

    with ExitStack() as stack:
        clients = AwsClients(config.region, None)
        stack.callback(clients.close)
        deployment = find_deployment(clients, config.fabric)
        name = f"deployment {deployment.name}"
        check_versions(versions(), deployment.versions, name)
        cloud = LeasedCloud(
            clients,
            deployment,
            # More than are needed are only good to have.
            mailboxes=max(least, min(mailboxes, deployment.mailboxes)),
            memory_mb=config.memory_mb,
            wait=config.mailbox_wait,
        )
        stack.pop_all()
    return cloud


_OPENERS: Mapping[str, Callable[[int, int, Config], Opened]] = {
    "local": _start_local,
    "emulated": _start_emulated,
    "aws": _find_aws,
}
CLOUDS = tuple(_OPENERS)


def check_cloud(name: str) -> str:
    """Return `name` if there is such a cloud, else raise a `UsageError`."""
    if name not in CLOUDS:
        msg = f"there is no cloud {name!r}: use one of {', '.join(CLOUDS)}"
        raise UsageError(msg)
    return name


def open_cloud(
    name: str, mailboxes: int, config: Config, *, least: int | None = None
) -> Opened:
    """Return the cloud of that name with so many mailboxes.

    With `least`, it may have fewer than `mailboxes`, but not fewer than that.
    """
    return _OPENERS[name](mailboxes, mailboxes if least is None else least, config)


def has_functions(cloud: Opened) -> TypeGuard[FunctionCloud]:
    """Return whether ranks and workers run in the cloud's own functions."""
    return isinstance(cloud.address, AwsAddress)


def scratch_of(cloud: Opened) -> Sequence[Path]:
    """Return what is to be removed if the process that opened the cloud is killed."""
    address = cloud.address
    return [address.directory] if isinstance(address, LocalAddress) else []


def check_lease(cloud: FunctionCloud) -> None:
    """Raise a `CloudError` if others may use the mailboxes by now."""
    if cloud.is_lost:
        msg = (
            "the lease of the mailboxes was lost, since it was not renewed in time:"
            " look after the connection to AWS, and run the job again"
        )
        raise CloudError(msg, retryable=True)


def new_key(cloud: Opened) -> JobKey:
    """Return the key of a new job; functions derive it from what they know."""
    job = secrets.token_bytes(16)
    if has_functions(cloud):
        return JobKey.derive(cloud.deployment.secret, job)
    return JobKey(job, secrets.token_bytes(32))


def connect(address: Address) -> Cloud:
    """Return the cloud at `address`, which another process has opened."""
    if isinstance(address, LocalAddress):
        return LocalCloud.connect(address)
    from serverless_dist.cloud.aws_cloud import AwsCloud

    return AwsCloud.connect(address)


def pack_address(address: Address) -> Sequence[Any]:
    """Return the address as values that msgpack knows."""
    if isinstance(address, LocalAddress):
        return ("local", os.fsencode(address.directory), address.mailboxes)
    return ("aws", asdict(address))


def unpack_address(packed: Sequence[Any]) -> Address:
    """Return the address that `pack_address` was given."""
    kind, *values = packed
    if kind == "local":
        directory, mailboxes = values
        return LocalAddress(Path(os.fsdecode(directory)), mailboxes)
    (fields,) = values
    return AwsAddress(**{**fields, "topic_arns": tuple(fields["topic_arns"])})
