"""What a function does with events, and what it takes to import it."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from serverless_dist.cloud.aws_address import AwsAddress
from serverless_dist.cloud.aws_cloud import AwsCloud
from serverless_dist.cloud.aws_functions import pack_event
from serverless_dist.cloud.deployment import SECRET_VARIABLE
from serverless_dist.config import FunctionConfig
from serverless_dist.errors import ProtocolError
from serverless_dist.runtime import environment as module
from serverless_dist.runtime.control import ControlDesk, ControlLine, Ended, Progress
from serverless_dist.runtime.environment import Environment
from serverless_dist.runtime.invitation import Invitation
from serverless_dist.runtime.rank import sealed
from serverless_dist.wire import JobKey
from tests.fabric import Deployed, shared, world

__all__ = ["shared", "world"]  # fixtures

JOB = bytes(range(16))
CLAIM = f"jobs/{JOB.hex()}/claims/rank-0"


class Context:
    """Of an invocation that has ten minutes left."""

    aws_request_id = "request-1"
    invoked_function_arn = "arn"

    def get_remaining_time_in_millis(self) -> int:
        return 600_000


class NoLeftovers:
    """This process is not the function's: what runs in it is not a part's."""

    def remove(self) -> str:
        return ""


@pytest.fixture
def environment(
    world: Deployed, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Environment]:
    monkeypatch.setattr(module, "Leftovers", NoLeftovers)
    deployment = world.fabric.deployment
    (function,) = deployment.functions.values()
    yield Environment(FunctionConfig(function, deployment.secret))
    world.bucket.delete(world.bucket.list("jobs/"))


@pytest.fixture
def invitation(world: Deployed) -> Invitation:
    deployment = world.fabric.deployment
    address = AwsAddress(
        region=deployment.region,
        endpoint=None,
        queue_url_prefix=deployment.queue_url_prefix,
        topic_arns=deployment.topic_arns,
        bucket=deployment.bucket,
        mailboxes=2,
        lease="leases/of-nobody",
    )
    return Invitation(
        key=JobKey.derive(deployment.secret, JOB),
        rank=0,
        size=1,
        address=address,
        channel="queue",
        sockets=Path("/nowhere"),
        code="",
        inline=b"",
        digest=b"",
        started=time.time(),
        timeout=60.0,
        wants_progress=False,
        algorithms={},
        versions={},
    )


def event(payload: bytes) -> object:
    return json.loads(pack_event(payload))


def record(invitation: Invitation, condition: str, request: str) -> dict[str, object]:
    return {
        "requestContext": {"requestId": request, "condition": condition},
        "requestPayload": event(sealed(invitation)),
        "responsePayload": {"errorMessage": "exit status 3"},
    }


@pytest.mark.parametrize(
    "what", ["nothing", "a number", "forged", "foreign", "cut", "of another kind"]
)
def test_what_is_not_invited_by_the_deployment_has_no_effect(
    what: str, world: Deployed, environment: Environment, invitation: Invitation
) -> None:
    key = JobKey.derive(bytes(32), JOB)
    payload = sealed(invitation)
    events = {
        "nothing": {},
        "a number": 3,
        "forged": event(payload[:-1] + bytes([payload[-1] ^ 1])),
        "foreign": event(sealed(replace(invitation, key=key))),
        "cut": event(payload[:40]),
        "of another kind": {"requestPayload": event(payload[:-1])},
    }
    before = world.logs()
    with pytest.raises(ProtocolError):
        environment.handle(events[what], Context())
    assert world.bucket.list("jobs/") == []
    assert world.logs() == before


@pytest.mark.parametrize("age", [400.0, 1e6, -400.0])
def test_what_is_too_old_or_of_the_future_has_no_effect(
    age: float, world: Deployed, environment: Environment, invitation: Invitation
) -> None:
    # It would invite others, too.
    late = replace(invitation, started=time.time() - age, size=3, branching=3)
    environment.handle(event(sealed(late)), Context())
    assert world.bucket.list("jobs/") == []


def test_a_rank_of_a_job_that_is_over_says_farewell_and_no_more(
    world: Deployed, environment: Environment, invitation: Invitation
) -> None:
    environment.handle(event(sealed(invitation)), Context())
    assert list(world.bucket.list("jobs/")) == [CLAIM]
    claim = world.bucket.get(CLAIM)
    assert claim is not None
    assert claim.startswith(b"request-1 ")
    # And another start of it does nothing, with the same id or without.
    environment.handle(event(sealed(invitation)), Context())
    assert world.bucket.get(CLAIM) == claim


@pytest.mark.parametrize(
    ("claim", "condition", "request_id", "told"),
    [
        (None, "RetriesExhausted", "a", "ended before it returned: exit status 3"),
        (b"a 1", "RetriesExhausted", "a", "ended before it returned: exit status 3"),
        (None, "EventAgeExceeded", "a", "was not started within 60 s: the account"),
        (b"b 1", "EventAgeExceeded", "a", None),
        (b"b 1", "RetriesExhausted", "a", None),
    ],
)
def test_the_driver_is_told_of_a_failure_unless_another_invocation_is_the_rank(
    claim: bytes | None,
    condition: str,
    request_id: str,
    told: str | None,
    world: Deployed,
    environment: Environment,
    invitation: Invitation,
) -> None:
    # A job of its own each time: what one is told the next one drops.
    job = bytes([len(condition), *JOB[1:]]) if claim is None else JOB
    secret = world.fabric.deployment.secret
    invited = replace(invitation, key=JobKey.derive(secret, job))
    if claim is not None:
        world.bucket.put(CLAIM, claim)
    assert isinstance(invited.address, AwsAddress)
    with (
        closing(AwsCloud(invited.address)) as cloud,
        closing(ControlDesk(1, cloud, invited.key)) as desk,
    ):
        environment.handle(record(invited, condition, request_id), Context())
        if told is None:  # what comes next is the first that comes
            with closing(ControlLine(0, 1, cloud, invited.key)) as line:
                line.tell(Progress(1, 1))
        first, *others = desk.events(20.0)
    assert others == []
    if told is None:
        assert first == Progress(1, 1)
    else:
        assert isinstance(first, Ended)
        assert (first.rank, first.how[: len(told)]) == (0, told)


IMPORT = "import serverless_dist.runtime.handler"
PLAIN = """
import boto3
from botocore.config import Config
session = boto3.Session()
for name in ("sqs", "sns", "s3", "lambda"):
    session.client(name, config=Config())
"""


def _function(code: str) -> str:
    variables = {
        SECRET_VARIABLE: "00",
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, env=variables, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def test_the_handler_imports_nothing_that_a_function_has_no_use_for() -> None:
    code = f"{IMPORT}\nimport sys\nprint(*sys.modules, sep='\\n')"
    modules = _function(code).split()
    assert "boto3" in modules
    heavy = {"scipy", "rich", "moto", "numpy", "pytest", "awslambdaric"}
    assert heavy.isdisjoint(modules)
    prefixes = ("tests", "serverless_dist.testing", "serverless_dist.cli")
    assert [name for name in modules if name.startswith(prefixes)] == []


def test_the_handler_takes_little_longer_to_import_than_its_clients() -> None:
    def seconds(code: str) -> float:
        # Of the processor: what others do on this machine does not count.
        return float(_function(f"import time\n{code}\nprint(time.process_time())"))

    pairs = [(seconds(PLAIN), seconds(IMPORT)) for _ in range(5)]
    plain, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    assert ours <= plain * 1.2 + 0.15
