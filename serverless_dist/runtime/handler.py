"""The entry point of a function: one invocation is one rank."""

from serverless_dist.runtime.invitation import Invitation
from serverless_dist.runtime.rank import run_rank


def handler(payload: bytes) -> bytes:
    """Run the rank that `payload` invites; its outcome goes to the driver."""
    run_rank(Invitation.unpack(payload))
    return b""
