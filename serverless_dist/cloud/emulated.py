"""AWS on this machine: a moto server in a process of its own, and a fabric on it."""

import importlib.util
import os
import platform
import secrets
from collections.abc import Mapping
from contextlib import ExitStack, closing
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_address import FabricNames
from serverless_dist.cloud.aws_blobs import S3Blobs
from serverless_dist.cloud.aws_provision import create, remove
from serverless_dist.cloud.companion import Companion
from serverless_dist.cloud.deployment import (
    HANDLER,
    RECORD_KEY,
    SECRET_VARIABLE,
    Deployment,
)
from serverless_dist.cloud.emulated_functions import LambdaHost
from serverless_dist.cloud.leased import LeasedCloud
from serverless_dist.cloud.limits import VCPU_MEMORY_MB, VISIBILITY_TIMEOUT
from serverless_dist.errors import UsageError

_STOP_SECONDS = 2.0
_ARCHITECTURES = {"aarch64": "arm64", "arm64": "arm64"}  # as AWS calls them
_HOST = os.fspath(Path(__file__).with_name("moto_host.py"))


class EmulatedServer(Companion):
    """A moto server; a missing moto is a `UsageError`. See `Companion`."""

    def __init__(self) -> None:
        for module in ("moto", "flask_cors"):
            if importlib.util.find_spec(module) is None:
                msg = (
                    f"the emulated cloud needs {module}, which is not installed: run"
                    " pip install 'serverless_dist[emulated]'"
                )
                raise UsageError(msg)
        super().__init__("the emulated cloud", _HOST, patience=_STOP_SECONDS)


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
