"""A job finds a deployment and leases mailboxes of it, or learns what is wrong."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from serverless_dist.cloud import Entry
from serverless_dist.cloud.attempts import Patience
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_cloud import AwsCloud
from serverless_dist.cloud.deployment import RECORD_KEY
from serverless_dist.cloud.leased import LeasedCloud, find_deployment
from serverless_dist.cloud.limits import VCPU_MEMORY_MB
from serverless_dist.errors import CloudError, CredentialsError, UsageError
from serverless_dist.testing.expect import receive_until
from tests.fabric import Deployed, shared, world

__all__ = ["shared", "world"]  # fixtures


@pytest.fixture
def clients(world: Deployed) -> Iterator[AwsClients]:
    with closing(AwsClients("us-east-1", None)) as clients:
        yield clients


def lease(world: Deployed, mailboxes: int, wait: float = 0.0) -> LeasedCloud:
    return LeasedCloud(
        AwsClients("us-east-1", None),
        world.fabric.deployment,
        mailboxes=mailboxes,
        memory_mb=VCPU_MEMORY_MB,
        wait=wait,
    )


def test_what_was_deployed_is_found(world: Deployed, clients: AwsClients) -> None:
    deployment = find_deployment(clients, world.config.fabric)
    assert deployment == world.fabric.deployment
    assert deployment.secret.hex() not in repr(deployment)


def test_a_name_that_was_not_deployed_is_told_with_what_to_do(
    clients: AwsClients,
) -> None:
    with pytest.raises(UsageError, match="there is no deployment nothing in account"):
        find_deployment(clients, "nothing")


def test_a_deployment_without_its_record_is_not_complete(
    world: Deployed, clients: AwsClients
) -> None:
    record = world.bucket.get(RECORD_KEY)
    assert record is not None
    world.bucket.delete([RECORD_KEY])
    try:
        with pytest.raises(UsageError, match="is not complete: run serverless-dist"):
            find_deployment(clients, world.config.fabric)
        world.bucket.put(RECORD_KEY, record.replace(b"{", b'{"more": 1,', 1))
        with pytest.raises(UsageError, match="of another version or damaged"):
            find_deployment(clients, world.config.fabric)
    finally:
        world.bucket.put(RECORD_KEY, record)


def test_another_region_is_told(world: Deployed) -> None:
    with (
        closing(AwsClients("eu-west-1", None)) as clients,
        pytest.raises(UsageError, match="is in us-east-1, not in eu-west-1"),
    ):
        find_deployment(clients, world.config.fabric)


def test_no_credentials_are_told(
    world: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with (
        closing(AwsClients("us-east-1", None)) as clients,
        pytest.raises(CredentialsError),
    ):
        find_deployment(clients, world.config.fabric)


def test_an_unreachable_aws_is_told(
    world: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    patience = Patience(attempts=1)
    with (
        closing(AwsClients("us-east-1", None, patience)) as clients,
        pytest.raises(CloudError, match="cannot reach"),
    ):
        find_deployment(clients, world.config.fabric)


def test_a_memory_that_was_not_deployed_is_told(world: Deployed) -> None:
    clients = AwsClients("us-east-1", None)
    with closing(clients), pytest.raises(UsageError, match="no function of 512 MB"):
        LeasedCloud(clients, world.fabric.deployment, mailboxes=1, memory_mb=512)


def test_two_leases_share_no_mailbox_and_each_numbers_its_own_from_0(
    world: Deployed,
) -> None:
    with closing(lease(world, 3)) as one, closing(lease(world, 5)) as two:
        first, second = one.address, two.address
        numbers = {*range(first.first, first.first + 3)}
        assert numbers.isdisjoint(range(second.first, second.first + 5))
        with closing(AwsCloud.connect(second)) as other:
            other.topic.publish([Entry(b"hello", (4,))])
            receive_until(two.mailboxes[4], [b"hello"])
        one.vacate()
        two.vacate()
    assert world.left() == []


def test_what_was_stopped_has_no_lifeline_and_is_given_back_when_vacated(
    world: Deployed,
) -> None:
    cloud = lease(world, 64)
    key = cloud.address.lease
    assert key is not None
    assert world.bucket.get(key) is not None
    cloud.stop()
    assert world.bucket.get(key) is None
    with pytest.raises(CloudError):
        lease(world, 1)
    cloud.vacate()
    cloud.close()
    assert world.left() == []
    usage = cloud.lease_usage().requests
    cloud.close()
    # The record, the table, and the lifeline; then the table again.
    assert usage["s3:GetObject"] <= 5
    assert usage["s3:PutObject"] == 3
