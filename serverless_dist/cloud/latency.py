"""How long AWS takes: every number with its source and date.

A latency is a shifted lognormal: ``floor + median * exp(sigma * z)`` seconds, with `z`
of the standard normal distribution. What nobody has published is an estimate, marked so
in `SOURCES`, and to be swept: a result that hangs on it has to say so.

"Skyrise" is Bodner et al., arXiv 2501.07771: 1 KB objects from Lambda in us-east-1,
April 2024. "Messaging" is bitesizedserverless.com, "Serverless Messaging: Latency
Compared", September 2022. "lambda-perf" is github.com/maxday/lambda-perf, 2026-08.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

from serverless_dist.errors import UsageError

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Latency:
    """A shifted lognormal distribution of seconds.

    Attributes
    ----------
    floor
        What it takes at least.
    median
        Half of the cases take no longer beyond that.
    sigma
        The spread: the standard deviation of the logarithm.

    Examples
    --------
    >>> Latency(0.010, 0.005, 1.0).typical
    0.015
    >>> f"{Latency(0.010, 0.005, 1.0).quantile(0.99):.3f}"
    '0.061'
    """

    floor: float
    median: float
    sigma: float

    @property
    def typical(self) -> float:
        """The median of all of it."""
        return self.floor + self.median

    @property
    def mean(self) -> float:
        """The mean of all of it."""
        return self.floor + self.median * math.exp(self.sigma**2 / 2)

    def at(self, z: float) -> float:
        """Return the seconds of a case that is `z` standard deviations from typical."""
        return self.floor + self.median * math.exp(self.sigma * z)

    def quantile(self, share: float) -> float:
        """Return what so large a share of all cases, between 0 and 1, stay below."""
        return self.at(_NORMAL.inv_cdf(share))

    def scaled(self, factor: float) -> "Latency":
        """Return a latency that is `factor` times as long."""
        return Latency(self.floor * factor, self.median * factor, self.sigma)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a number is from, and whether that is only an estimate."""

    text: str
    is_estimate: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """What a simulation or a plan takes a cloud to be like.

    Attributes
    ----------
    name
        What reports call it.
    s3_get, s3_put, s3_list, s3_delete
        One request for a small object, until its first byte or its acknowledgement.
    sqs_send, sqs_delete
        One request, until it is acknowledged.
    sqs_receive
        From when a message is available until a long poll that waits has returned it;
        also what a request takes that finds messages or gives up.
    sns_publish
        One request, until it is acknowledged.
    sns_hop
        From the acknowledgement of a publish until the message is in a queue.
    lambda_accept
        One asynchronous invocation, until it is accepted.
    lambda_delivery
        From then until the handler of a warm environment begins.
    lambda_environment
        What it takes in addition to make an environment, before its code is loaded.
    lambda_init
        What it takes in addition to start Python and import the handler.
    stream_rate
        Bytes a second of one connection to S3.
    burst_bytes, burst_rate, network_rate
        A function's network in each direction: so many bytes go at `burst_rate`, then
        `network_rate` bytes a second.
    s3_put_rate, s3_get_rate
        Requests a second that one prefix of a bucket takes (writes; reads).
    sns_rate
        Messages a second that an account may publish.
    environment_rate
        New environments of one function a second.
    duplicate_share
        Of messages that are delivered twice.
    request_cpu
        Seconds of one vCPU for a request of the SDK, and `sns_byte_cpu` for each
        byte that is published.
    """

    name: str
    s3_get: Latency
    s3_put: Latency
    s3_list: Latency
    s3_delete: Latency
    sqs_send: Latency
    sqs_receive: Latency
    sqs_delete: Latency
    sns_publish: Latency
    sns_hop: Latency
    lambda_accept: Latency
    lambda_delivery: Latency
    lambda_environment: Latency
    lambda_init: Latency
    stream_rate: float
    burst_bytes: float
    burst_rate: float
    network_rate: float
    s3_put_rate: float
    s3_get_rate: float
    sns_rate: float
    environment_rate: float
    duplicate_share: float
    request_cpu: float
    sns_byte_cpu: float

    def to_dict(self) -> dict[str, Any]:
        """Return the profile as values that JSON knows."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], base: "Profile") -> "Profile":
        """Return `base` with what `values` have instead.

        Raises
        ------
        UsageError
            A value has an unknown name, or is no number from 0 on.
        """
        kinds = {field.name: type(getattr(base, field.name)) for field in fields(cls)}
        changes: dict[str, Any] = {}
        for name, value in values.items():
            if name not in kinds:
                msg = f"a profile has no {name!r}: use {', '.join(kinds)}"
                raise UsageError(msg)
            try:
                if kinds[name] is Latency:
                    numbers = {key: _number(number) for key, number in value.items()}
                    changes[name] = Latency(**numbers)
                else:
                    changes[name] = str(value) if name == "name" else _number(value)
            except (AttributeError, TypeError, ValueError) as error:
                msg = f"{name} of a profile is {value!r}: {error}"
                raise UsageError(msg) from error
        return replace(base, **changes)


def _number(value: Any) -> float:
    number = float(value)
    if not 0 <= number < math.inf:
        msg = f"{value!r} is no number from 0 on"
        raise ValueError(msg)
    return number


US_EAST_1 = Profile(
    name="us-east-1",
    s3_get=Latency(0.0084, 0.0190, 0.71),
    s3_put=Latency(0.0170, 0.0225, 0.73),
    s3_list=Latency(0.0170, 0.0225, 0.73),
    s3_delete=Latency(0.0170, 0.0225, 0.73),
    sqs_send=Latency(0.006, 0.004, 0.6),
    sqs_receive=Latency(0.003, 0.004, 1.2),
    sqs_delete=Latency(0.005, 0.004, 0.6),
    sns_publish=Latency(0.008, 0.006, 0.7),
    sns_hop=Latency(0.008, 0.008, 1.0),
    lambda_accept=Latency(0.008, 0.006, 0.6),
    lambda_delivery=Latency(0.030, 0.015, 0.9),
    lambda_environment=Latency(0.100, 0.050, 0.5),
    lambda_init=Latency(0.270, 0.055, 0.63),
    stream_rate=90e6,
    burst_bytes=300 * 2**20,
    burst_rate=1.2 * 2**30,
    network_rate=75 * 2**20,
    s3_put_rate=3_500.0,
    s3_get_rate=5_500.0,
    sns_rate=30_000.0,
    environment_rate=100.0,
    duplicate_share=3e-6,
    request_cpu=0.0006,
    sns_byte_cpu=0.042e-6,
)
"""Published medians and tails of us-east-1, where there are any."""


def _estimate(text: str) -> Source:
    return Source(text, is_estimate=True)


SOURCES: Mapping[str, Source] = {
    "s3_get": Source("fit to Skyrise's percentiles, within 5 % to the 99.99th"),
    "s3_put": Source("fit to Skyrise's percentiles, within 7.5 %"),
    "s3_list": _estimate("taken to be as long as a put: no figures found"),
    "s3_delete": _estimate("taken to be as long as a put: no figures found"),
    "sqs_send": _estimate("split of Messaging's one-way time of SQS"),
    "sqs_receive": _estimate("split of Messaging's one-way time of SQS"),
    "sqs_delete": _estimate("taken to be like a send"),
    "sns_publish": _estimate("taken to be 4 ms more than sqs_send: no figures found"),
    "sns_hop": _estimate(
        "no figures found; so SNS adds 20 ms to the one way of SQS, where Messaging's"
        " FIFO pair differs by 12 ms"
    ),
    "lambda_accept": _estimate("10 to 20 ms by report: no measurements found"),
    "lambda_delivery": _estimate("Messaging's SNS to Lambda, 73 ms, less SNS"),
    "lambda_environment": _estimate("100 to 200 ms outside of INIT by report"),
    "lambda_init": Source(
        "lambda-perf, Python 3.13 zip on x86: 70 ms + LN(25 ms, 0.63); and the import"
        " of boto3 and three clients, 0.23 s of a vCPU, measured 2026-11"
    ),
    "stream_rate": Source("85 to 95 MB/s a connection: S3 guide; napkin-math 2026-03"),
    "burst_bytes": Source("Skyrise: some 300 MiB"),
    "burst_rate": Source("Skyrise: some 1.2 GiB/s for 250 ms"),
    "network_rate": Source("Skyrise: 7.5 MiB every 100 ms"),
    "s3_put_rate": Source("S3 user guide, optimizing performance"),
    "s3_get_rate": Source("S3 user guide, optimizing performance"),
    "sns_rate": Source("SNS quotas of us-east-1, General Reference"),
    "environment_rate": Source("Lambda quotas: 1,000 every 10 s"),
    "duplicate_share": _estimate("1e-6 to 1e-5 by report; FSD-Inference saw 3e-4"),
    "request_cpu": Source("boto3 1.44, 0.5 to 0.7 ms a call, measured 2026-11"),
    "sns_byte_cpu": Source(
        "boto3 1.44, 11 ms for 256 KB of base64url, measured 2026-11"
    ),
}
"""Where each number of `US_EAST_1` is from."""

PROFILES: Mapping[str, Profile] = {US_EAST_1.name: US_EAST_1}
"""The profiles that have a name."""


def load_profile(name: str) -> Profile:
    """Return a profile by its name, or by the file that ``calibrate`` has written.

    Raises
    ------
    UsageError
        There is neither; the message lists the names.
    """
    if name in PROFILES:
        return PROFILES[name]
    path = Path(name)
    if not path.is_file():
        msg = (
            f"there is no profile {name!r}: use {', '.join(PROFILES)}, or a file that"
            " `serverless-dist calibrate` has written"
        )
        raise UsageError(msg)
    try:
        values = json.loads(path.read_text())
    except ValueError as error:
        msg = f"{path} is no profile: {error}"
        raise UsageError(msg) from error
    if not isinstance(values, dict):
        msg = f"{path} is no profile: it holds no JSON object"
        raise UsageError(msg)
    # Where and when it was measured is for people.
    values.pop("about", None)
    return Profile.from_dict(values, US_EAST_1)
