"""How long a cloud takes, measured by two ranks inside of it: a profile.

Two mailboxes of a deployment are leased, and a job of two ranks runs beside them that
times requests with them. What is not measured stays as published: rates and quotas,
Lambda's start of an environment and of a handler, and the function's network.
"""

import secrets
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import date

from serverless_dist.cloud import Usage
from serverless_dist.cloud.attempts import within
from serverless_dist.cloud.latency import US_EAST_1
from serverless_dist.cloud.prices import Prices, dollars
from serverless_dist.config import Config
from serverless_dist.errors import UsageError
from serverless_dist.runtime.calibration import Calibration, fields_of
from serverless_dist.runtime.clouds import (
    FunctionCloud,
    has_functions,
    new_key,
    open_cloud,
)
from serverless_dist.runtime.envelope import Envelope
from serverless_dist.runtime.launch import run
from serverless_dist.runtime.measurements import (
    RANKS,
    Order,
    measure,
)
from serverless_dist.runtime.rank import KIND

CLOUDS = ("aws", "emulated")
"""Where there is something to measure."""

STREAM_BYTES = 1 << 25
_STREAMS = (3, 10)  # the least and the most often that a large object is read
_INVOCATIONS = 20  # at most: each may start an environment
_LEAST = 3  # samples
_COURTESY = 5.0  # seconds for what expires by itself otherwise
_BOOT = 30.0  # seconds of a rank, at most, besides what it measures
_JOB = {  # requests of a job of two ranks, and of the leases: at most
    "lambda:Invoke": 2,
    "s3:PutObject": 10,
    "s3:GetObject": 20,
    "s3:ListObjectsV2": 3,
    "s3:DeleteObjects": 6,
    "sqs:SendMessageBatch": 30,
    "sqs:ReceiveMessage": 60,
    "sqs:DeleteMessageBatch": 30,
    "sns:PublishBatch": 30,
    "sns:Delivery": 30,
}


def expected(samples: int, config: Config) -> tuple[Usage, float]:
    """Return the requests and the GB-seconds that a calibration takes, roughly.

    >>> usage, gb_seconds = expected(100, Config())
    >>> usage.billed["s3:PutObject"], f"{gb_seconds:.0f}"
    (213, '238')
    """
    each = RANKS * (samples + 1)
    streams = _streams(samples)
    wanted = {
        "s3:PutObject": each + 1,
        "s3:GetObject": each + streams,
        "s3:ListObjectsV2": each,
        "s3:DeleteObjects": each + 1,
        "sqs:SendMessageBatch": each,
        "sqs:ReceiveMessage": 2 * each,
        "sqs:DeleteMessageBatch": 2 * each,
        "sns:PublishBatch": each,
        "sns:Delivery": each,
        "lambda:Invoke": 1 + min(samples, _INVOCATIONS),
    }
    billed = {name: wanted[name] + count for name, count in _JOB.items()}
    known = US_EAST_1
    blobs = (known.s3_put, known.s3_get, known.s3_list, known.s3_delete)
    ways = (known.sqs_send, known.sns_publish, known.sns_hop)
    trips = (*ways, *2 * (known.sqs_receive, known.sqs_delete))
    seconds = samples * (
        sum(latency.mean for latency in blobs)
        + 2 * sum(latency.mean for latency in trips)
    )
    seconds += streams * STREAM_BYTES / known.stream_rate + _BOOT
    return Usage(billed, billed), RANKS * seconds * config.memory_mb / 1_024


def cost(usage: Usage, gb_seconds: float, prices: Prices) -> float:
    """Return the dollars for a calibration."""
    return dollars(usage.billed, gb_seconds, prices)["total"]


def check_samples(samples: int) -> int:
    """Return `samples` if so many tell something, else raise a `UsageError`."""
    if samples < _LEAST:
        msg = f"{samples} samples tell nothing: take {_LEAST} or more"
        raise UsageError(msg)
    return samples


def calibrate(
    cloud: str,
    config: Config,
    samples: int,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> Calibration:
    """Measure a cloud, from inside two of its functions.

    Parameters
    ----------
    cloud
        One of `CLOUDS`.
    config
        Which deployment is meant, and with which function.
    samples
        How often each of the two ranks times each request.
    on_progress
        Is told how many parts are done, and of how many.

    Returns
    -------
    Calibration
        What was measured. Nothing of it is left in the cloud.

    Raises
    ------
    UsageError
        There is nothing to measure there, or too few samples are asked for.
    ServerlessDistError
        As `run` raises it.
    """
    if cloud not in CLOUDS:
        msg = f"there is nothing to measure on {cloud!r}: use {' or '.join(CLOUDS)}"
        raise UsageError(msg)
    check_samples(samples)
    with ExitStack() as stack:
        opened = open_cloud(cloud, RANKS, config)
        stack.callback(opened.close)
        assert has_functions(opened)
        order = _order(opened, cloud, config, samples)
        stack.callback(within, _COURTESY, lambda: _clean(opened, order.token))
        results = run(
            measure,
            order,
            ranks=RANKS,
            cloud=cloud,
            channel="queue",
            timeout=max(config.timeout, 4 * _BOOT + samples),
            # An emulator that was started for the one serves the other, too.
            config=replace(config, endpoint=opened.address.endpoint),
            on_progress=on_progress,
        )
        opened.vacate()
        usage = results.report.usage + opened.lease_usage()
        for found in results:
            usage += found.usage
        region = opened.deployment.region
    day = date.today()
    place = region if cloud == "aws" else cloud
    return Calibration(
        name=f"{place}, measured {day.isoformat()}",
        cloud=cloud,
        region=region,
        memory_mb=config.memory_mb,
        day=day,
        fields=fields_of(results[0], results[1], order.stream_bytes),
        usage=usage,
        gb_seconds=results.report.gb_seconds,
    )


def _order(opened: FunctionCloud, cloud: str, config: Config, samples: int) -> Order:
    order = Order(
        address=opened.address,
        token=f"calibrate-{secrets.token_hex(8)}",
        samples=samples,
        streams=_streams(samples),
        stream_bytes=STREAM_BYTES,
    )
    if cloud != "aws":
        # The ranks of an emulated cloud run beside another emulated Lambda.
        return order
    return replace(
        order,
        function=opened.deployment.function(config.memory_mb),
        # An invitation that is fifty years old: the function refuses it at once.
        payload=Envelope(
            new_key(opened), KIND, {"started": 0.0, "timeout": 0.0}
        ).seal(),
        invocations=min(samples, _INVOCATIONS),
    )


def _streams(samples: int) -> int:
    least, most = _STREAMS
    return max(least, min(most, samples // 10))


def _clean(opened: FunctionCloud, token: str) -> None:
    """Remove what ranks that failed have left; it would expire after a day."""
    opened.blobs.delete(opened.blobs.list(f"{token}/"))
