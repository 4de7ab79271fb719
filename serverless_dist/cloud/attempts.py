"""Asking a web service: again while it is busy, and several requests side by side.

1. Who was told to slow down waits an exponential time with full jitter and asks
   again, for a bounded number of attempts and seconds (`Patience`).
2. Entries that a successful answer lists as failed are sent again, and only they,
   unless the service says that the sender is at fault.
3. A connection that cannot be made is not tried again here: the SDK has done that.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, wait
from dataclasses import dataclass
from threading import Thread
from typing import Any, Protocol, TypeVar

from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from serverless_dist.errors import CloudError

E = TypeVar("E")
_log = logging.getLogger(__name__)

_BUSY_STATUS = {429, 500, 502, 503, 504}
_BUSY_CODES = {
    "BandwidthLimitExceeded",
    "ConcurrentAccess",  # SNS
    "ConditionalRequestConflict",  # S3: a conditional put met another one
    "InternalError",
    "InternalFailure",
    "LimitExceededException",
    "OperationAborted",  # S3: another change of the bucket is going on
    "PriorRequestNotComplete",
    "QueueDeletedRecently",  # SQS: for 60 seconds
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "TooManyRequestsException",
}


def is_busy(code: str, status: int = 200) -> bool:
    """Return whether an error code, or an HTTP status, asks for patience.

    >>> is_busy("KmsThrottled"), is_busy("Surprise", 503), is_busy("AccessDenied", 403)
    (True, True, False)
    """
    # ThrottlingException, RequestThrottled, KMSThrottling, ... from various services.
    return (
        status in _BUSY_STATUS
        or "throttl" in code.lower()
        or code.rpartition(".")[2] in _BUSY_CODES  # AWS.SimpleQueueService.Name
    )


class Refusal(CloudError):
    """An answer other than success.

    `code` is the service's error code, `attempts` how often the request was sent.
    """

    def __init__(
        self, message: str, *, retryable: bool, code: str, attempts: int = 1
    ) -> None:
        super().__init__(message, retryable=retryable)
        self.code = code
        self.attempts = attempts


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to ask again when a service is busy."""

    attempts: int = 8
    seconds: float = 60.0
    first: float = 0.1  # the first wait is up to this, and doubles from then on
    longest: float = 5.0
    sleep: Callable[[float], None] = time.sleep
    note: Callable[[str], None] | None = None  # told an operation before each repeat

    def retrying(self, operation: str) -> Retrying:
        """Return a loop that repeats retryable refusals of an operation."""
        note = self.note
        return Retrying(
            before_sleep=None if note is None else lambda _: note(operation),
            retry=retry_if_exception(_is_retryable_refusal),
            stop=stop_after_attempt(self.attempts) | stop_after_delay(self.seconds),
            wait=wait_random_exponential(multiplier=self.first, max=self.longest),
            sleep=self.sleep,
            reraise=True,
        )


def _is_retryable_refusal(error: BaseException) -> bool:
    return isinstance(error, Refusal) and error.retryable


class Service(Protocol):
    """The client of one web service."""

    @property
    def name(self) -> str:
        """What the service is called in messages."""
        ...

    @property
    def patience(self) -> Patience:
        """How long to ask again when the service is busy."""
        ...

    def request(
        self, operation: str, resource: str, **arguments: object
    ) -> dict[str, Any]:
        """Send one request and return the answer, with a streamed body read whole.

        `resource` names in messages what the operation is about. All errors are
        this package's: a `Refusal` where the service said no.
        """
        ...


def call(
    service: Service, operation: str, resource: str, **arguments: object
) -> dict[str, Any]:
    """Send a request, again while the service is busy, and return the answer."""
    retrying = service.patience.retrying(operation)
    try:
        answer: dict[str, Any] = retrying(
            service.request, operation, resource, **arguments
        )
    except Refusal as refusal:
        refusal.attempts += retrying.statistics["attempt_number"] - 1
        raise
    return answer


@dataclass(frozen=True, slots=True)
class Fault:
    """What a service said of one entry of a batch that it took otherwise."""

    index: int
    code: str
    message: str
    retryable: bool


def send_all(
    service: Service,
    entries: Sequence[E],
    send: Callable[[Mapping[int, E]], Sequence[Fault]],
    *,
    operation: str,
    resource: str,
) -> None:
    """Return when the service has taken every entry.

    Parameters
    ----------
    service
        Whose patience to have, and whom to blame.
    entries
        What to send.
    send
        Sends entries, given by index, in one request and returns those that failed.
    operation, resource
        What it does to what, for messages.

    Raises
    ------
    Refusal
        The service keeps failing, or an entry is refused for good; the others of
        the batch may have been taken.
    """
    pending = dict(enumerate(entries))

    def attempt() -> None:
        faults = send(pending)
        for index in pending.keys() - {fault.index for fault in faults}:
            del pending[index]
        for fault in sorted(faults, key=lambda fault: fault.retryable):
            msg = (
                f"{service.name} refused {len(faults)} of {len(entries)} entries of"
                f" {operation} on {resource}: {fault.code}: {fault.message}"
            )
            raise Refusal(msg, retryable=fault.retryable, code=fault.code)

    service.patience.retrying(operation)(attempt)


def side_by_side(pool: Executor, jobs: Sequence[Callable[[], None]]) -> None:
    """Run all jobs; return, or raise the first failure, when the last has ended."""
    if len(jobs) == 1:  # the usual case needs no other thread
        jobs[0]()
        return
    futures = [pool.submit(job) for job in jobs]
    wait(futures)
    for future in futures:
        future.result()


def within(seconds: float, function: Callable[[], None]) -> None:
    """Call the function, and go on without it if it takes longer.

    What it raises is dropped: it is for courtesies at the end.
    """

    def attempt() -> None:
        try:
            function()
        except Exception as error:
            _log.debug("what was to be done at the end failed: %s", error)

    thread = Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(seconds)
