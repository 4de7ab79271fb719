"""What is counted while a collective is simulated, as a meter of the cloud would."""

from serverless_dist.cloud import Usage
from serverless_dist.cloud.limits import BILLING_CHUNK


class Tally:
    """Requests, what they are billed as, and bytes: of one operation.

    A `Meter` takes a lock and a dictionary for each request; here are millions.
    """

    __slots__ = ("billed", "received", "requests", "sent")

    def __init__(self) -> None:
        self.requests = self.billed = self.sent = self.received = 0

    def __repr__(self) -> str:
        return f"<Tally {self.requests} requests>"

    def add(self, size: int, *, sent: int = 0, received: int = 0) -> None:
        """Count a request that is billed by chunks of its size."""
        self.requests += 1
        self.billed += 1 if size <= BILLING_CHUNK else -(-size // BILLING_CHUNK)
        self.sent += sent
        self.received += received

    def add_plain(self, count: int = 1, *, sent: int = 0, received: int = 0) -> None:
        """Count requests that are billed one by one."""
        self.requests += count
        self.billed += count
        self.sent += sent
        self.received += received


def usage_of(tallies: dict[str, Tally]) -> Usage:
    """Return what was counted, by operation.

    >>> tally = Tally()
    >>> tally.add(100_000, sent=100_000)
    >>> usage_of({"sqs:SendMessageBatch": tally, "s3:PutObject": Tally()}).billed
    {'sqs:SendMessageBatch': 2}
    """
    columns: list[dict[str, int]] = []
    for field in ("requests", "billed", "sent", "received"):
        counts = {name: int(getattr(tally, field)) for name, tally in tallies.items()}
        columns.append({name: count for name, count in counts.items() if count})
    return Usage(*columns)
