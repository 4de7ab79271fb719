"""Deployments on the stand-in, and what there is of them."""

import zipfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from serverless_dist.cloud.attempts import call
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_blobs import S3Blobs
from serverless_dist.cloud.deployment import RECORD_KEY, Deployment
from serverless_dist.cloud.leases import Lease, acquire
from serverless_dist.runtime.deploy import deploy
from serverless_dist.runtime.destroy import destroy
from serverless_dist.runtime.package import Package
from serverless_dist.runtime.plan import Plan
from serverless_dist.runtime.policies import deploy_policy
from serverless_dist.runtime.versions import versions
from tests.stand_in import ACCOUNT, REGION, StandIn


class Deployer:
    """Deploys as somebody who may do just that, with one deployment.

    Parameters
    ----------
    stand_in
        Where.
    name
        Of the deployment, and of the user.
    package
        What its functions run.
    """

    def __init__(self, stand_in: StandIn, name: str, package: Package) -> None:
        self.name = name
        self.package = package
        self.lines: list[str] = []
        self._stand_in = stand_in
        policy = deploy_policy(name, ACCOUNT, REGION, "aws")
        self._identity = stand_in.user(f"{name}-deployer", policy)

    def deploy(
        self,
        ranks: int = 1,
        *memories: int,
        on_progress: Callable[[str], None] | None = None,
    ) -> Deployment:
        """Deploy; `lines` are those of progress."""
        self.lines.clear()
        plan = Plan(self.name, ranks, memories or (1769,), "x86_64", "3.11")
        with self._stand_in.signed_in(self._identity) as clients:
            return deploy(
                clients,
                plan,
                self.package,
                on_progress=on_progress or self.lines.append,
            )

    def destroy(self, *, force: bool = False) -> list[str]:
        """Remove it and return what is left."""
        self.lines.clear()
        with self._stand_in.signed_in(self._identity) as clients:
            progress = self.lines.append
            return list(destroy(clients, self.name, force=force, on_progress=progress))


def pack_handler(directory: Path, code: str) -> Package:
    """Return a package whose handler is this module."""
    path = directory / f"{sha256(code.encode()).hexdigest()}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("serverless_dist/runtime/handler.py")
        info.external_attr = 0o644 << 16
        archive.writestr(info, code)
    data = path.read_bytes()
    return Package(
        path=path,
        digest=sha256(data).hexdigest(),
        size=len(data),
        unzipped=len(code),
        parts={"serverless_dist": len(code)},
        versions=versions(),
    )


Make = Callable[[str], Deployer]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return pack_handler(tmp_path_factory.mktemp("package"), "handler = print\n")


@pytest.fixture(scope="module")
def make(stand_in: StandIn, package: Package) -> Make:
    return lambda name: Deployer(stand_in, name, package)


@pytest.fixture(scope="module")
def clients(stand_in: StandIn) -> Iterator[AwsClients]:
    with stand_in.signed_in() as clients:
        yield clients


def drop(line: str) -> None:
    """Take no note of progress."""


def blobs_of(clients: AwsClients, name: str) -> S3Blobs:
    return S3Blobs(clients.s3, f"{name}-{ACCOUNT}", clients.pool)


def record_of(clients: AwsClients, name: str) -> Deployment | None:
    data = blobs_of(clients, name).get(RECORD_KEY)
    return None if data is None else Deployment.unpack(data)


def parts_of(clients: AwsClients, name: str) -> list[str]:
    """Return what there is whose name begins like a deployment's parts."""

    def ask(service: str, operation: str, **arguments: object) -> dict[str, Any]:
        return call(clients.client(service), operation, "all", **arguments)

    queues = ask("sqs", "list_queues", QueueNamePrefix=f"{name}-", MaxResults=1_000)
    groups = ask("logs", "describe_log_groups", logGroupNamePrefix="/aws/lambda/")
    names = [
        *(url.rpartition("/")[2] for url in queues.get("QueueUrls", ())),
        *(
            t["TopicArn"].rpartition(":")[2]
            for t in ask("sns", "list_topics")["Topics"]
        ),
        *(f["FunctionName"] for f in ask("lambda", "list_functions")["Functions"]),
        *(role["RoleName"] for role in ask("iam", "list_roles")["Roles"]),
        *(bucket["Name"] for bucket in ask("s3", "list_buckets")["Buckets"]),
        *(group["logGroupName"].rpartition("/")[2] for group in groups["logGroups"]),
    ]
    return sorted(each for each in names if each.startswith(f"{name}-"))


def lease_of(clients: AwsClients, made: Deployment, count: int) -> Lease:
    return acquire(
        blobs_of(clients, made.name),
        mailboxes=made.mailboxes,
        count=count,
        holder="me",
        wait=0,
    )
