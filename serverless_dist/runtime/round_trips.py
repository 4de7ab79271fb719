"""What `doctor` tries: one round trip through each channel, and a job."""

import secrets
import time
from collections.abc import Callable

from serverless_dist.cloud import Cloud, Entry, Queue
from serverless_dist.cloud.limits import MAX_RECEIVE
from serverless_dist.comm import Communicator
from serverless_dist.config import Config
from serverless_dist.errors import CloudError, RankError
from serverless_dist.runtime.findings import Finding, ok
from serverless_dist.runtime.launch import run

_SECONDS = 20.0  # for a message to arrive
_JOB_SECONDS = 120.0
_RANKS = 2
_LARGE = 400_000  # bytes: too many for a queue, so hybrid takes S3


def try_queue(cloud: Cloud) -> Finding:
    """Send a body to a mailbox of the caller's, and take it out."""
    mailbox = cloud.mailboxes[0]
    return _carried("queue", mailbox, lambda body: mailbox.send([body]))


def try_topic(cloud: Cloud) -> Finding:
    """Publish a body for a mailbox of the caller's, and take it out."""
    return _carried(
        "topic",
        cloud.mailboxes[0],
        lambda body: cloud.topic.publish([Entry(body, (0,))]),
    )


def try_blobs(cloud: Cloud) -> Finding:
    """Put a blob, get it, and delete it."""
    key, body = f"doctor/{secrets.token_hex(8)}", secrets.token_bytes(16)
    began = time.perf_counter()
    cloud.blobs.put(key, body)
    got = cloud.blobs.get(key)
    seconds = time.perf_counter() - began
    cloud.blobs.delete([key])
    if got != body:
        msg = "the bucket has given back something else than was put into it"
        raise CloudError(msg, retryable=False)
    return ok("object", f"put and got in {_time(seconds)}")


def try_job(config: Config) -> Finding:
    """Run a job of two ranks that use queues and objects."""
    results = run(
        _exchange,
        ranks=_RANKS,
        cloud="aws",
        channel="hybrid",
        timeout=_JOB_SECONDS,
        config=config,
    )
    if results != [_LARGE] * _RANKS:
        raise RankError(0, f"has got {results} instead of all that was sent")
    report = results.report
    boot = max(phases.boot for phases in report.phases)
    text = (
        f"{_RANKS} ranks in {_time(report.seconds)}, of which {_time(boot)} to boot,"
        f" for ${report.dollars['total']:.6f}"
    )
    return ok("job", text)


def _exchange(comm: Communicator) -> int:
    """Be a rank: something small to both, something large to the other one."""
    comm.barrier()
    other = 1 - comm.rank
    return len(comm.sendrecv(bytes(_LARGE), other, source=other))


def _carried(check: str, mailbox: Queue, send: Callable[[bytes], None]) -> Finding:
    """Send a body, receive it, and say how long that took."""
    body = secrets.token_bytes(16)
    began = time.perf_counter()
    send(body)
    seconds = 0.0
    while seconds < _SECONDS:
        deliveries = mailbox.receive(MAX_RECEIVE, _SECONDS - seconds)
        seconds = time.perf_counter() - began
        # Others are of an earlier job, that nobody wants any more.
        mailbox.delete([delivery.receipt for delivery in deliveries])
        if any(delivery.body == body for delivery in deliveries):
            return ok(check, f"sent and received in {_time(seconds)}")
    msg = f"nothing has arrived within {_SECONDS:.0f} s"
    raise CloudError(msg, retryable=True)


def _time(seconds: float) -> str:
    """Return seconds in a unit that suits them.

    >>> _time(0.0234), _time(2.34)
    ('23 ms', '2.3 s')
    """
    return f"{seconds * 1_000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
