"""What a deployment is to be, and the names and ARNs of its parts."""

import re
from dataclasses import dataclass

from serverless_dist.cloud.aws_address import FabricNames, count_topics
from serverless_dist.cloud.limits import LAMBDA_MEMORY_MB, MAX_FILTERS
from serverless_dist.errors import UsageError

MAX_TOPICS = 10
MAX_MAILBOXES = MAX_TOPICS * MAX_FILTERS
ARCHITECTURES = ("x86_64", "arm64")
PACKAGES = "packages/"  # what the keys of zips and templates begin with
LAMBDA = "lambda.amazonaws.com"
_MAX_FUNCTIONS = 10  # beside 200 mailboxes in one stack
# What belongs to a deployment of such a name could also belong to one of a shorter.
_AMBIGUOUS = re.compile(r".*-(mailbox|mailboxes-\d)")


@dataclass(frozen=True, slots=True)
class Arns:
    """The ARNs of what a deployment has.

    >>> arns = Arns("lab", "123456789012", "eu-west-1", "aws")
    >>> arns.topic(0), arns.bucket
    ('arn:aws:sns:eu-west-1:123456789012:lab-data-0', 'arn:aws:s3:::lab-123456789012')
    """

    name: str
    account: str
    region: str
    partition: str

    @property
    def names(self) -> FabricNames:
        """What its parts are called."""
        return FabricNames(self.name)

    @property
    def bucket(self) -> str:
        """Its bucket; what is in it has this and ``/`` and the key."""
        name = self.names.bucket(self.account)
        return f"arn:{self.partition}:s3:::{name}"

    @property
    def mailboxes(self) -> str:
        """All its mailboxes."""
        return self.at("sqs", f"{self.names.mailbox_prefix}*")

    @property
    def dead_letters(self) -> str:
        """The queue of events that no function has handled."""
        return self.at("sqs", self.names.dead_letters)

    @property
    def role(self) -> str:
        """The role that its functions have."""
        return f"arn:{self.partition}:iam::{self.account}:role/{self.names.role}"

    def topic(self, index: int | str) -> str:
        """Return the ARN of a topic."""
        return self.at("sns", f"{self.names.topic_prefix}{index}")

    def function(self, memory: int | str) -> str:
        """Return the ARN of the function with that memory."""
        return self.at("lambda", f"function:{self.name}-{memory}")

    def logs(self, memory: int | str) -> str:
        """Return the ARN of what that function prints: its log group's streams."""
        return self.at("logs", f"log-group:/aws/lambda/{self.name}-{memory}:*")

    def at(self, service: str, resource: str) -> str:
        """Return the ARN of something that is in a region of an account."""
        place = f"{self.region}:{self.account}"
        return f"arn:{self.partition}:{service}:{place}:{resource}"


@dataclass(frozen=True, slots=True)
class Stack:
    """What to deploy, and where.

    Attributes
    ----------
    name
        Of the deployment.
    mailboxes
        How many, up to 2,000.
    memories
        A function is made for each: MB.
    architecture
        ``x86_64`` or ``arm64``.
    python
        The version of the functions' Python, as ``3.13``.
    package
        The SHA-256 of the zip; None: only the bucket, which takes the zip.
    account, region, partition
        Where.
    """

    name: str
    mailboxes: int
    memories: tuple[int, ...]
    architecture: str
    python: str
    package: str | None
    account: str
    region: str
    partition: str

    def __post_init__(self) -> None:
        FabricNames(self.name)
        if _AMBIGUOUS.fullmatch(self.name):
            msg = (
                f"{self.name!r} is what a part of another deployment may be called:"
                " choose another --name"
            )
            raise UsageError(msg)
        if self.name[0].isdigit():
            msg = (
                f"{self.name!r} begins with a digit, which CloudFormation does not"
                " take: choose another --name"
            )
            raise UsageError(msg)
        if not 1 <= self.mailboxes <= MAX_MAILBOXES:
            msg = (
                f"a deployment has 1 to {MAX_MAILBOXES:,} mailboxes, one for each rank"
                f" and some more, not {self.mailboxes:,}: ask for fewer --ranks"
            )
            raise UsageError(msg)
        least, most = LAMBDA_MEMORY_MB
        wrong = [mb for mb in self.memories if not least <= mb <= most]
        if wrong or not 1 <= len(self.memories) <= _MAX_FUNCTIONS:
            msg = (
                f"a deployment has 1 to {_MAX_FUNCTIONS} functions of {least:,} to"
                f" {most:,} MB, not {list(self.memories)}: change --memory"
            )
            raise UsageError(msg)
        if self.architecture not in ARCHITECTURES:
            msg = (
                f"Lambda has no architecture {self.architecture!r}: choose"
                f" {' or '.join(ARCHITECTURES)}"
            )
            raise UsageError(msg)

    @property
    def arns(self) -> Arns:
        """The ARNs of its parts."""
        return Arns(self.name, self.account, self.region, self.partition)

    @property
    def names(self) -> FabricNames:
        """What its parts are called."""
        return FabricNames(self.name)

    @property
    def topics(self) -> int:
        """How many topics it has."""
        return count_topics(self.mailboxes)


def stack_name(name: str, topic: int | str) -> str:
    """Return which stack has a topic, and the mailboxes that it serves.

    >>> stack_name("lab", 0), stack_name("lab", 3)
    ('lab', 'lab-mailboxes-3')
    """
    return f"{name}-mailboxes-{topic}" if topic else name


def package_key(digest: str) -> str:
    """Return where in the bucket a package lies."""
    return f"{PACKAGES}{digest}.zip"
