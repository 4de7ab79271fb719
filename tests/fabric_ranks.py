"""What ranks on functions do in tests; a function imports it in no time."""

import json
from pathlib import Path

from serverless_dist import Communicator


def tell(path: str, what: object) -> None:
    """Write a line to a FIFO that a test reads."""
    with Path(path).open("ab", buffering=0) as fifo:
        fifo.write(json.dumps(what).encode() + b"\n")


def wait_for_ever(comm: Communicator, path: str) -> None:
    """Wait for what never comes; tell when this begins and when it ends."""
    tell(path, "begun")
    try:
        comm.recv(source=(comm.rank + 1) % comm.size)
    finally:
        tell(path, "ended")
