"""Starting ministack, which stands in for AWS, from an environment of its own."""

import ctypes
import http.client
import os
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

MINISTACK = "SERVERLESS_DIST_MINISTACK"
_PR_SET_PDEATHSIG = 1


def find_ministack() -> Path:
    """Return where it is; a test that needs it is skipped where it is not."""
    venv = os.environ.get(MINISTACK)
    if venv is None:
        pytest.skip(f"{MINISTACK} is not set to what .ci/ministack prints")
    return Path(venv)


@contextmanager
def started(
    venv: Path, scratch: Path, settings: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run ministack and give its port; its log is in `scratch`."""
    for _ in range(3):  # somebody may take the port before it does
        with _running(venv, scratch, settings or {}) as port:
            if port is not None:
                yield port
                return
    pytest.fail((scratch / "log").read_text())


@contextmanager
def _running(
    venv: Path, scratch: Path, settings: Mapping[str, str]
) -> Iterator[int | None]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    usual = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "LOG_LEVEL": "WARNING",
        "TMPDIR": str(scratch),
    }
    with (
        (scratch / "log").open("wb") as log,
        subprocess.Popen(
            [venv / "bin" / "ministack"],
            cwd=scratch,
            env=clean | usual | dict(settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=_end_with_parent,
        ) as process,
    ):
        try:
            is_secure = "USE_SSL" in settings
            yield port if _answers(process, port, is_secure=is_secure) else None
        finally:
            process.kill()


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _answers(process: subprocess.Popen[bytes], port: int, *, is_secure: bool) -> bool:
    """Return once the server answers (True) or has ended (False)."""
    while True:
        connection = (
            http.client.HTTPSConnection(
                "127.0.0.1",
                port,
                timeout=10,
                context=ssl._create_unverified_context(),
            )
            if is_secure
            else http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        )
        with closing(connection):
            try:
                connection.request("GET", "/_ministack/health")
                return connection.getresponse().status == 200
            except OSError:
                pass
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        return False
