"""What the state of a CloudFormation stack calls for."""

from dataclasses import dataclass
from enum import Enum

_NEVER_MADE = {  # or is gone in part: such a stack cannot be updated
    "CREATE_FAILED",
    "DELETE_FAILED",
    "REVIEW_IN_PROGRESS",  # nothing goes on: it waits for somebody to approve it
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
}


class Action(Enum):
    """What brings a stack nearer to what it is to be."""

    CREATE = "create"
    UPDATE = "update"
    WAIT = "wait"
    REMOVE = "remove"
    CONTINUE_ROLLBACK = "continue rollback"


def next_action(status: str | None) -> Action:
    """Return what to do with a stack in that state; None: there is none.

    >>> next_action("UPDATE_ROLLBACK_COMPLETE"), next_action("ROLLBACK_COMPLETE")
    (<Action.UPDATE: 'update'>, <Action.REMOVE: 'remove'>)
    """
    if status is None or status == "DELETE_COMPLETE":
        return Action.CREATE
    if status in _NEVER_MADE:
        return Action.REMOVE
    if status.endswith("_IN_PROGRESS"):
        return Action.WAIT
    if status == "UPDATE_ROLLBACK_FAILED":
        return Action.CONTINUE_ROLLBACK
    return Action.UPDATE


@dataclass(frozen=True, slots=True)
class StackState:
    """A stack as it is."""

    id: str
    status: str
    reason: str

    @property
    def is_made(self) -> bool:
        """Whether it is as its last template says."""
        return self.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
