"""Asynchronous invocations of the emulated Lambda: turns, ages, records, faults."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from serverless_dist.cloud.emulated_functions import Faults, LambdaHost
from serverless_dist.errors import UsageError
from tests.lambda_clients import HANDLER, Caller, Lines, service

SELF = {"f": "f"}


@pytest.fixture(scope="module")
def single() -> Iterator[Caller]:
    """Call a Lambda that runs one invocation at a time; g has no destination."""
    functions = {"f": 512, "g": 512}
    with LambdaHost(HANDLER, functions, concurrency=1, destinations=SELF) as host:
        caller = Caller(host.endpoint)
        with closing(caller.boto):
            yield caller


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Lines]:
    with closing(Lines(tmp_path / "lines")) as lines:
        yield lines


@pytest.fixture
def gate(tmp_path: Path) -> str:
    path = tmp_path / "gate"
    os.mkfifo(path)
    return os.fspath(path)


def test_invocations_at_once_have_environments_of_their_own(
    lines: Lines, gate: str
) -> None:
    with service() as (caller, host):
        for name in range(3):
            caller.send("f", name=name, do="wait", gate=gate, tell=lines.path)
        begun = [lines.read() for _ in range(3)]
        assert sorted(name for name, _ in begun) == [0, 1, 2]
        assert len({pid for _, pid in begun}) == 3
        Path(gate).write_bytes(b"")
        assert len(list(host.logs.glob("f-*.log"))) == 3


def test_without_room_events_wait_their_turn_and_calls_are_refused(
    single: Caller, lines: Lines, gate: str
) -> None:
    single.send("f", name=0, do="wait", gate=gate, tell=lines.path)
    _, pid = lines.read()
    for name in range(1, 4):
        single.send("f", name=name, tell=lines.path)
    with pytest.raises(ClientError, match="Rate Exceeded") as error:
        single.call("f")
    assert error.value.response["Error"]["Code"] == "TooManyRequestsException"
    Path(gate).write_bytes(b"")
    assert [lines.read() for _ in range(3)] == [[1, pid], [2, pid], [3, pid]]


def test_the_destination_is_told_of_an_event_that_raised(
    single: Caller, lines: Lines
) -> None:
    event = {"name": "why", "do": "raise", "tell": lines.path}
    request = single.send("f", **event)
    lines.read()
    record = lines.read()
    assert set(record) == {
        "version",
        "timestamp",
        "requestContext",
        "requestPayload",
        "responseContext",
        "responsePayload",
    }
    assert record["version"] == "1.0"
    assert record["requestContext"] == {
        "requestId": request,
        "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 1,
    }
    assert record["requestPayload"] == event
    assert record["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert record["responsePayload"]["errorType"] == "KeyError"
    assert record["responsePayload"]["errorMessage"] == "'why'"


def test_the_destination_is_told_of_a_process_that_ended(
    single: Caller, lines: Lines
) -> None:
    request = single.send("f", do="exit", code=9, tell=lines.path)
    lines.read()
    told = lines.read()["responsePayload"]
    assert told == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request} Error: Runtime exited with error:"
        " exit status 9",
    }


def test_a_destination_that_fails_is_not_told_of_that(
    single: Caller, lines: Lines
) -> None:
    single.send("f", do="raise", name=1, then="raise", tell=lines.path)
    lines.read()
    assert "requestContext" in lines.read()
    # In its turn, after whatever the failure could have brought.
    single.send("f", name="last", tell=lines.path)
    assert lines.read()[0] == "last"


def test_without_a_destination_a_failed_event_is_forgotten(
    single: Caller, lines: Lines
) -> None:
    single.send("g", do="raise", name=1, tell=lines.path)
    assert lines.read()[0] == 1
    single.send("g", name="last", tell=lines.path)
    assert lines.read()[0] == "last"


def test_an_event_that_is_too_old_is_not_started_but_told_of(lines: Lines) -> None:
    faults = Faults(delay=0.02)
    with service(destinations=SELF, max_event_age=0.01, faults=faults) as (caller, _):
        event = {"name": "old", "tell": lines.path}
        caller.send("f", **event)
        record = lines.read()
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert record["requestPayload"] == event
    assert "responsePayload" not in record


def test_a_delayed_event_starts_after_what_came_later(lines: Lines) -> None:
    with service(faults=Faults(delay=2.0)) as (caller, _):
        caller.call("f", name="warm", tell=lines.path)
        caller.send("f", name="event", tell=lines.path)
        caller.call("f", name="call", tell=lines.path)
        assert [lines.read()[0] for _ in range(3)] == ["warm", "call", "event"]


def test_events_are_started_twice_or_lost_by_number(lines: Lines) -> None:
    faults = Faults(twice={1, 3}, lost=range(2, 3))
    with service(faults=faults) as (caller, _):
        for name in range(5):
            caller.call("f")  # calls do not count
            caller.send("f", name=name, tell=lines.path)
            starts = [1, 2, 0, 2, 1][name]
            assert [lines.read()[0] for _ in range(starts)] == [name] * starts


def test_the_first_invocations_are_throttled_as_often_as_asked() -> None:
    with service(faults=Faults(throttled=2)) as (caller, _):
        for send in (caller.send, caller.call):
            with pytest.raises(ClientError) as error:
                send("f")
            answer = error.value.response
            assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
            assert answer["Error"]["Code"] == "TooManyRequestsException"
        caller.call("f")


def test_a_destination_that_is_no_function_is_told() -> None:
    with (
        pytest.raises(UsageError, match="no function nobody"),
        service(destinations={"f": "nobody"}),
    ):
        pass
