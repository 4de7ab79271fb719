"""What a worker is told when it is started."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgpack

from serverless_dist.tasks.places import Place, pack_place, unpack_place
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

    def fields(self) -> dict[str, Any]:
        """Return all but the key, as values that msgpack knows."""
        return {
            "worker": self.worker,
            "place": pack_place(self.place),
            "started": self.started,
            "lifetime": self.lifetime,
        }

    @classmethod
    def from_fields(cls, key: JobKey, fields: Mapping[str, Any]) -> "Invitation":
        """Return the invitation whose `fields` these are."""
        values = dict(fields)
        place = unpack_place(values.pop("place"))
        return cls(key=key, place=place, **values)

    def pack(self) -> bytes:
        """Return the invitation as bytes, the session's secret among them."""
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
