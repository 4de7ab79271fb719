"""What a fabric's parts are called on AWS, and where one that exists is found."""

import re
from dataclasses import dataclass

from serverless_dist.cloud.limits import MAX_FILTERS
from serverless_dist.errors import UsageError

# The bucket's name is the longest: "-" and 12 digits more, 63 characters in all.
_FABRIC = re.compile(r"[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class AwsAddress:
    """Where a provisioned fabric is: all that another process needs to connect.

    The URL of queue i is `queue_url_prefix` and i; topic j of `topic_arns` serves the
    j-th 200 queues. A job's mailboxes are the queues from number `first` on, and its
    blobs lie below `jobs/`; it goes on for as long as its `lease`, the key of a blob,
    is renewed. With an `endpoint`, which is an emulator's, dummy credentials are used.
    """

    region: str
    endpoint: str | None
    queue_url_prefix: str
    topic_arns: tuple[str, ...]
    bucket: str
    mailboxes: int
    first: int = 0
    lease: str | None = None


@dataclass(frozen=True, slots=True)
class FabricNames:
    """The names of a fabric's queues, topics and bucket.

    >>> names = FabricNames("lab")
    >>> names.mailbox(7), names.topic(0), names.bucket("123456789012")
    ('lab-mailbox-7', 'lab-data-0', 'lab-123456789012')
    """

    fabric: str

    def __post_init__(self) -> None:
        if not _FABRIC.fullmatch(self.fabric):
            msg = (
                f"{self.fabric!r} cannot name a deployment: use up to 50 lower-case"
                " letters, digits and inner hyphens"
            )
            raise UsageError(msg)

    @property
    def mailbox_prefix(self) -> str:
        """What the names of all its queues begin with."""
        return f"{self.fabric}-mailbox-"

    @property
    def topic_prefix(self) -> str:
        """What the names of all its topics begin with."""
        return f"{self.fabric}-data-"

    def mailbox(self, index: int) -> str:
        """Return the name of a queue."""
        return f"{self.mailbox_prefix}{index}"

    def topic(self, index: int) -> str:
        """Return the name of a topic."""
        return f"{self.topic_prefix}{index}"

    def function(self, memory_mb: int) -> str:
        """Return the name of the function with that memory."""
        return f"{self.fabric}-{memory_mb}"

    def log_group(self, memory_mb: int) -> str:
        """Return where CloudWatch keeps what that function prints."""
        return f"/aws/lambda/{self.function(memory_mb)}"

    @property
    def role(self) -> str:
        """The name of the role that the functions have."""
        return f"{self.fabric}-function"

    @property
    def dead_letters(self) -> str:
        """The name of the queue of events that no function has handled."""
        return f"{self.fabric}-dead-letters"

    def bucket(self, account: str) -> str:
        """Return the name of the bucket, which is unique in the world."""
        return f"{self.fabric}-{account}"


def count_topics(mailboxes: int) -> int:
    """Return how many topics serve so many mailboxes, each with a filter of its own.

    >>> [count_topics(n) for n in (1, 200, 201)]
    [1, 1, 2]
    """
    if mailboxes < 1:
        msg = f"a fabric of {mailboxes} mailboxes cannot carry anything: ask for 1"
        raise UsageError(msg)
    return -(-mailboxes // MAX_FILTERS)
