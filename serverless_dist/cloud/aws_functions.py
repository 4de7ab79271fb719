"""Lambda as `Functions`.

An event is a JSON document, so a payload travels as a JSON string of base64url text.
"""

import json
from typing import Any

from serverless_dist.cloud.attempts import Service, call
from serverless_dist.cloud.aws_queues import decode, encode
from serverless_dist.cloud.limits import LAMBDA_ASYNC_BYTES, LAMBDA_SYNC_BYTES
from serverless_dist.errors import CloudError, UsageError

_QUOTES = 2  # bytes of JSON around the text


def pack_event(payload: bytes) -> bytes:
    """Return the event, as bytes of JSON, that carries a payload."""
    return json.dumps(encode(payload)).encode()


def unpack_event(event: object) -> bytes | None:
    """Return the payload that an event carries; None: it is not one of ours.

    >>> unpack_event(json.loads(pack_event(b"hello")))
    b'hello'
    """
    return decode(event) if isinstance(event, str) else None


class LambdaFunctions:
    """One function of Lambda; see `Functions`.

    Parameters
    ----------
    service
        The client of Lambda.
    name
        The function's name.
    """

    def __init__(self, service: Service, name: str) -> None:
        self._service = service
        self._name = name

    def __repr__(self) -> str:
        return f"<LambdaFunctions {self._name}>"

    def invoke(self, payload: bytes) -> None:
        """Start the handler and return at once; it may be started twice.

        A function that is told to slow down is asked again, as `Patience` says.
        """
        self._request("Event", payload, LAMBDA_ASYNC_BYTES)

    def call(self, payload: bytes) -> bytes:
        """Run the handler and return its answer; its failure is a `CloudError`."""
        answer = self._request("RequestResponse", payload, LAMBDA_SYNC_BYTES)
        value = json.loads(answer["Payload"] or "null")
        if "FunctionError" in answer:
            what = value.get("errorMessage") if isinstance(value, dict) else value
            msg = f"function {self._name} failed: {what}"
            raise CloudError(msg, retryable=False)
        returned = unpack_event(value)
        if returned is None:
            msg = f"function {self._name} gave an answer that is none of ours"
            raise CloudError(msg, retryable=False)
        return returned

    def _request(self, kind: str, payload: bytes, limit: int) -> dict[str, Any]:
        event = pack_event(payload)
        if len(event) > limit:
            most = (limit - _QUOTES) // 4 * 3
            msg = (
                f"a payload of {len(payload):,} bytes is too large for Lambda: send up"
                f" to {most:,} bytes"
            )
            raise UsageError(msg)
        return call(
            self._service,
            "invoke",
            f"function {self._name}",
            FunctionName=self._name,
            InvocationType=kind,
            Payload=event,
        )
