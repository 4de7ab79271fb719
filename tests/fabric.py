"""A deployment on an emulated AWS, which jobs use as if it were AWS."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from serverless_dist import Config
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_blobs import S3Blobs
from serverless_dist.cloud.emulated import EmulatedFabric
from serverless_dist.cloud.lease_table import TABLE_KEY, LeaseTable
from serverless_dist.cloud.limits import VCPU_MEMORY_MB
from serverless_dist.runtime.versions import versions
from tests.lambda_clients import Lines

_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "tester",
    "AWS_SECRET_ACCESS_KEY": "tester",
    "AWS_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


class Deployed:
    """A fabric, and what a test asks of it."""

    def __init__(self, fabric: EmulatedFabric, bucket: S3Blobs) -> None:
        self.fabric = fabric
        self.bucket = bucket
        (memory_mb,) = fabric.deployment.functions
        self.config = Config(
            fabric=fabric.deployment.name, region="us-east-1", memory_mb=memory_mb
        )

    def environment(self) -> dict[str, str]:
        """Return the variables by which boto3 finds it."""
        return {
            **_CREDENTIALS,
            "AWS_ENDPOINT_URL": self.fabric.endpoint,
            "AWS_ENDPOINT_URL_LAMBDA": self.fabric.lambda_endpoint,
        }

    def logs(self) -> str:
        """Return what all functions have written."""
        paths = sorted(self.fabric.logs.glob("*.log"))
        return "\n".join(path.read_text() for path in paths)

    def left(self) -> list[str]:
        """Return the blobs of jobs, and the lifelines of leases."""
        return sorted(set(self.bucket.list("")) - {"deployment.json", TABLE_KEY})

    def taken(self) -> int:
        """Return how many leases are in the table, alive or not."""
        return len(LeaseTable.read(self.bucket).entries)


@contextmanager
def deployed(
    mailboxes: int,
    endpoint: str | None = None,
    *,
    versions: Mapping[str, str] = MappingProxyType(versions()),
    memory_mb: int = VCPU_MEMORY_MB,
    **settings: Any,
) -> Iterator[Deployed]:
    """Give a fabric; `settings` are those of its Lambda."""
    with ExitStack() as stack:
        fabric = EmulatedFabric(
            mailboxes,
            endpoint=endpoint,
            versions=versions,
            memory_mb=memory_mb,
            settings=settings,
        )
        stack.enter_context(fabric)
        clients = stack.enter_context(closing(AwsClients(None, fabric.endpoint)))
        bucket = S3Blobs(clients.s3, fabric.deployment.bucket, clients.pool)
        yield Deployed(fabric, bucket)


def visit(world: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the fabric what ``cloud="aws"`` finds."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in world.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def shared(moto_endpoint: str) -> Iterator[Deployed]:
    # The mailboxes of a rank that has died rest for a while: enough for all.
    with deployed(64, moto_endpoint) as world:
        yield world


@pytest.fixture
def world(shared: Deployed, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    """The fabric that the tests of a file share."""
    visit(shared, monkeypatch)
    return shared


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Lines]:
    with closing(Lines(tmp_path / "lines")) as lines:
        yield lines
