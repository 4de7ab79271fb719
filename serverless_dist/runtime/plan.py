"""What a user wants to have deployed, and whether it can be."""

from dataclasses import dataclass

from serverless_dist.cloud.attempts import Refusal, call
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_refusals import NotProvisionedError
from serverless_dist.errors import UsageError
from serverless_dist.runtime.stack import Stack

# Beside the ranks: one for the driver, and enough for a second, small job.
_SPARE_MAILBOXES = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """What a user wants to have deployed.

    Attributes
    ----------
    name
        Of the deployment.
    ranks
        How many the largest job has.
    memories
        A function is made for each: MB.
    architecture
        ``x86_64`` or ``arm64``.
    python
        The version of the functions' Python, as ``3.13``.
    """

    name: str
    ranks: int
    memories: tuple[int, ...]
    architecture: str
    python: str

    def __post_init__(self) -> None:
        if self.ranks < 1:
            msg = f"a job has at least 1 rank, not {self.ranks}: change --ranks"
            raise UsageError(msg)

    def stack(self, clients: AwsClients, package: str) -> Stack:
        """Return what that is where these clients are."""
        return Stack(
            name=self.name,
            mailboxes=self.ranks + _SPARE_MAILBOXES,
            memories=self.memories,
            architecture=self.architecture,
            python=self.python,
            package=package,
            account=clients.account(),
            region=clients.region,
            partition=clients.partition,
        )


def check_concurrency(clients: AwsClients, ranks: int) -> None:
    """Raise a `UsageError` if the account cannot run so many functions at once."""
    service = clients.client("lambda")
    try:
        answer = call(service, "get_account_settings", "the account")
    except Refusal:  # who deploys need not be allowed to know
        return
    most = answer["AccountLimit"].get("UnreservedConcurrentExecutions", ranks)
    if ranks > most:
        msg = (
            f"{ranks:,} ranks run at once, but the account may run {most:,} functions"
            f" at once in {clients.region}: ask for fewer --ranks, or AWS for a higher"
            " quota (Service Quotas, Lambda, Concurrent executions)"
        )
        raise UsageError(msg)


def check_bucket_is_free(clients: AwsClients, stack: Stack) -> None:
    """Raise a `UsageError` if there is a bucket of the new deployment's name."""
    bucket = stack.names.bucket(stack.account)
    owner = f"account {stack.account}, but to no stack {stack.name} in {stack.region}"
    try:
        call(
            clients.s3,
            "head_bucket",
            f"bucket {bucket}",
            Bucket=bucket,
            ExpectedBucketOwner=stack.account,
        )
    except NotProvisionedError:
        return
    except Refusal as refusal:
        if refusal.code not in {"403", "AccessDenied"}:
            raise
        owner = "another account"
    msg = f"bucket {bucket} exists and belongs to {owner}: choose another --name"
    raise UsageError(msg)
