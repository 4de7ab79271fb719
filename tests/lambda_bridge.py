"""A handler on an emulated Lambda that has a test's process do the work."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Client, Listener
from pathlib import Path

from serverless_dist.cloud.aws_functions import pack_event, unpack_event

VARIABLE = "BRIDGE"  # where the process listens


def handler(event: object, context: object) -> object:
    """Answer as the test's handler does, or fail as it does."""
    del context
    with Client(os.environ[VARIABLE], "AF_UNIX") as connection:
        connection.send(unpack_event(event))
        has_failed, answer = connection.recv()
    if has_failed:
        raise ValueError(answer)
    return json.loads(pack_event(answer))


@contextmanager
def bridge(path: Path, handle: Callable[[bytes], bytes]) -> Iterator[None]:
    """Do the work of the functions that find `path` in their environment."""
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            with listener.accept() as connection, suppress(EOFError, OSError):
                payload = connection.recv()
                try:
                    connection.send((False, handle(payload)))
                except ValueError as error:
                    connection.send((True, str(error)))

    with Listener(os.fspath(path), "AF_UNIX", backlog=16) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            Client(os.fspath(path), "AF_UNIX").close()
            thread.join()
