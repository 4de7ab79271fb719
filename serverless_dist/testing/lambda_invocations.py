"""Invocations of emulated functions, how they end, and what is told of failures.

The texts are those of AWS, because programs look for them.
"""

import json
import signal
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

REGION = "us-east-1"  # that of everything emulated
_ACCOUNT = "123456789012"  # moto's
_LATEST = "$LATEST"


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the service."""

    name: str
    memory_mb: int

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{_ACCOUNT}:function:{self.name}"


@dataclass(frozen=True, slots=True)
class Invocation:
    """One start of a function; `payload` is JSON."""

    request_id: str
    function: Function
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an invocation ended; `payload` is JSON."""

    payload: bytes = field(repr=False)
    is_error: bool = False

    @property
    def error(self) -> str:
        """The sentence that tells of the error."""
        content = json.loads(self.payload)
        message: str = content.get("errorMessage", "")
        return message


def timed_out(invocation: Invocation, seconds: float) -> Outcome:
    """Return the outcome of an invocation that was killed for its time."""
    return _failed(
        "Sandbox.Timedout", f"Task timed out after {seconds:.2f} seconds", invocation
    )


def exited(invocation: Invocation, code: int) -> Outcome:
    """Return the outcome of an invocation whose process ended before it did.

    Parameters
    ----------
    invocation
        What ran there.
    code
        The exit status of the process, or minus the signal that ended it.
    """
    if code < 0:
        name = signal.strsignal(-code) or f"unknown ({-code})"
        how = f"Runtime exited with error: signal: {name.lower()}"
    elif code:
        how = f"Runtime exited with error: exit status {code}"
    else:
        how = "Runtime exited without providing a reason"
    return _failed("Runtime.ExitError", how, invocation)


def not_started(invocation: Invocation, error: Exception) -> Outcome:
    """Return the outcome of an invocation that this machine has no room for."""
    return _failed("Sandbox.Failure", f"no environment started: {error}", invocation)


def too_large(invocation: Invocation, limit: int) -> Outcome:
    """Return the outcome of an invocation that answered with more than `limit`."""
    return _failed(
        "Function.ResponseSizeTooLarge",
        f"Response payload size exceeded maximum allowed payload size ({limit} bytes).",
        invocation,
    )


def failure_record(invocation: Invocation, outcome: Outcome | None) -> bytes:
    """Return what the OnFailure destination is told of a failed event.

    Parameters
    ----------
    invocation
        The event.
    outcome
        How it ended; None if it became too old to be started.
    """
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    condition = "EventAgeExceeded" if outcome is None else "RetriesExhausted"
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": moment.replace("+00:00", "Z"),
        "requestContext": {
            "requestId": invocation.request_id,
            "functionArn": f"{invocation.function.arn}:{_LATEST}",
            "condition": condition,
            "approximateInvokeCount": 0 if outcome is None else 1,
        },
        "requestPayload": json.loads(invocation.payload),
    }
    if outcome is not None:
        record["responseContext"] = {
            "statusCode": 200,
            "executedVersion": _LATEST,
            "functionError": "Unhandled",
        }
        record["responsePayload"] = json.loads(outcome.payload)
    return json.dumps(record).encode()


def _failed(kind: str, how: str, invocation: Invocation) -> Outcome:
    message = f"RequestId: {invocation.request_id} Error: {how}"
    content = {"errorType": kind, "errorMessage": message}
    return Outcome(json.dumps(content).encode(), is_error=True)
