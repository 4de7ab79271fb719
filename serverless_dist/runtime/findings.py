"""What `doctor` makes of what it has seen; nothing here asks AWS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from serverless_dist.cloud.lease_table import LeaseEntry
from serverless_dist.cloud.limits import LAMBDA_TIMEOUT
from serverless_dist.runtime.stack_states import Action, StackState, next_action
from serverless_dist.runtime.versions import mismatch

_QUOTA = "ask AWS for more: Service Quotas, Lambda, Concurrent executions"


class Verdict(Enum):
    """Whether jobs can run."""

    OK = "OK"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has found, and what to do about it."""

    check: str
    verdict: Verdict
    text: str
    advice: str = ""


def ok(check: str, text: str) -> Finding:
    """Return that all is well."""
    return Finding(check, Verdict.OK, text)


def warning(check: str, text: str, advice: str) -> Finding:
    """Return that something may go wrong."""
    return Finding(check, Verdict.WARNING, text, advice)


def problem(check: str, text: str, advice: str = "") -> Finding:
    """Return that jobs cannot run."""
    return Finding(check, Verdict.PROBLEM, text, advice)


def judge_clock(skew: float) -> Finding:
    """Judge by how many seconds this clock is behind.

    >>> judge_clock(-42.0).text
    'is 42 s ahead of that of AWS'
    """
    if not skew:
        return ok("clock", "right to within 5 s")
    side = "behind" if skew > 0 else "ahead of"
    text = f"is {abs(skew):.0f} s {side} that of AWS"
    return warning("clock", text, "set it: AWS takes no request that is 5 minutes off")


def judge_stack(name: str, state: StackState | None) -> Finding:
    """Judge the state of a stack that the deployment should have."""
    check = f"stack {name}"
    again = "run serverless-dist deploy again"
    if state is None:
        return problem(check, "does not exist", again)
    text = f"{state.status}: {state.reason}" if state.reason else state.status
    if state.is_made:
        return ok(check, text)
    action = next_action(state.status)
    if action is Action.WAIT:
        return warning(check, text, "it is being changed: wait for the end of that")
    if action is Action.UPDATE:  # an update was undone, so what was there works
        return warning(check, text, f"the last change was not made: {again}")
    return problem(check, text, again)


def judge_versions(here: Mapping[str, str], there: Mapping[str, str]) -> Finding:
    """Judge the versions of this process and of the functions."""
    what = mismatch(here, there, "the deployment")
    if what is None:
        names = ", ".join(f"{name} {value}" for name, value in here.items())
        return ok("versions", f"{names}, here and there")
    return problem("versions", what, "or run serverless-dist deploy again from here")


def judge_function(memory: int, seen: Mapping[str, Any]) -> Finding:
    """Judge what Lambda says of a function that should have that memory."""
    check = f"function {seen['FunctionName']}"
    state, update = seen.get("State", "Active"), seen.get("LastUpdateStatus", "")
    again = "run serverless-dist deploy again"
    if state == "Failed" or update == "Failed":
        reason = seen.get("StateReason") or seen.get("LastUpdateStatusReason", state)
        return problem(check, f"does not work: {reason}", again)
    if seen["MemorySize"] != memory:
        text = f"has {seen['MemorySize']:,} MB, and should have {memory:,} MB"
        return problem(check, text, again)
    if state != "Active" or update == "InProgress":
        return warning(check, f"is {state}, last update {update}", "wait a minute")
    if seen["Timeout"] < LAMBDA_TIMEOUT:
        text = f"may run {seen['Timeout']} s only, not {LAMBDA_TIMEOUT:.0f} s"
        return warning(check, text, again)
    text = f"{state}, {seen['MemorySize']:,} MB, up to {seen['Timeout']} s"
    return ok(check, text)


def judge_quota(ranks: int, most: int) -> Finding:
    """Judge how many functions the account may run at once."""
    text = f"the account may run {most:,} functions at once"
    if ranks > most:
        return problem("quota", f"{text}, not {ranks:,}", _QUOTA)
    if ranks > most // 2:
        return warning("quota", f"{text}: a second such job would wait", _QUOTA)
    return ok("quota", text)


def judge_mailboxes(
    ranks: int | None, mailboxes: int, entries: Sequence[LeaseEntry]
) -> list[Finding]:
    """Judge how many mailboxes there are, and who has them; None: any job's ranks.

    >>> [finding.text for finding in judge_mailboxes(64, 24, ())]
    ['there are 24, for up to 23 ranks, not 64']
    """
    text = f"there are {mailboxes:,}, for up to {mailboxes - 1:,} ranks"
    if ranks is not None and ranks >= mailboxes:
        advice = f"run serverless-dist deploy --ranks {ranks}"
        return [problem("mailboxes", f"{text}, not {ranks:,}", advice)]
    if not entries:
        return [ok("mailboxes", f"{text}, none in use")]
    taken = sum(entry.count for entry in entries)
    found = [ok("mailboxes", f"{text}, {taken:,} in use")]
    if (ranks or 1) + 1 > mailboxes - taken:
        who = "; ".join(str(entry) for entry in entries)
        advice = (
            "wait, deploy with more --ranks, or set SERVERLESS_DIST_MAILBOX_WAIT to the"
            " seconds that a job may wait"
        )
        found.append(warning("mailboxes", f"not enough are free: {who}", advice))
    return found


def judge_dead_letters(count: int) -> Finding:
    """Judge how many events no function has handled."""
    if not count:
        return ok("failed events", "none")
    text = f"{count:,} within 14 days of which no driver could be told"
    return warning(
        "failed events", text, "a job of that time has lost ranks: its error"
    )
