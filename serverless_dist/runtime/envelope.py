"""Invitations on their way to a function: signed, without a secret in them.

::

    job (16 bytes) | HMAC-SHA256 (32 bytes) | msgpack [kind, fields]

The job's key is derived from the job's id and the deployment's secret, which the
driver and the functions know: who does not cannot make a function do anything.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgpack

from serverless_dist.errors import ProtocolError
from serverless_dist.wire import JobKey

_JOB, _SIGNATURE = 16, 32  # bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an invitation says: for what `kind` of part, and its `fields`."""

    key: JobKey
    kind: str
    fields: Mapping[str, Any]

    def seal(self) -> bytes:
        """Return it as signed bytes."""
        body: bytes = msgpack.packb([self.kind, dict(self.fields)])
        return self.key.job + _sign(self.key, body) + body


def unseal(secret: bytes, payload: bytes) -> Envelope:
    """Return the envelope in `payload`.

    Raises
    ------
    ProtocolError
        It was not signed by somebody who knows the deployment's secret.

    Examples
    --------
    >>> key = JobKey.derive(b"secret", bytes(16))
    >>> unseal(b"secret", Envelope(key, "rank", {"rank": 3}).seal()).fields
    {'rank': 3}
    """
    job, rest = payload[:_JOB], payload[_JOB:]
    signature, body = rest[:_SIGNATURE], rest[_SIGNATURE:]
    key = JobKey.derive(secret, job)
    if not hmac.compare_digest(signature, _sign(key, body)):
        msg = "an invitation was refused: it was not signed with this deployment's key"
        raise ProtocolError(msg)
    kind, fields = msgpack.unpackb(body)
    return Envelope(key, kind, fields)


def _sign(key: JobKey, body: bytes) -> bytes:
    return hmac.digest(key.secret, b"invitation " + body, "sha256")
