"""Handlers that run in processes, named as ``"tests.handlers:echo"``."""

import os
import signal
import subprocess
import sys

import numpy as np


def echo(payload: bytes) -> bytes:
    return payload


def fail(payload: bytes) -> bytes:
    msg = f"cannot handle {payload!r}"
    raise ValueError(msg)


def leave(payload: bytes) -> bytes:
    os._exit(int(payload))


def be_killed(payload: bytes) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return payload


def write_pids_and_stay(payload: bytes) -> bytes:
    """Start a process, write both process ids to the file, and wait for ever."""
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    with open(payload, "w") as file:
        file.write(f"{os.getpid()} {child.pid}\n")
    signal.pause()
    return payload


def draw(payload: bytes) -> bytes:
    return np.random.bytes(8)


def sit(payload: bytes) -> bytes:
    signal.pause()
    return payload
