"""A handler that does as it is told, for the tests of the emulated Lambda."""

import ctypes
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Event = dict[str, Any]


def handler(event: Event, context: Any) -> Any:
    """Do what ``event["do"]`` says; tell ``event["tell"]``, a FIFO, that it began."""
    if "requestContext" in event:  # the record of an event that failed
        _tell(event["requestPayload"], event)
        if event["requestPayload"].get("then") == "raise":
            msg = "not even this"
            raise ValueError(msg)
        return None
    _tell(event, [event.get("name"), os.getpid()])
    return _DOES[event.get("do", "describe")](event, context)


def _tell(event: Event, what: object) -> None:
    if "tell" in event:
        with Path(event["tell"]).open("ab", buffering=0) as fifo:
            fifo.write(json.dumps(what).encode() + b"\n")


def _describe(event: Event, context: Any) -> object:
    return {
        "pid": os.getpid(),
        "event": event,
        "request": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "remaining": context.get_remaining_time_in_millis(),
        "variables": dict(os.environ),
    }


def _wait(event: Event, _: Any) -> int:
    """Wait until somebody writes to ``event["gate"]``, another FIFO."""
    with Path(event["gate"]).open("rb") as gate:
        gate.read()
    return os.getpid()


def _hang(event: Event, _: Any) -> None:
    _tell(event, [os.getpid(), _child()])
    time.sleep(600)


def _abandon(event: Event, _: Any) -> None:
    _tell(event, _child())
    os._exit(1)


def _child() -> int:
    code = "import time; time.sleep(600)"
    return subprocess.Popen([sys.executable, "-c", code]).pid


def _eat(event: Event, _: Any) -> None:
    eaten = bytearray(event["mb"] << 20)
    _tell(event, len(eaten))
    time.sleep(600)


def _raise(event: Event, _: Any) -> None:
    raise KeyError(event["name"])


def _exit(event: Event, _: Any) -> None:
    os._exit(event["code"])


def _crash(event: Event, _: Any) -> None:
    ctypes.string_at(0)


def _write(event: Event, _: Any) -> None:
    print(event["text"])  # noqa: T201
    Path(os.environ["TMPDIR"], "left").touch()


_DOES: dict[str, Callable[[Event, Any], object]] = {
    "describe": _describe,
    "wait": _wait,
    "hang": _hang,
    "abandon": _abandon,
    "eat": _eat,
    "raise": _raise,
    "exit": _exit,
    "crash": _crash,
    "write": _write,
    "repeat": lambda event, _: "x" * event["count"],
}
