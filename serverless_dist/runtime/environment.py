"""What one environment of a function does with the events that Lambda gives it.

An invocation is a part of a job: one rank, or one worker. What comes first is to start
the parts that this one has to start; then it claims its place, so that a part that is
started twice runs once; then it does its work.

Lambda sends the record of an invocation that has failed to the same function, which
tells the part's driver.
"""

import logging
import secrets
import time
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import Any, Protocol

from serverless_dist.cloud import Cloud, Meter, MeteredBlobs, MeteredCloud
from serverless_dist.cloud.attempts import side_by_side
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.aws_cloud import AwsCloud
from serverless_dist.cloud.aws_functions import LambdaFunctions, unpack_event
from serverless_dist.cloud.limits import LAMBDA_EVENT_AGE
from serverless_dist.config import FunctionConfig
from serverless_dist.errors import CloudError, DeadlineError, ProtocolError
from serverless_dist.runtime.envelope import Envelope, unseal
from serverless_dist.runtime.guard import Abandoned, Guard, OutOfTime
from serverless_dist.runtime.leftovers import Leftovers
from serverless_dist.runtime.output import Output
from serverless_dist.runtime.parts import Part
from serverless_dist.runtime.tree import child_envelopes

# By name: the modules of one kind are not those of the other.
_KINDS = {
    "rank": "serverless_dist.runtime.rank",
    "worker": "serverless_dist.tasks.worker",
}
_log = logging.getLogger(__name__)
_SKEW = 300.0  # seconds that the driver's clock may be wrong: AWS takes no more either


class Context(Protocol):
    """What Lambda says of an invocation."""

    aws_request_id: str
    invoked_function_arn: str

    def get_remaining_time_in_millis(self) -> int:
        """Return how long it may still run."""
        ...


class Environment:
    """What one environment of the function keeps from one invocation to the next."""

    def __init__(self, config: FunctionConfig) -> None:
        self._config = config
        self._clients = AwsClients(None, None)
        self._functions = LambdaFunctions(
            self._clients.client("lambda"), config.function
        )
        self._codes: dict[bytes, bytes] = {}

    def handle(self, event: object, context: Context) -> None:
        """Handle an event: an invitation, or the record of one that has failed.

        Raises
        ------
        ProtocolError
            It is neither, or not signed by somebody who knows the deployment's secret.
        """
        payload = unpack_event(event)
        if payload is not None:
            self._work(payload, context)
        elif isinstance(event, dict) and "requestPayload" in event:
            self._mourn(event)
        else:
            msg = "this function takes invitations of serverless_dist only"
            raise ProtocolError(msg)

    def _work(self, payload: bytes, context: Context) -> None:
        """Be the part of a job that the payload invites."""
        began = time.monotonic()
        envelope = unseal(self._config.secret, payload)
        age = time.time() - envelope.fields["started"]
        if abs(age) > envelope.fields.get("timeout", LAMBDA_EVENT_AGE) + _SKEW:
            _log.warning("an invitation %.0f s old is refused", age)
            return
        children = child_envelopes(envelope)
        jobs = [partial(self._start, child) for child in children]
        side_by_side(self._clients.pool, jobs)
        part, job = _part(envelope), envelope.key.job.hex()
        meter = self._clients.meter = Meter()
        cloud = MeteredCloud(AwsCloud(part.address, self._clients), meter)
        # Two starts of one event have the same id, and a claim is one's own or not.
        mine = f"{context.aws_request_id} {secrets.token_hex(8)}".encode()
        if not cloud.blobs.put(_claim(job, part), mine, if_absent=True):
            _log.warning("job %s %s has been started before", job, part.name)
            return
        _log.info("job %s %s begins", job, part.name)
        leftovers = Leftovers()
        seconds = context.get_remaining_time_in_millis() / 1_000
        self._run(part, cloud, meter, began=began, seconds=seconds)
        _log.info("job %s %s ends", job, part.name)
        if left := leftovers.remove():
            _log.warning("%s has left %s: its process is ended", part.name, left)
            from serverless_dist.comm.abort import end_process

            end_process(1)

    def _mourn(self, record: Mapping[str, Any]) -> None:
        """Tell the driver of the part whose invocation has failed."""
        payload = unpack_event(record["requestPayload"])
        if payload is None:
            _log.warning("an event that is no invitation has failed")
            return
        envelope = unseal(self._config.secret, payload)
        part = _part(envelope)
        cloud = AwsCloud(part.address, self._clients)
        job = envelope.key.job.hex()
        claim = cloud.blobs.get(_claim(job, part))
        # A part may be invited again, and the invitation in vain outlives its use.
        failed = record.get("requestContext", {}).get("requestId")
        if claim and failed and claim.decode().partition(" ")[0] != failed:
            _log.info("job %s %s was started by another invitation", job, part.name)
            return
        part.mourn(cloud, _how(record))

    def _run(
        self, part: Part, cloud: Cloud, meter: Meter, *, began: float, seconds: float
    ) -> None:
        # What takes long to import comes only after the children.
        from serverless_dist.runtime.surroundings import FunctionSurroundings

        bucket = MeteredBlobs(AwsCloud(part.address, self._clients).bucket, meter)
        lease = part.address.lease
        assert lease is not None
        with Output() as output:
            surroundings = FunctionSurroundings(
                cloud,
                meter,
                guard=Guard(bucket, lease, seconds=seconds, name=part.name),
                output=output,
                began=began,
                codes=self._codes,
            )
            try:
                part.run(surroundings)
            except Abandoned as error:
                _log.warning("%s", error)
            except OutOfTime as error:
                raise DeadlineError(str(error)) from error

    def _start(self, child: Envelope) -> None:
        """Start a part; the driver sees to those that a busy Lambda refuses."""
        try:
            self._functions.invoke(child.seal())
        except CloudError as error:
            rank = child.fields["rank"]
            if not error.retryable:
                msg = f"rank {rank}, which it starts, was refused: {error}"
                raise CloudError(msg, retryable=False) from error
            _log.warning("rank %s is left to the driver to start: %s", rank, error)


def _claim(job: str, part: Part) -> str:
    """Return the key of the blob that the start of a part puts which is the first."""
    return f"{job}/claims/{part.name.replace(' ', '-')}"


def _part(envelope: Envelope) -> Part:
    if envelope.kind not in _KINDS:
        msg = f"there is no part of a job of the kind {envelope.kind!r}"
        raise ProtocolError(msg)
    part: Part = import_module(_KINDS[envelope.kind]).part(envelope)
    return part


def _how(record: Mapping[str, Any]) -> str:
    """Return in words how an invocation has failed, from Lambda's record of it."""
    condition = record.get("requestContext", {}).get("condition")
    if condition == "EventAgeExceeded":
        return (
            f"was not started within {LAMBDA_EVENT_AGE} s: the account runs as many"
            " functions as it may"
        )
    response = record.get("responsePayload")
    text = response.get("errorMessage") if isinstance(response, dict) else None
    return f"ended before it returned: {text}" if text else "ended without a word"
