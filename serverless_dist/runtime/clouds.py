"""The clouds by name, and their addresses as bytes.

boto3 takes a fifth of a second to import, so what needs it is imported when used.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from serverless_dist.cloud import Cloud
from serverless_dist.cloud.aws_address import AwsAddress
from serverless_dist.cloud.local import LocalAddress, LocalCloud
from serverless_dist.config import Config
from serverless_dist.errors import UsageError

Address = LocalAddress | AwsAddress


class AddressedCloud(Cloud, Protocol):
    """A cloud that other processes can connect to."""

    @property
    def address(self) -> Address:
        """What `connect` takes."""
        ...


def _start_local(mailboxes: int, config: Config) -> AddressedCloud:
    del config
    return LocalCloud.start(mailboxes)


def _start_emulated(mailboxes: int, config: Config) -> AddressedCloud:
    from serverless_dist.cloud.emulated import EmulatedCloud

    return EmulatedCloud(mailboxes, endpoint=config.endpoint)


def _find_aws(mailboxes: int, config: Config) -> AddressedCloud:
    from serverless_dist.cloud.aws_cloud import AwsCloud

    return AwsCloud.find(config.fabric, mailboxes=mailboxes, region=config.region)


_OPENERS: Mapping[str, Callable[[int, Config], AddressedCloud]] = {
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


def open_cloud(name: str, mailboxes: int, config: Config) -> AddressedCloud:
    """Return the cloud of that name with at least so many mailboxes."""
    return _OPENERS[name](mailboxes, config)


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
