"""Bytes on the wire: objects as bodies, bodies as signed frames."""

from typing import TYPE_CHECKING

from serverless_dist.lazy import lazy_names
from serverless_dist.wire.frames import Flaw, Frame, JobKey, Kind, seal, unseal

if TYPE_CHECKING:
    from serverless_dist.wire.codec import Body, decode, encode, encode_by_value

__all__ = [
    "Body",
    "Flaw",
    "Frame",
    "JobKey",
    "Kind",
    "decode",
    "encode",
    "encode_by_value",
    "seal",
    "unseal",
]

# numpy, which the codec needs, takes longer to import than all of this package.
__getattr__ = lazy_names(
    __name__,
    dict.fromkeys(
        ("Body", "decode", "encode", "encode_by_value"), "serverless_dist.wire.codec"
    ),
)
