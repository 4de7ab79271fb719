"""The inside of a process that runs one invocation; see `ProcessFunctions`."""

import io
import os
import select
import shutil
import signal
import struct
import sys
from collections.abc import Callable
from importlib import import_module
from threading import Thread
from typing import cast

import msgpack

_LENGTH = struct.Struct("<Q")


def pack_assignment(handler: str, payload: bytes, scratch: list[str]) -> bytes:
    """Return the bytes that tell a process what to do."""
    data: bytes = msgpack.packb([handler, payload, scratch])
    return _LENGTH.pack(len(data)) + data


def main(lifeline: int, answer: int) -> None:
    """Read the assignment from `lifeline`, run it, write the answer to `answer`."""
    with open(lifeline, "rb", closefd=False) as pipe:
        (length,) = _LENGTH.unpack(pipe.read(_LENGTH.size))
        handler, payload, scratch = msgpack.unpackb(pipe.read(length))
    # Lines of several processes come whole, and at once, also through a pipe.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    watch = Thread(target=_end_with_parent, args=(lifeline, scratch), daemon=True)
    watch.start()
    try:
        result = _resolve(handler)(payload)
    except Exception:
        if select.select([lifeline], [], [], 0.1)[0]:  # nobody listens any more
            watch.join()
        raise
    if result:
        with open(answer, "wb", closefd=False) as file:
            file.write(result)


def _resolve(handler: str) -> Callable[[bytes], bytes]:
    module, _, name = handler.partition(":")
    return cast("Callable[[bytes], bytes]", getattr(import_module(module), name))


def _end_with_parent(lifeline: int, scratch: list[str]) -> None:
    """Wait for the parent's end of the pipe to close, then end the whole group."""
    os.read(lifeline, 1)
    for directory in scratch:
        shutil.rmtree(directory, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)
