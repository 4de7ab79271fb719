"""What a worker is told when it is started."""

from dataclasses import dataclass

import msgpack

from serverless_dist.tasks.sites import Place, pack_place, unpack_place
from serverless_dist.wire import JobKey


@dataclass(frozen=True, slots=True)
class Invitation:
    """A worker's part in a session; it travels to that worker alone, as the payload.

    Attributes
    ----------
    key
        The session's id and secret.
    worker
        The worker's number.
    place
        How to reach the driver and the store.
    started
        When it was invited, in seconds since the epoch.
    lifetime
        How many seconds after that its time is over; 0: never.
    """

    key: JobKey
    worker: int
    place: Place
    started: float
    lifetime: float

    def pack(self) -> bytes:
        """Return the invitation as bytes."""
        packed: bytes = msgpack.packb(
            {
                "job": self.key.job,
                "secret": self.key.secret,
                "worker": self.worker,
                "place": pack_place(self.place),
                "started": self.started,
                "lifetime": self.lifetime,
            }
        )
        return packed

    @classmethod
    def unpack(cls, data: bytes) -> "Invitation":
        """Return the invitation that `pack` made."""
        fields = msgpack.unpackb(data)
        key = JobKey(fields.pop("job"), fields.pop("secret"))
        place = unpack_place(fields.pop("place"))
        return cls(key=key, place=place, **fields)
