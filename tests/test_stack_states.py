"""Stacks in every state that CloudFormation knows, which answers by a script."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from botocore.stub import ANY, Stubber

from serverless_dist.cloud.aws import AwsClients
from serverless_dist.errors import CloudError
from serverless_dist.runtime.stack_states import Action, next_action
from serverless_dist.runtime.stacks import Stacks

ID = "arn:aws:cloudformation:us-east-1:123456789012:stack/lab/0123"


class Script:
    """What CloudFormation answers, and what `Stacks` has told."""

    def __init__(self, clients: AwsClients, stub: Stubber) -> None:
        self.lines: list[str] = []
        self.pauses: list[float] = []
        self.stacks = Stacks(clients, self.lines.append, self.pauses.append)
        self._stub = stub

    def state(self, status: str | None, reason: str = "") -> None:
        if status is None:
            text = "Stack with id lab does not exist"
            self._stub.add_client_error("describe_stacks", "ValidationError", text, 400)
            return
        stack = {
            "StackId": ID,
            "StackName": "lab",
            "CreationTime": 0,
            "StackStatus": status,
            "StackStatusReason": reason,
        }
        self._stub.add_response("describe_stacks", {"Stacks": [stack]})

    def deletion(self, resources: int = 0) -> None:
        self.resources(resources)
        self._stub.add_response("delete_stack", {}, {"StackName": ID})

    def resources(self, count: int, status: str = "CREATE_COMPLETE") -> None:
        each = {
            "LogicalResourceId": "Bucket",
            "ResourceType": "AWS::S3::Bucket",
            "LastUpdatedTimestamp": 0,
            "ResourceStatus": status,
        }
        self._stub.add_response(
            "list_stack_resources", {"StackResourceSummaries": [each] * count}
        )

    def rollback(self) -> None:
        self._stub.add_response("continue_update_rollback", {}, {"StackName": "lab"})

    def refuse_update(self, why: str) -> None:
        self._stub.add_client_error("update_stack", "ValidationError", why, 400)

    def update(self) -> None:
        parameters = [{"ParameterKey": "Secret", "ParameterValue": "s"}]
        expected = {
            "StackName": "lab",
            "TemplateBody": "{}",
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
            "Parameters": parameters,
        }
        self._stub.add_response("update_stack", {"StackId": ID}, expected)

    def events(self, *events: tuple[str, str, str]) -> None:
        """Give events: the newest first, as CloudFormation does."""
        self._stub.add_response(
            "describe_stack_events",
            {
                "StackEvents": [
                    {
                        "StackId": ID,
                        "EventId": str(number),
                        "StackName": "lab",
                        "Timestamp": 0,
                        "LogicalResourceId": name,
                        "PhysicalResourceId": ID if name == "lab" else "",
                        "ResourceType": "AWS::SQS::Queue",
                        "ResourceStatus": status,
                        "ResourceStatusReason": reason,
                    }
                    for number, (name, status, reason) in enumerate(events)
                ]
            },
            {"StackName": ANY},
        )


@pytest.fixture
def script() -> Iterator[Script]:
    with (
        closing(AwsClients(None, "http://127.0.0.1:1")) as clients,
        Stubber(clients.client("cloudformation")._client) as stub,
    ):
        yield Script(clients, stub)
        stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("status", "action"),
    [
        (None, Action.CREATE),
        ("DELETE_COMPLETE", Action.CREATE),
        ("CREATE_COMPLETE", Action.UPDATE),
        ("UPDATE_COMPLETE", Action.UPDATE),
        ("UPDATE_ROLLBACK_COMPLETE", Action.UPDATE),
        ("UPDATE_FAILED", Action.UPDATE),
        ("IMPORT_COMPLETE", Action.UPDATE),
        ("CREATE_IN_PROGRESS", Action.WAIT),
        ("ROLLBACK_IN_PROGRESS", Action.WAIT),
        ("DELETE_IN_PROGRESS", Action.WAIT),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Action.WAIT),
        ("REVIEW_IN_PROGRESS", Action.REMOVE),
        ("CREATE_FAILED", Action.REMOVE),
        ("ROLLBACK_COMPLETE", Action.REMOVE),
        ("ROLLBACK_FAILED", Action.REMOVE),
        ("DELETE_FAILED", Action.REMOVE),
        ("UPDATE_ROLLBACK_FAILED", Action.CONTINUE_ROLLBACK),
    ],
)
def test_a_state_calls_for_an_action(status: str | None, action: Action) -> None:
    assert next_action(status) is action


def test_another_operation_is_waited_for(script: Script) -> None:
    for status in ("UPDATE_IN_PROGRESS",) * 3:
        script.state(status)
    script.state("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    script.state("UPDATE_COMPLETE")
    script.state("UPDATE_COMPLETE")
    assert script.stacks.settle("lab") is Action.UPDATE
    assert script.lines == ["stack lab: UPDATE_IN_PROGRESS, waiting for its end"]
    assert script.pauses == sorted(script.pauses)
    assert len(script.pauses) == 3


@pytest.mark.parametrize("status", ["DELETE_FAILED", "ROLLBACK_FAILED"])
def test_what_cannot_be_updated_is_removed_first(script: Script, status: str) -> None:
    prepared: list[str] = []
    script.state(status)
    script.state(status)
    script.deletion(2)
    script.state("DELETE_IN_PROGRESS")
    script.resources(1)
    script.state("DELETE_COMPLETE")
    script.state(None)
    action = script.stacks.settle("lab", lambda: prepared.append("emptied"))
    assert action is Action.CREATE
    assert prepared == ["emptied"]
    assert script.lines == ["stack lab: 1 of 2 resources removed"]


def test_a_rollback_that_failed_is_gone_on_with(script: Script) -> None:
    script.state("UPDATE_ROLLBACK_FAILED")
    script.rollback()
    script.state("UPDATE_ROLLBACK_IN_PROGRESS")
    script.state("UPDATE_ROLLBACK_COMPLETE")
    script.state("UPDATE_ROLLBACK_COMPLETE")
    assert script.stacks.settle("lab") is Action.UPDATE


def test_a_rollback_that_fails_again_names_the_resource(script: Script) -> None:
    script.state("UPDATE_ROLLBACK_FAILED")
    script.rollback()
    script.state("UPDATE_ROLLBACK_FAILED")
    script.events(
        ("Mailbox1", "UPDATE_FAILED", "no such queue"),
        ("lab", "UPDATE_ROLLBACK_IN_PROGRESS", ""),
        ("Mailbox2", "UPDATE_FAILED", "long ago"),
    )
    with pytest.raises(CloudError, match="undone: SQS::Queue Mailbox1: no such queue"):
        script.stacks.settle("lab")


def test_a_removal_that_fails_is_repeated_and_then_told(script: Script) -> None:
    prepared: list[str] = []
    for _ in range(3):
        script.state("UPDATE_COMPLETE")
        script.deletion()
        script.state("DELETE_FAILED")
        script.events(
            ("Bucket", "DELETE_FAILED", "not empty"),
            ("lab", "DELETE_IN_PROGRESS", ""),
            ("Role", "DELETE_FAILED", "long ago"),
        )
    left = script.stacks.remove("lab", lambda: prepared.append("emptied"))
    assert left == ["stack lab is left: SQS::Queue Bucket: not empty"]
    assert prepared == ["emptied"] * 3


def test_what_failed_first_is_named_and_not_what_was_given_up(script: Script) -> None:
    script.state("UPDATE_ROLLBACK_COMPLETE")
    script.events(
        ("lab", "UPDATE_ROLLBACK_COMPLETE", ""),
        ("Mailbox3", "CREATE_FAILED", "Resource creation cancelled"),
        ("Mailbox2", "CREATE_FAILED", "it too"),
        ("Mailbox1", "CREATE_FAILED", "wait 60 seconds"),
        ("lab", "UPDATE_IN_PROGRESS", "User Initiated"),
        ("Mailbox0", "CREATE_FAILED", "long ago"),
    )
    with pytest.raises(CloudError, match="SQS::Queue Mailbox1: wait 60 seconds"):
        script.stacks.finish("lab", ID, 5)


def test_progress_counts_what_is_ready(script: Script) -> None:
    script.state("CREATE_IN_PROGRESS")
    script.resources(2)
    script.state("CREATE_IN_PROGRESS")
    script.resources(2, "CREATE_IN_PROGRESS")
    script.state("CREATE_COMPLETE")
    script.stacks.finish("lab", ID, 3)
    assert script.lines == [
        "stack lab: 2 of 3 resources ready",
        "stack lab: 0 of 3 resources ready",
    ]


def test_an_update_that_changes_nothing_is_no_error(script: Script) -> None:
    script.state("UPDATE_COMPLETE")
    script.refuse_update("No updates are to be performed.")
    assert script.stacks.begin("lab", {"TemplateBody": "{}"}, {}) is None


def test_an_update_passes_its_parameters(script: Script) -> None:
    script.state("UPDATE_COMPLETE")
    script.update()
    body = {"TemplateBody": "{}"}
    assert script.stacks.begin("lab", body, {"Secret": "s"}) == ID


def test_any_other_refusal_is_an_error(script: Script) -> None:
    script.state("UPDATE_COMPLETE")
    script.refuse_update("no template")
    with pytest.raises(CloudError, match="UpdateStack on stack lab was refused"):
        script.stacks.begin("lab", {"TemplateBody": "{}"}, {})
