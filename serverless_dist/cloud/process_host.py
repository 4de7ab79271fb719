"""The inside of a process that runs one invocation; see `ProcessFunctions`."""

import io
import os
import select
import signal
import struct
import sys
from collections.abc import Callable
from importlib import import_module
from threading import Thread
from typing import cast

import msgpack

_LENGTH = struct.Struct("<Q")
_GONE = 0.1  # seconds that the news of a parent's end may take


def pack_assignment(handler: str, payload: bytes) -> bytes:
    """Return the bytes that tell a process what to do."""
    data: bytes = msgpack.packb([handler, payload])
    return _LENGTH.pack(len(data)) + data


def main(lifeline: int, answer: int) -> None:
    """Read the assignment from `lifeline`, run it, write the answer to `answer`."""
    with open(lifeline, "rb", closefd=False) as pipe:
        (length,) = _LENGTH.unpack(pipe.read(_LENGTH.size))
        handler, payload = msgpack.unpackb(pipe.read(length))
    # Lines of several processes come whole, and at once, also through a pipe, even if
    # PYTHONUNBUFFERED asks for the parts of a line.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, write_through=False)
    watch = Thread(
        target=_end_with_parent,
        args=(lifeline,),
        name="serverless_dist lifeline",
        daemon=True,
    )
    watch.start()
    try:
        result = _resolve(handler)(payload)
    except Exception:
        # What is raised because the parent is gone is of no use to anybody.
        if select.select([lifeline], [], [], _GONE)[0]:
            watch.join()
        raise
    if result:
        with open(answer, "wb", closefd=False) as file:
            file.write(result)


def _resolve(handler: str) -> Callable[[bytes], bytes]:
    module, _, name = handler.partition(":")
    return cast("Callable[[bytes], bytes]", getattr(import_module(module), name))


def _end_with_parent(lifeline: int) -> None:
    """Wait for the parent's end of the pipe to close, then end the whole group."""
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)
