"""Servers that several test files share: each is started once and stopped after."""

import ctypes
import http.client
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.emulated import EmulatedServer
from tests.watched import linked, no_thread_is_left, pool

__all__ = ["linked", "no_thread_is_left", "pool"]  # fixtures

MINISTACK = "SERVERLESS_DIST_MINISTACK"
_PR_SET_PDEATHSIG = 1


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    with EmulatedServer() as server:
        yield server.endpoint


@pytest.fixture(scope="session")
def ministack_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    venv = os.environ.get(MINISTACK)
    if venv is None:
        pytest.skip(f"{MINISTACK} is not set to what .ci/ministack prints")
    scratch = tmp_path_factory.mktemp("ministack")
    for _ in range(3):  # somebody may take the port before it does
        with _ministack(Path(venv), scratch) as endpoint:
            if endpoint is not None:
                yield endpoint
                return
    pytest.fail((scratch / "log").read_text())


@pytest.fixture(scope="session", params=["moto", "ministack"])
def emulator(request: pytest.FixtureRequest) -> str:
    """The URL of an emulated AWS, of each kind in turn."""
    endpoint: str = request.getfixturevalue(f"{request.param}_endpoint")
    return endpoint


@pytest.fixture(scope="session")
def clients(emulator: str) -> Iterator[AwsClients]:
    with closing(AwsClients(None, emulator)) as clients:
        yield clients


@contextmanager
def _ministack(venv: Path, scratch: Path) -> Iterator[str | None]:
    """Run ministack and give its URL, or None if it did not start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    settings = {
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
            env=clean | settings,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=_end_with_parent,
        ) as process,
    ):
        try:
            yield f"http://127.0.0.1:{port}" if _answers(process, port) else None
        finally:
            process.kill()


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Return once the server answers (True) or has ended (False)."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with closing(connection):
            try:
                connection.request("GET", "/_ministack/health")
                return connection.getresponse().status == 200
            except ConnectionError:
                pass
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        return False
