"""Removing deployments, also those in use, on a stand-in that checks rights."""

import pytest

from serverless_dist.cloud.aws import AwsClients
from serverless_dist.errors import UsageError
from tests.deployers import (
    Make,
    clients,
    lease_of,
    make,
    package,
    parts_of,
    record_of,
)
from tests.stand_in import ACCOUNT, stand_in

__all__ = ["clients", "make", "package", "stand_in"]  # fixtures


class TestInUse:
    def test_it_is_removed_only_by_force(self, make: Make, clients: AwsClients) -> None:
        deployer = make("used")
        made = deployer.deploy(2)
        lease = lease_of(clients, made, 2)
        with pytest.raises(UsageError, match="used is in use: mailboxes 0 to 1 by me;"):
            deployer.destroy()
        assert record_of(clients, "used") == made
        assert deployer.destroy(force=True) == []
        assert parts_of(clients, "used") == []
        with pytest.raises(UsageError, match="AWS has no bucket"):
            lease.stop()

    def test_mailboxes_that_a_job_has_are_not_removed(
        self, make: Make, clients: AwsClients
    ) -> None:
        deployer = make("kept")
        made = deployer.deploy(4)
        lease = lease_of(clients, made, 12)
        with pytest.raises(UsageError, match="it has mailboxes 0 to 11 by me"):
            deployer.deploy(1)
        assert record_of(clients, "kept") == made
        assert deployer.deploy(5).mailboxes == 13
        lease.release(clean=True)
        assert deployer.deploy(1).mailboxes == 9

    def test_a_function_is_not_removed_while_a_job_runs(
        self, make: Make, clients: AwsClients
    ) -> None:
        deployer = make("sized")
        made = deployer.deploy(1, 1769, 512)
        lease = lease_of(clients, made, 1)
        with pytest.raises(UsageError, match="a job uses what would be removed"):
            deployer.deploy(1, 1769)
        lease.release(clean=True)
        assert list(deployer.deploy(1, 1769).functions) == [1769]


class TestDestroy:
    def test_nothing_is_left(self, make: Make, clients: AwsClients) -> None:
        deployer = make("gone")
        deployer.deploy(2, 512)
        assert len(parts_of(clients, "gone")) == 10 + 6
        assert deployer.destroy() == []
        assert deployer.lines[-1] == "gone is removed"
        assert parts_of(clients, "gone") == []

    def test_what_does_not_exist_is_no_error(self, make: Make) -> None:
        deployer = make("never")
        assert deployer.destroy() == []
        (line,) = deployer.lines
        assert line.startswith(f"there is no deployment never in account {ACCOUNT}")

    def test_another_deployment_is_not_touched(
        self, make: Make, clients: AwsClients
    ) -> None:
        left, right = make("side"), make("side-2")
        left.deploy()
        made = right.deploy()
        before = parts_of(clients, "side-2")
        assert left.destroy() == []
        assert parts_of(clients, "side-2") == before == parts_of(clients, "side")
        assert right.deploy() == made
        assert right.lines == ["nothing to change"]
