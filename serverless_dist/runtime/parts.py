"""What an invocation of the function may be asked to be: a part of a job."""

from typing import TYPE_CHECKING, Protocol

from serverless_dist.cloud import Cloud
from serverless_dist.cloud.aws_address import AwsAddress

if TYPE_CHECKING:  # it takes longer to import than to start a rank
    from serverless_dist.runtime.surroundings import Surroundings


class Part(Protocol):
    """What an invitation asks for: a rank of a job, or a worker of a session.

    Attributes
    ----------
    address
        Where its mailboxes are.
    name
        What it is called; two of a job that have the same are the same.
    """

    address: AwsAddress
    name: str

    def run(self, surroundings: "Surroundings") -> None:
        """Do what is asked for."""
        ...

    def mourn(self, cloud: Cloud, how: str) -> None:
        """Tell the driver how this part has ended, since it could not itself."""
        ...
