"""What `serverless-dist doctor` finds, and what it says of it."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from serverless_dist.cloud.attempts import Refusal, call
from serverless_dist.cloud.aws import AwsClients, AwsService
from serverless_dist.cloud.aws_address import FabricNames
from serverless_dist.cloud.aws_blobs import S3Blobs
from serverless_dist.cloud.deployment import RECORD_KEY, Deployment
from serverless_dist.cloud.emulated import EmulatedFabric
from serverless_dist.cloud.lease_table import LeaseEntry
from serverless_dist.cloud.leases import acquire
from serverless_dist.config import Config
from serverless_dist.errors import CredentialsError
from serverless_dist.runtime import doctor
from serverless_dist.runtime.findings import (
    Finding,
    Verdict,
    judge_clock,
    judge_dead_letters,
    judge_function,
    judge_mailboxes,
    judge_quota,
    judge_stack,
    judge_versions,
)
from serverless_dist.runtime.stack_states import StackState
from tests.deployed import REGION, deployed, signed_in, tell

Capture = pytest.CaptureFixture[str]
OK, WARNING, PROBLEM = Verdict
FUNCTION = {
    "FunctionName": "lab-1769",
    "State": "Active",
    "LastUpdateStatus": "Successful",
    "MemorySize": 1_769,
    "Timeout": 900,
}
ADA = LeaseEntry("a", 0, 6, "Ada")


class TestJudging:
    @pytest.mark.parametrize(
        ("skew", "verdict", "text"),
        [
            (0.0, OK, "right to within 5 s"),
            (60.0, WARNING, "is 60 s behind that of AWS"),
            (-7.0, WARNING, "is 7 s ahead of that of AWS"),
        ],
    )
    def test_a_clock(self, skew: float, verdict: Verdict, text: str) -> None:
        found = judge_clock(skew)
        assert (found.verdict, found.text) == (verdict, text)

    @pytest.mark.parametrize(
        ("status", "verdict"),
        [
            (None, PROBLEM),
            ("CREATE_COMPLETE", OK),
            ("UPDATE_COMPLETE", OK),
            ("UPDATE_IN_PROGRESS", WARNING),
            ("UPDATE_ROLLBACK_COMPLETE", WARNING),
            ("UPDATE_ROLLBACK_FAILED", PROBLEM),
            ("ROLLBACK_COMPLETE", PROBLEM),
            ("DELETE_FAILED", PROBLEM),
        ],
    )
    def test_a_stack(self, status: str | None, verdict: Verdict) -> None:
        found = judge_stack("lab", StackState("id", status, "why") if status else None)
        assert found.verdict is verdict
        assert status is None or found.text == f"{status}: why"
        assert bool(found.advice) == (verdict is not OK)

    def test_versions(self) -> None:
        here = {"Python": "3.13", "numpy": "2.4.6"}
        assert judge_versions(here, here).verdict is OK
        found = judge_versions(here, {**here, "Python": "3.12"})
        assert found.verdict is PROBLEM
        assert (
            "the driver has Python 3.13, the deployment has Python 3.12" in found.text
        )

    @pytest.mark.parametrize(
        ("changes", "verdict", "text"),
        [
            ({}, OK, "Active, 1,769 MB, up to 900 s"),
            ({"State": "Pending"}, WARNING, "is Pending"),
            ({"LastUpdateStatus": "InProgress"}, WARNING, "last update InProgress"),
            ({"State": "Failed", "StateReason": "no role"}, PROBLEM, "no role"),
            ({"MemorySize": 128}, PROBLEM, "has 128 MB, and should have 1,769 MB"),
            ({"Timeout": 3}, WARNING, "may run 3 s only"),
        ],
    )
    def test_a_function(
        self, changes: dict[str, Any], verdict: Verdict, text: str
    ) -> None:
        found = judge_function(1_769, FUNCTION | changes)
        assert found.verdict is verdict
        assert text in found.text

    @pytest.mark.parametrize(
        ("ranks", "verdict"),
        [(1, OK), (500, OK), (501, WARNING), (1_000, WARNING), (1_001, PROBLEM)],
    )
    def test_a_quota(self, ranks: int, verdict: Verdict) -> None:
        found = judge_quota(ranks, 1_000)
        assert found.verdict is verdict
        assert ("Service Quotas" in found.advice) == (verdict is not OK)

    @pytest.mark.parametrize(
        ("ranks", "entries", "verdicts"),
        [
            (None, (), [OK]),
            (7, (), [OK]),
            (8, (), [PROBLEM]),
            (1, (ADA,), [OK]),
            (2, (ADA,), [OK, WARNING]),
            (None, (ADA, replace(ADA, first=6, count=1)), [OK, WARNING]),
        ],
    )
    def test_mailboxes(
        self,
        ranks: int | None,
        entries: tuple[LeaseEntry, ...],
        verdicts: list[Verdict],
    ) -> None:
        found = judge_mailboxes(ranks, 8, entries)
        assert [finding.verdict for finding in found] == verdicts
        if WARNING in verdicts:
            assert "0 to 5 by Ada" in found[-1].text

    def test_failed_events(self) -> None:
        assert judge_dead_letters(0).verdict is OK
        assert judge_dead_letters(3).verdict is WARNING


@pytest.fixture(scope="module")
def fabric(moto_endpoint: str) -> Iterator[EmulatedFabric]:
    with deployed(moto_endpoint) as fabric:
        yield fabric


@pytest.fixture(scope="module")
def clients(fabric: EmulatedFabric) -> Iterator[AwsClients]:
    with signed_in(fabric) as clients:
        yield clients


@pytest.fixture
def record(
    clients: AwsClients, fabric: EmulatedFabric
) -> Iterator[Callable[[Deployment | None], None]]:
    """What writes another record, until the end of the test."""
    blobs = S3Blobs(clients.s3, fabric.deployment.bucket, clients.pool)

    def write(made: Deployment | None) -> None:
        blobs.delete([RECORD_KEY])
        if made is not None:
            blobs.put(RECORD_KEY, made.pack())

    yield write
    write(fabric.deployment)


class Limited(AwsClients):
    """Clients whose user may not do one operation, or all but one."""

    def __init__(self, code: str, *operations: str) -> None:
        self._code, self._operations = code, operations
        super().__init__(REGION, None)

    def client(self, name: str) -> AwsService:
        service = super().client(name)
        if not isinstance(service, _Limited):
            service = _Limited(service._client)
            service.code, service.operations = self._code, self._operations
        return service


class _Limited(AwsService):
    code: str
    operations: tuple[str, ...]

    def request(
        self, operation: str, resource: str, **arguments: object
    ) -> dict[str, Any]:
        if operation not in self.operations:
            return super().request(operation, resource, **arguments)
        if self.code == "ExpiredToken":
            msg = "STS GetCallerIdentity: AWS did not take the credentials"
            raise CredentialsError(msg)
        msg = f"{operation}: {self.code}"
        raise Refusal(msg, retryable=False, code=self.code)


def examine(
    fabric: EmulatedFabric,
    *,
    ranks: int | None = None,
    code: str = "",
    denied: str = "",
) -> dict[str, Finding]:
    """Return what is found, without a job, by the check."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doctor, "try_job", lambda config: Finding("job", OK, "skipped"))
        config = Config(fabric=fabric.deployment.name)
        found = doctor.examine(
            config, ranks, lambda: Limited(code, *denied.split()) if denied else plain()
        )
        return {finding.check: finding for finding in found}


def plain() -> AwsClients:
    return AwsClients(REGION, None)


def bad(found: dict[str, Finding]) -> list[str]:
    return [check for check, each in found.items() if each.verdict is not OK]


@pytest.mark.usefixtures("clients")
class TestADeployment:
    def test_that_is_well_is_said_to_be(self, capsys: Capture) -> None:
        code, out, err = tell(capsys, "doctor", "--ranks", "7")
        assert (code, err) == (0, "")
        lines = out.splitlines()
        assert all(line.startswith("OK       ") for line in lines), out
        checks = [line[9:].partition(":")[0].partition(" ")[0] for line in lines]
        assert checks == [
            *("credentials", "clock", "region", "deployment", "versions", "stack"),
            *("function", "quota", "mailboxes", "failed", "lease"),
            *("queue", "topic", "object", "job"),
        ]

    def test_gets_its_mailbox_back(
        self, clients: AwsClients, fabric: EmulatedFabric
    ) -> None:
        blobs = S3Blobs(clients.s3, fabric.deployment.bucket, clients.pool)
        assert bad(examine(fabric)) == []
        with closing(plain()):
            lease = acquire(blobs, mailboxes=8, count=8, holder="all", wait=0.0)
            lease.release(clean=True)
        assert blobs.list("jobs/doctor/") == []

    def test_with_too_few_mailboxes_is_a_problem(self, capsys: Capture) -> None:
        code, out, err = tell(capsys, "doctor", "--ranks", "8")
        assert code == 1
        assert err == "serverless-dist: error: 1 problem was found\n"
        assert "problem  mailboxes: there are 8, for up to 7 ranks, not 8\n" in out
        assert "-> run serverless-dist deploy --ranks 8\n" in out

    def test_that_others_use_is_a_warning(
        self, clients: AwsClients, fabric: EmulatedFabric
    ) -> None:
        blobs = S3Blobs(clients.s3, fabric.deployment.bucket, clients.pool)
        lease = acquire(blobs, mailboxes=8, count=8, holder="Ada", wait=0.0)
        try:
            found = examine(fabric)
        finally:
            lease.release(clean=True)
        assert bad(found) == ["mailboxes", "lease"]
        assert "0 to 7 by Ada" in found["mailboxes"].text
        assert "SERVERLESS_DIST_MAILBOX_WAIT" in found["mailboxes"].advice
        assert "job" not in found

    def test_of_another_version_is_a_problem_and_gets_no_job(
        self, fabric: EmulatedFabric, record: Callable[[Deployment | None], None]
    ) -> None:
        made = fabric.deployment
        record(replace(made, versions={**made.versions, "numpy": "1.0"}))
        found = examine(fabric)
        assert bad(found) == ["versions"]
        assert "the deployment has numpy 1.0" in found["versions"].text
        assert "job" not in found

    def test_that_is_not_complete_is_a_problem(
        self, fabric: EmulatedFabric, record: Callable[[Deployment | None], None]
    ) -> None:
        record(None)
        found = examine(fabric)
        assert bad(found) == ["deployment"]
        assert "is not complete: run serverless-dist deploy" in found["deployment"].text
        assert [*found][-1] == f"stack {fabric.deployment.name}"

    def test_elsewhere_is_a_problem(
        self, fabric: EmulatedFabric, record: Callable[[Deployment | None], None]
    ) -> None:
        record(replace(fabric.deployment, region="eu-west-1"))
        assert "is in eu-west-1, not in us-east-1" in examine(fabric)["deployment"].text

    def test_without_a_function_is_a_problem(
        self, fabric: EmulatedFabric, record: Callable[[Deployment | None], None]
    ) -> None:
        name = fabric.deployment.name
        functions = {**fabric.deployment.functions, 512: f"{name}-512"}
        record(replace(fabric.deployment, functions=functions))
        found = examine(fabric)
        assert bad(found) == [f"function {name}-512"]
        assert found[f"function {name}-512"].text == "does not exist"

    def test_with_failed_events_is_a_warning(
        self, clients: AwsClients, fabric: EmulatedFabric
    ) -> None:
        name = FabricNames(fabric.deployment.name).dead_letters
        url = call(clients.sqs, "get_queue_url", name, QueueName=name)["QueueUrl"]
        call(clients.sqs, "send_message", name, QueueUrl=url, MessageBody="lost")
        found = examine(fabric)
        call(clients.sqs, "purge_queue", name, QueueUrl=url)
        assert bad(found) == ["failed events"]

    def test_whose_topic_carries_nothing_is_a_problem(
        self, fabric: EmulatedFabric, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("serverless_dist.runtime.round_trips._SECONDS", 0.0)
        found = examine(fabric)
        assert bad(found) == ["queue", "topic"]
        assert "filters are still on their way" in found["topic"].advice

    def test_that_does_not_exist_is_one_problem(self, capsys: Capture) -> None:
        code, out, err = tell(capsys, "doctor", "--name", "nowhere")
        assert code == 1
        assert err == "serverless-dist: error: 1 problem was found\n"
        assert "problem  deployment: there is no deployment nowhere" in out


@pytest.mark.usefixtures("clients")
class TestWhoMayNot:
    def test_is_told_which_permissions_are_needed_and_the_rest_goes_on(
        self, fabric: EmulatedFabric
    ) -> None:
        name = fabric.deployment.name
        needed = {
            f"stack {name}": "cloudformation:DescribeStacks",
            f"function {name}-1769": "lambda:GetFunctionConfiguration",
            "quota": "lambda:GetAccountSettings",
            "failed events": "sqs:GetQueueAttributes",
            "queue": "sqs:SendMessage",
            "topic": "sns:Publish",
        }
        denied = (
            "describe_stacks get_account_settings get_function_configuration"
            " get_queue_attributes publish_batch send_message_batch"
        )
        found = examine(fabric, code="AccessDenied", denied=denied)
        assert bad(found) == [*needed]
        for check, permission in needed.items():
            assert found[check].verdict is WARNING
            assert permission in found[check].advice
        assert {"mailboxes", "object", "job"} < found.keys()

    def test_find_a_deployment_gets_no_further(self, fabric: EmulatedFabric) -> None:
        found = examine(fabric, code="AccessDenied", denied="get_object")
        assert found["deployment"].verdict is WARNING
        assert "s3:GetObject" in found["deployment"].advice
        assert "lease" not in found

    def test_sign_in_gets_no_further(self, fabric: EmulatedFabric) -> None:
        found = examine(fabric, code="ExpiredToken", denied="get_caller_identity")
        assert [*found] == bad(found) == ["credentials"]
        assert "did not take the credentials" in found["credentials"].text

    def test_reach_a_service_is_told_what_it_said(self, fabric: EmulatedFabric) -> None:
        found = examine(fabric, code="Broken", denied="get_account_settings")
        assert bad(found) == ["quota"]
        assert found["quota"].verdict is PROBLEM
