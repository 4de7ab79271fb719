"""Bytes on the wire: objects as bodies, bodies as signed frames."""

from serverless_dist.wire.codec import Body, decode, encode, encode_by_value
from serverless_dist.wire.frames import Flaw, Frame, JobKey, Kind, seal, unseal

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
