"""Counts of requests and bytes, to be added up over ranks and priced.

Keys are service and operation, as in ``"sqs:ReceiveMessage"``. ``"sns:Delivery"`` is
billed only: the 64 KB chunks that SNS hands to SQS, which no request of ours asks for.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used: requests and billed requests by operation, bytes on the wire.

    >>> Usage({"s3:PutObject": 1}, {"s3:PutObject": 1}, 10, 0) + Usage(sent=5)
    Usage(requests={'s3:PutObject': 1}, billed={'s3:PutObject': 1}, sent=15, received=0)
    """

    requests: dict[str, int] = field(default_factory=dict)
    billed: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    received: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            dict(Counter(self.requests) + Counter(other.requests)),
            dict(Counter(self.billed) + Counter(other.billed)),
            self.sent + other.sent,
            self.received + other.received,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as values that JSON and msgpack know."""
        return {
            "requests": dict(self.requests),
            "billed": dict(self.billed),
            "sent": self.sent,
            "received": self.received,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Usage":
        """Return the usage that `to_dict` was called on."""
        requests, bills = dict(data["requests"]), dict(data["billed"])
        return cls(requests, bills, data["sent"], data["received"])


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
        self._sent = 0
        self._received = 0

    def __repr__(self) -> str:
        usage = self.usage()
        total = sum(usage.requests.values())
        return f"<Meter {total} requests, {usage.sent} B out, {usage.received} B in>"

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
            self._sent += sent
            self._received += received

    def usage(self) -> Usage:
        """Return what was counted so far."""
        with self._lock:
            return Usage(
                dict(self._requests), dict(self._billed), self._sent, self._received
            )
