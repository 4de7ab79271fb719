"""AWS on this machine: a moto server in a process of its own, and a fabric on it."""

import importlib.util
import os
import secrets
import selectors
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_address import FabricNames
from serverless_dist.cloud.aws_cloud import AwsCloud
from serverless_dist.cloud.aws_provision import create, remove
from serverless_dist.cloud.limits import VISIBILITY_TIMEOUT
from serverless_dist.cloud.wrapped import WrappedCloud
from serverless_dist.errors import CloudError, UsageError

_START_SECONDS = 30.0  # it takes less than one, but not on a busy machine
_STOP_SECONDS = 2.0
# By its path: to import it by name would import this whole package there, too.
_HOST = os.fspath(Path(__file__).with_name("moto_host.py"))
_BOOT = (
    "import runpy, sys; sys.path[:] = {path!r}; "
    "runpy.run_path({host!r})['main']({parent})"
)


class EmulatedServer:
    """A moto server on a free port of 127.0.0.1; it ends with this process.

    It runs in a session of its own, so that Ctrl-C does not take it away from those
    who still have to clean up. A missing moto is a `UsageError`, a server that does
    not start a `CloudError`.
    """

    def __init__(self) -> None:
        for module in ("moto", "flask_cors"):
            if importlib.util.find_spec(module) is None:
                msg = (
                    f"the emulated cloud needs {module}, which is not installed: run"
                    " pip install 'serverless_dist[emulated]'"
                )
                raise UsageError(msg)
        self._log = TemporaryFile()  # noqa: SIM115 - closed by close()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                _BOOT.format(path=sys.path, host=_HOST, parent=os.getpid()),
            ],
            stdin=subprocess.PIPE,  # its lifeline
            stdout=subprocess.PIPE,
            stderr=self._log,
            # Credentials have no business there.
            env={k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
            start_new_session=True,
        )
        try:
            self.endpoint = f"http://127.0.0.1:{self._read_port()}"
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        state = "running" if self._process.poll() is None else "ended"
        return f"<EmulatedServer at {self.endpoint}, {state}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The process of the server."""
        return self._process.pid

    def close(self) -> None:
        """End the server: SIGTERM, two seconds, SIGKILL; twice is no error."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._log):
            if file is not None:
                file.close()

    def _read_port(self) -> int:
        """Wait until the server listens and return its port."""
        stdout = self._process.stdout
        assert stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            line = stdout.readline() if selector.select(_START_SECONDS) else b""
        if line:
            return int(line)
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()
        why = lines[-1] if lines else f"no answer within {_START_SECONDS:.0f} s"
        msg = f"the emulated cloud did not start: {why}"
        raise CloudError(msg, retryable=False)


class EmulatedCloud(WrappedCloud):
    """A fabric of its own on an emulated AWS; see `Cloud`.

    Other processes connect with ``AwsCloud.connect(cloud.address)``. `close` removes
    the fabric, and the server if it was started for it.

    Parameters
    ----------
    mailboxes
        How many queues there are.
    endpoint
        Where an emulator listens already; None starts a moto server.
    visibility
        Seconds that a received body stays hidden.
    """

    def __init__(
        self,
        mailboxes: int = 8,
        *,
        endpoint: str | None = None,
        visibility: float = VISIBILITY_TIMEOUT,
    ) -> None:
        self._closed = False
        self._names = FabricNames(f"emulated-{secrets.token_hex(4)}")
        self._server: EmulatedServer | None = None
        with ExitStack() as undo:
            if endpoint is None:
                self._server = undo.enter_context(EmulatedServer())
                endpoint = self._server.endpoint
            self._clients = AwsClients(None, endpoint)
            undo.callback(self._clients.close)
            address = create(self._clients, self._names, mailboxes, visibility)
            super().__init__(AwsCloud(address, self._clients))
            undo.pop_all()
        self.address = address

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the fabric, or end the server that holds it; twice is no error."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._server is None:
                remove(self._clients, self._names)
        finally:
            # First the server: one that hangs would hold the threads of the cloud.
            if self._server is not None:
                self._server.close()
            self._cloud.close()
