"""What a rank is told when it is started."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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
    address, channel, sockets
        How to reach the others.
    code, digest
        The key and the SHA-256 of the blob with the function and its arguments.
    started, timeout
        When the job started, in seconds since the epoch, and how long it may take.
    wants_progress
        Whether somebody watches.
    algorithms
        The algorithms that collectives have to use, by the collective's name.
    """

    key: JobKey
    rank: int
    size: int
    address: Address
    channel: str
    sockets: Path
    code: str
    digest: bytes
    started: float
    timeout: float
    wants_progress: bool
    algorithms: Mapping[str, str]

    def pack(self) -> bytes:
        """Return the invitation as bytes."""
        packed: bytes = msgpack.packb(
            {
                "job": self.key.job,
                "secret": self.key.secret,
                "rank": self.rank,
                "size": self.size,
                "address": pack_address(self.address),
                "channel": self.channel,
                "sockets": os.fsencode(self.sockets),
                "code": self.code,
                "digest": self.digest,
                "started": self.started,
                "timeout": self.timeout,
                "wants_progress": self.wants_progress,
                "algorithms": dict(self.algorithms),
            }
        )
        return packed

    @classmethod
    def unpack(cls, data: bytes) -> "Invitation":
        """Return the invitation that `pack` made."""
        fields = msgpack.unpackb(data)
        key = JobKey(fields.pop("job"), fields.pop("secret"))
        address = unpack_address(fields.pop("address"))
        sockets = Path(os.fsdecode(fields.pop("sockets")))
        return cls(key=key, address=address, sockets=sockets, **fields)
