"""CloudFormation's stacks: made, updated and removed, from whatever state they are in.

1. `next_action` decides by a stack's state alone; what it leads to ends in a state of
   rest, so that whatever broke off is taken up by the next call.
2. A stack that cannot be made is removed by AWS, one that cannot be updated is put
   back; the error names the first resource that failed and why.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from serverless_dist.cloud.attempts import Refusal, call
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.errors import CloudError
from serverless_dist.runtime.stack_states import Action, StackState, next_action

Progress = Callable[[str], None]

_REMOVALS = 3  # attempts: something may have been put into a bucket meanwhile
_FIRST_POLL, _LONGEST_POLL = 0.1, 3.0  # seconds
_CHANGES = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")
_ROLLBACKS = ("UPDATE_ROLLBACK_IN_PROGRESS",)
_CANCELLED = "cancelled"  # the reason of resources that did not fail themselves


class Stacks:
    """The stacks of an account in a region.

    Parameters
    ----------
    clients
        How AWS is asked.
    on_progress
        Is told how far a stack is.
    sleep
        Waits between two looks at a stack.
    """

    def __init__(
        self,
        clients: AwsClients,
        on_progress: Progress,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._service = clients.client("cloudformation")
        self._on_progress = on_progress
        self._sleep = sleep

    def find(self, name: str) -> StackState | None:
        """Return a stack's state by its name or id, or None if there is none."""
        try:
            answer = self._ask("describe_stacks", name)
        except Refusal as refusal:
            if _says(refusal, "does not exist"):
                return None
            raise
        stack = answer["Stacks"][0]
        return StackState(
            stack["StackId"], stack["StackStatus"], stack.get("StackStatusReason", "")
        )

    def settle(self, name: str, prepare: Callable[[], None] | None = None) -> Action:
        """Bring a stack into a state to create or to update it in.

        Parameters
        ----------
        name
            Of the stack.
        prepare
            Called before a removal: makes it possible; None: nothing has to be done.

        Returns
        -------
        Action
            Which of both it is.

        Raises
        ------
        CloudError
            It has to go and cannot be removed, or an update cannot be undone.
        """
        while True:
            state = self.find(name)
            action = next_action(state.status if state else None)
            if state is None or action in {Action.CREATE, Action.UPDATE}:
                return action
            if action is Action.WAIT:
                self._on_progress(f"stack {name}: {state.status}, waiting for its end")
                self._wait(name, state.id)
            elif action is Action.REMOVE:
                if left := self.remove(name, prepare):
                    raise CloudError(left[0], retryable=False)
            else:
                self._continue_rollback(name, state.id)

    def begin(
        self, name: str, body: Mapping[str, str], parameters: Mapping[str, str]
    ) -> str | None:
        """Start to create or to update a settled stack; return its id.

        Parameters
        ----------
        name
            Of the stack.
        body
            Its template, as `TemplateBody` or `TemplateURL`.
        parameters
            Of the template.

        Returns
        -------
        str or None
            What to `finish`; None: it is like this already.
        """
        arguments: dict[str, Any] = {
            **body,
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in parameters.items()
            ],
        }
        state = self.find(name)
        if state is None:
            answer = self._ask("create_stack", name, OnFailure="DELETE", **arguments)
        else:
            try:
                answer = self._ask("update_stack", name, **arguments)
            except Refusal as refusal:
                if _says(refusal, "No updates are to be performed"):
                    return None
                raise
        stack: str = answer["StackId"]
        return stack

    def finish(self, name: str, stack: str, total: int) -> None:
        """Return when a stack is as it was to be.

        Parameters
        ----------
        name
            Of the stack.
        stack
            Its id.
        total
            How many resources it is to have.

        Raises
        ------
        CloudError
            AWS could not make it so, and has taken back what it did.
        """
        state = self._wait(name, stack, total)
        if not state.is_made:
            failures = self._failures(stack, _CHANGES) or self._objections(stack)
            what = failures[0] if failures else state.reason or "no reason given"
            msg = (
                f"stack {name} could not be made as asked, and AWS has undone it"
                f" ({state.status}): {what}"
            )
            raise CloudError(msg, retryable=False)

    def remove(
        self, name: str, prepare: Callable[[], None] | None = None
    ) -> Sequence[str]:
        """Remove a stack and all of it; return what is left, with the reason.

        Parameters
        ----------
        name
            Of the stack; one that does not exist is no error.
        prepare
            Called before each attempt: makes it possible; None: nothing has to be done.
        """
        left: Sequence[str] = ()
        for _ in range(_REMOVALS):
            if (state := self.find(name)) is None:
                return ()
            if next_action(state.status) is Action.WAIT:
                self._on_progress(f"stack {name}: {state.status}, waiting for its end")
                self._wait(name, state.id)
            if prepare is not None:
                prepare()
            total = len(self._resources(state.id))
            self._ask("delete_stack", state.id)
            state = self._wait(name, state.id, total, is_removal=True)
            if state.status == "DELETE_COMPLETE":
                return ()
            left = self._failures(state.id, {"DELETE_IN_PROGRESS"}) or [state.reason]
        return [f"stack {name} is left: {what}" for what in left]

    def _continue_rollback(self, name: str, stack: str) -> None:
        self._on_progress(f"stack {name}: going on with the rollback of an update")
        self._ask("continue_update_rollback", name)
        state = self._wait(name, stack)
        if state.status == "UPDATE_ROLLBACK_FAILED":
            what = [*self._failures(stack, _ROLLBACKS), state.reason][0]
            msg = (
                f"an update of stack {name} can be neither made nor undone: {what}:"
                " mend that, or run serverless-dist destroy --name"
                f" {name} and deploy again"
            )
            raise CloudError(msg, retryable=False)

    def _wait(
        self, name: str, stack: str, total: int = 0, *, is_removal: bool = False
    ) -> StackState:
        """Return a stack's state when nothing goes on with it."""
        told, pauses = "", _pauses()
        while True:
            state = self.find(stack) or StackState(stack, "DELETE_COMPLETE", "")
            if next_action(state.status) is not Action.WAIT:
                return state
            if total:
                done = self._count_done(stack, total, is_removal=is_removal)
                verb = "removed" if is_removal else "ready"
                line = f"stack {name}: {done} of {total} resources {verb}"
                if line != told:
                    self._on_progress(line)
                    told = line
            self._sleep(next(pauses))

    def _count_done(self, stack: str, total: int, *, is_removal: bool) -> int:
        statuses: list[str] = [
            each["ResourceStatus"] for each in self._resources(stack)
        ]
        if is_removal:
            return total - len(statuses) + statuses.count("DELETE_COMPLETE")
        made = statuses.count("CREATE_COMPLETE") + statuses.count("UPDATE_COMPLETE")
        return min(total, made)

    def _resources(self, stack: str) -> Sequence[Mapping[str, Any]]:
        pages = self._pages("list_stack_resources", stack, "StackResourceSummaries")
        return list(pages)

    def _failures(self, stack: str, beginnings: Collection[str]) -> Sequence[str]:
        """Return what has failed since the stack was last in one of those states."""
        failures = []
        for event in self._pages("describe_stack_events", stack, "StackEvents"):
            status = event["ResourceStatus"]
            thing = event.get("PhysicalResourceId") or event["LogicalResourceId"]
            is_own = thing == stack
            if is_own and status in beginnings:
                break
            reason = event.get("ResourceStatusReason", "no reason given")
            if not is_own and status.endswith("_FAILED") and _CANCELLED not in reason:
                kind = event["ResourceType"].removeprefix("AWS::")
                failures.append(f"{kind} {thing}: {reason}")
        return list(dict.fromkeys(reversed(failures)))

    def _objections(self, stack: str) -> Sequence[str]:
        """Return what AWS has found before it touched a resource."""
        try:
            answer = self._ask("describe_events", stack, Filters={"FailedEvents": True})
        except KeyError:  # boto3 does not know it before 1.41
            return []
        found = [e for e in answer["OperationEvents"] if "ValidationStatusReason" in e]
        return [
            f"{event['ResourceType'].removeprefix('AWS::')}"
            f" {event['LogicalResourceId']}: {event['ValidationStatusReason']}"
            for event in found
            if event["OperationId"] == found[0]["OperationId"]  # the last one
        ]

    def _pages(
        self, operation: str, stack: str, field: str
    ) -> Iterator[Mapping[str, Any]]:
        more: dict[str, str] = {}
        while True:
            answer = self._ask(operation, stack, **more)
            yield from answer[field]
            if not answer.get("NextToken"):
                return
            more = {"NextToken": answer["NextToken"]}

    def _ask(self, operation: str, stack: str, **arguments: object) -> dict[str, Any]:
        name = stack.split("/")[1] if "/" in stack else stack
        resource = f"stack {name}"
        return call(self._service, operation, resource, StackName=stack, **arguments)


def _pauses() -> Iterator[float]:
    pause = _FIRST_POLL
    while True:
        yield pause
        pause = min(pause * 1.5, _LONGEST_POLL)


def _says(refusal: Refusal, text: str) -> bool:
    return refusal.code == "ValidationError" and text in str(refusal)
