"""AWS on this machine: a moto server in a process of its own, and a fabric on it."""

import importlib.util
import os
import platform
import secrets
import selectors
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack, closing
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile
from types import MappingProxyType, TracebackType
from typing import Any, Self

from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_address import FabricNames
from serverless_dist.cloud.aws_blobs import S3Blobs
from serverless_dist.cloud.aws_provision import create, remove
from serverless_dist.cloud.deployment import (
    HANDLER,
    RECORD_KEY,
    SECRET_VARIABLE,
    Deployment,
)
from serverless_dist.cloud.emulated_functions import LambdaHost
from serverless_dist.cloud.leased import LeasedCloud
from serverless_dist.cloud.limits import VCPU_MEMORY_MB, VISIBILITY_TIMEOUT
from serverless_dist.errors import CloudError, UsageError

_START_SECONDS = 30.0  # it takes less than one, but not on a busy machine
_STOP_SECONDS = 2.0
_ARCHITECTURES = {"aarch64": "arm64", "arm64": "arm64"}  # as AWS calls them
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


class EmulatedFabric:
    """A deployment on an emulated AWS: what `serverless-dist deploy` makes on AWS.

    Parameters
    ----------
    mailboxes
        How many queues there are.
    endpoint
        Where an emulator of SQS, SNS and S3 listens already; None starts a moto server.
    visibility
        Seconds that a received body stays hidden.
    memory_mb
        Of the function.
    versions
        What the functions, which run on this machine, have.
    settings
        Of the emulated Lambda, as `LambdaHost` takes them.

    Attributes
    ----------
    deployment
        What was made; its record lies in the bucket.
    endpoint, lambda_endpoint
        Where SQS, SNS and S3 are, and where Lambda is.
    """

    def __init__(
        self,
        mailboxes: int,
        *,
        endpoint: str | None = None,
        visibility: float = VISIBILITY_TIMEOUT,
        memory_mb: int = VCPU_MEMORY_MB,
        versions: Mapping[str, str] = MappingProxyType({}),
        settings: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        names = FabricNames(f"emulated-{secrets.token_hex(4)}")
        function, secret = names.function(memory_mb), secrets.token_bytes(32)
        with ExitStack() as stack:
            is_shared = endpoint is not None
            if endpoint is None:
                endpoint = stack.enter_context(EmulatedServer()).endpoint
            clients = stack.enter_context(closing(AwsClients(None, endpoint)))
            if is_shared:  # others go on to use the server
                stack.callback(remove, clients, names)
            address = create(clients, names, mailboxes, visibility)
            host = LambdaHost(
                HANDLER,
                {function: memory_mb},
                {"AWS_ENDPOINT_URL": endpoint, SECRET_VARIABLE: secret.hex()},
                destinations={function: function},
                **settings,
            )
            stack.enter_context(host)
            self.endpoint, self.lambda_endpoint = endpoint, host.endpoint
            self.logs = host.logs
            self.deployment = Deployment(
                name=names.fabric,
                region=address.region,
                account=address.bucket.rpartition("-")[2],
                version=version("serverless_dist"),
                mailboxes=mailboxes,
                queue_url_prefix=address.queue_url_prefix,
                topic_arns=address.topic_arns,
                bucket=address.bucket,
                functions={memory_mb: function},
                architecture=_ARCHITECTURES.get(platform.machine(), "x86_64"),
                versions=versions,
                package="",
                secret=secret,
            )
            bucket = S3Blobs(clients.s3, address.bucket, clients.pool)
            bucket.put(RECORD_KEY, self.deployment.pack())
            self._stack = stack.pop_all()

    def __repr__(self) -> str:
        return f"<EmulatedFabric {self.deployment.name} at {self.endpoint}>"

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
        """End the functions, and remove all or end the server; twice is no error."""
        self._stack.close()


class EmulatedCloud(LeasedCloud):
    """The mailboxes of a fabric of its own on an emulated AWS; see `LeasedCloud`.

    Other processes connect with ``AwsCloud.connect(cloud.address)``. `close` removes
    the fabric, and the servers that were started for it.

    Parameters
    ----------
    mailboxes
        How many queues there are.
    endpoint
        Where an emulator listens already; None starts a moto server.
    visibility
        Seconds that a received body stays hidden.
    memory_mb
        Of the function.
    versions
        What the functions, which run on this machine, have.
    """

    def __init__(
        self,
        mailboxes: int = 8,
        *,
        endpoint: str | None = None,
        visibility: float = VISIBILITY_TIMEOUT,
        memory_mb: int = VCPU_MEMORY_MB,
        versions: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        with ExitStack() as undo:
            self._fabric = EmulatedFabric(
                mailboxes,
                endpoint=endpoint,
                visibility=visibility,
                memory_mb=memory_mb,
                versions=versions,
            )
            undo.callback(self._fabric.close)
            clients = AwsClients(
                None,
                self._fabric.endpoint,
                lambda_endpoint=self._fabric.lambda_endpoint,
            )
            undo.callback(clients.close)
            super().__init__(
                clients,
                self._fabric.deployment,
                mailboxes=mailboxes,
                memory_mb=memory_mb,
            )
            undo.pop_all()

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
        try:
            super().close()
        finally:
            self._fabric.close()
