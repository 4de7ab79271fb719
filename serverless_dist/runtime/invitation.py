"""What a rank is told when it is started."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack

from serverless_dist.runtime.clouds import Address, pack_address, unpack_address
from serverless_dist.wire import JobKey


@dataclass(frozen=True, slots=True)
class Invitation:
    """A rank's place in a job; it travels to that rank alone, as the payload.

    Attributes
    ----------
    key
        The job's id and secret.
    rank, size
        The rank and the number of ranks.
    address, channel
        How to reach the others.
    code, inline, digest
        The key of the blob with the function and its arguments, or that itself if it
        is short; and its SHA-256.
    started, timeout
        When the job started, in seconds since the epoch, and how long it may take.
    wants_progress
        Whether somebody watches.
    algorithms
        The algorithms that collectives have to use, by the collective's name.
    versions
        What the driver has.
    sockets
        Where those of the direct channel are, on one machine.
    branching
        How many others a rank starts at most; see `tree`. 0: none.
    is_traced
        Whether the rank is to tell when it did what.
    """

    key: JobKey
    rank: int
    size: int
    address: Address
    channel: str
    code: str
    inline: bytes
    digest: bytes
    started: float
    timeout: float
    wants_progress: bool
    algorithms: Mapping[str, str]
    versions: Mapping[str, str]
    sockets: Path = Path()
    branching: int = 0
    is_traced: bool = False

    def fields(self) -> dict[str, Any]:
        """Return all but the key, as values that msgpack knows."""
        return {
            "rank": self.rank,
            "size": self.size,
            "address": pack_address(self.address),
            "channel": self.channel,
            "sockets": os.fsencode(self.sockets),
            "code": self.code,
            "inline": self.inline,
            "digest": self.digest,
            "started": self.started,
            "timeout": self.timeout,
            "wants_progress": self.wants_progress,
            "algorithms": dict(self.algorithms),
            "versions": dict(self.versions),
            "branching": self.branching,
            "is_traced": self.is_traced,
        }

    @classmethod
    def from_fields(cls, key: JobKey, fields: Mapping[str, Any]) -> "Invitation":
        """Return the invitation whose `fields` these are."""
        values = dict(fields)
        address = unpack_address(values.pop("address"))
        sockets = Path(os.fsdecode(values.pop("sockets")))
        return cls(key=key, address=address, sockets=sockets, **values)

    def pack(self) -> bytes:
        """Return the invitation as bytes, the job's secret among them."""
        packed: bytes = msgpack.packb(
            {"job": self.key.job, "secret": self.key.secret, **self.fields()}
        )
        return packed

    @classmethod
    def unpack(cls, data: bytes) -> "Invitation":
        """Return the invitation that `pack` made."""
        fields = msgpack.unpackb(data)
        key = JobKey(fields.pop("job"), fields.pop("secret"))
        return cls.from_fields(key, fields)
