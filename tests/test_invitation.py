"""What a rank is told survives the way to it."""

from pathlib import Path

import pytest

from serverless_dist.cloud.aws_address import AwsAddress
from serverless_dist.cloud.local import LocalAddress
from serverless_dist.runtime.clouds import Address
from serverless_dist.runtime.invitation import Invitation
from serverless_dist.wire import JobKey

AWS = AwsAddress(
    "eu-west-1", None, "https://sqs/a-", ("arn:0",), "bucket", 3, 5, "leases/1"
)


@pytest.mark.parametrize("address", [LocalAddress(Path("/tmp/a"), 3), AWS], ids=repr)
def test_an_invitation_arrives_as_it_was(address: Address) -> None:
    invitation = Invitation(
        key=JobKey(bytes(16), bytes(32)),
        rank=1,
        size=2,
        address=address,
        channel="direct",
        sockets=Path("/tmp/b"),
        code="job/code",
        inline=b"",
        digest=bytes(32),
        started=1.5,
        timeout=2.5,
        wants_progress=True,
        algorithms={"allreduce": "ring"},
        versions={"Python": "3.13"},
        branching=4,
    )
    assert Invitation.unpack(invitation.pack()) == invitation
