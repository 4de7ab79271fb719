"""Counts of requests and bytes, to be added up over ranks and priced.

Keys are service and operation, as in ``"sqs:ReceiveMessage"``. ``"sns:Delivery"`` is
billed only: the 64 KB chunks that SNS hands to SQS, which no request of ours asks for.
``"direct:Socket"`` has bytes only.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock

Counts = dict[str, int]
"""A number for each operation; none is 0."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used, by operation.

    Attributes
    ----------
    requests
        How many requests were made.
    billed
        How many requests they are billed as.
    sent, received
        Bytes of payload on the wire, encoded.
    retries
        How many requests were sent again. They are no part of the others: what a
        service has refused it does not bill, and what was lost nobody knows.

    Examples
    --------
    >>> one = Usage({"s3:PutObject": 1}, {"s3:PutObject": 1}, sent={"s3:PutObject": 9})
    >>> (one + one).requests, (one + one).bytes_sent
    ({'s3:PutObject': 2}, 18)
    """

    requests: Counts = field(default_factory=dict)
    billed: Counts = field(default_factory=dict)
    sent: Counts = field(default_factory=dict)
    received: Counts = field(default_factory=dict)
    retries: Counts = field(default_factory=dict)

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            _sum(self.requests, other.requests),
            _sum(self.billed, other.billed),
            _sum(self.sent, other.sent),
            _sum(self.received, other.received),
            _sum(self.retries, other.retries),
        )

    @property
    def bytes_sent(self) -> int:
        """The bytes sent by all operations."""
        return sum(self.sent.values())

    @property
    def bytes_received(self) -> int:
        """The bytes received by all operations."""
        return sum(self.received.values())

    @property
    def operations(self) -> list[str]:
        """The operations that anything was counted for, sorted."""
        return sorted({*self.requests, *self.billed, *self.sent, *self.received})


def _sum(one: Mapping[str, int], two: Mapping[str, int]) -> Counts:
    return dict(Counter(one) + Counter(two))


class Meter:
    """Counts of one process, filled by any number of wrappers and threads.

    >>> meter = Meter()
    >>> meter.count("sqs:ReceiveMessage", 2, received=100_000)
    >>> meter.usage().billed
    {'sqs:ReceiveMessage': 2}
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._requests: Counter[str] = Counter()
        self._billed: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()
        self._received: Counter[str] = Counter()
        self._retries: Counter[str] = Counter()

    def __repr__(self) -> str:
        usage = self.usage()
        total = sum(usage.requests.values())
        return (
            f"<Meter {total} requests, {usage.bytes_sent} B out,"
            f" {usage.bytes_received} B in>"
        )

    def count(
        self,
        operation: str,
        bill: int,
        *,
        requests: int = 1,
        sent: int = 0,
        received: int = 0,
    ) -> None:
        """Add to the counts of an operation.

        Parameters
        ----------
        operation
            Service and operation, as in ``"s3:PutObject"``.
        bill
            How many requests are billed.
        requests
            How many requests were made.
        sent, received
            Bytes of payload on the wire.
        """
        with self._lock:
            if requests:
                self._requests[operation] += requests
            if bill:
                self._billed[operation] += bill
            if sent:
                self._sent[operation] += sent
            if received:
                self._received[operation] += received

    def retry(self, operation: str, times: int = 1) -> None:
        """Take note that a request was sent again, so many times."""
        with self._lock:
            self._retries[operation] += times

    def usage(self) -> Usage:
        """Return what was counted so far."""
        with self._lock:
            return Usage(
                dict(+self._requests),
                dict(+self._billed),
                dict(+self._sent),
                dict(+self._received),
                dict(+self._retries),
            )
