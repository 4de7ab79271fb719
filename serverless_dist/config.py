"""What a user sets once for all runs.

`Config.from_env` is the only reader of the environment in this package (boto3 reads
its own variables).
"""

import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field

from serverless_dist.cloud.deployment import SECRET_VARIABLE
from serverless_dist.cloud.limits import VCPU_MEMORY_MB
from serverless_dist.errors import UsageError

_PREFIX = "SERVERLESS_DIST_"
COLLECTIVES = (
    "allgather",
    "allreduce",
    "alltoall",
    "barrier",
    "bcast",
    "gather",
    "reduce",
    "reduce_scatter",
    "scan",
    "scatter",
)
"""The collectives whose algorithms can be set."""

_TEXTS = ("cloud", "channel", "fabric", "region", "endpoint", "invocation")
_NUMBERS = (
    ("timeout", float),
    ("memory_mb", int),
    ("worker_seconds", float),
    ("mailbox_wait", float),
)


@dataclass(frozen=True, slots=True)
class Config:
    """Defaults of every run.

    Attributes
    ----------
    cloud
        ``local``, ``emulated`` or ``aws``; ``SERVERLESS_DIST_CLOUD``.
    channel
        ``direct``, ``queue``, ``object`` or ``hybrid``; ``SERVERLESS_DIST_CHANNEL``.
    timeout
        Seconds a run may take; ``SERVERLESS_DIST_TIMEOUT``.
    fabric
        The name of the provisioned fabric on AWS; ``SERVERLESS_DIST_FABRIC``.
    region
        The AWS region; ``SERVERLESS_DIST_REGION`` or ``AWS_REGION``; None: boto3's
        own setting.
    endpoint
        The URL of an AWS emulator to use instead of starting one;
        ``SERVERLESS_DIST_ENDPOINT``.
    memory_mb
        The memory of the function that is used, and that dollars are computed for;
        ``SERVERLESS_DIST_MEMORY_MB``. 1,769 MB come with one whole vCPU.
    worker_seconds
        How long a worker of remote tasks may live before another one takes over;
        ``SERVERLESS_DIST_WORKER_SECONDS``. 0: on one machine for ever, on a cloud as
        long as a function may run.
    invocation
        ``pool``: a worker runs one task after another. ``task``: each task is an
        invocation of its own; ``SERVERLESS_DIST_INVOCATION``.
    mailbox_wait
        Seconds to wait on AWS for mailboxes that other jobs have;
        ``SERVERLESS_DIST_MAILBOX_WAIT``. 0: not at all.
    algorithms
        The algorithm to use for each collective, by name, where it is not to be
        chosen; ``SERVERLESS_DIST_ALLREDUCE`` and so on for each of `COLLECTIVES`.
    """

    cloud: str = "local"
    channel: str = "queue"
    timeout: float = 300.0
    fabric: str = "serverless-dist"
    region: str | None = None
    endpoint: str | None = None
    memory_mb: int = VCPU_MEMORY_MB
    worker_seconds: float = 0.0
    invocation: str = "pool"
    mailbox_wait: float = 0.0
    algorithms: Mapping[str, str] = field(default_factory=dict, hash=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Config":
        """Return the configuration that the environment asks for.

        >>> Config.from_env({"SERVERLESS_DIST_CHANNEL": "object"}).channel
        'object'
        >>> Config.from_env({"SERVERLESS_DIST_ALLREDUCE": "ring"}).algorithms
        {'allreduce': 'ring'}
        """
        environ = os.environ if environ is None else environ
        values: dict[str, object] = {
            name: environ[_PREFIX + name.upper()]
            for name in _TEXTS
            if environ.get(_PREFIX + name.upper())
        }
        if environ.get("AWS_REGION"):
            values.setdefault("region", environ["AWS_REGION"])
        for name, number in _NUMBERS:
            text = environ.get(_PREFIX + name.upper())
            if text:
                values[name] = _number(_PREFIX + name.upper(), text, number)
        values["algorithms"] = {
            name: environ[_PREFIX + name.upper()]
            for name in COLLECTIVES
            if environ.get(_PREFIX + name.upper())
        }
        return cls(**values)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class FunctionConfig:
    """What a function of Lambda knows of itself.

    Attributes
    ----------
    function
        Its name.
    secret
        What the keys of jobs are derived from.
    """

    function: str
    secret: bytes = field(repr=False)

    @classmethod
    def from_env(
        cls, environ: MutableMapping[str, str] | None = None
    ) -> "FunctionConfig":
        """Return what the environment of the function says, and take the secret out.

        Raises
        ------
        UsageError
            This is no function that was deployed by this package.
        """
        environ = os.environ if environ is None else environ
        try:
            # What user code starts has no business with it.
            secret = bytes.fromhex(environ.pop(SECRET_VARIABLE))
            return cls(environ["AWS_LAMBDA_FUNCTION_NAME"], secret)
        except (KeyError, ValueError):
            msg = f"this is not a deployed function: {SECRET_VARIABLE} is not set"
            raise UsageError(msg) from None


def _number(name: str, text: str, number: type[float] | type[int]) -> float | int:
    try:
        value = number(text)
    except ValueError as error:
        msg = f"{name} is {text!r}: set it to a number"
        raise UsageError(msg) from error
    if not value > 0:
        msg = f"{name} is {text!r}: set it to a number above 0"
        raise UsageError(msg)
    return value
