"""The emulated Lambda answers boto3 as AWS does, and runs handlers as AWS does."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from serverless_dist.cloud.emulated_functions import LambdaHost
from serverless_dist.cloud.limits import LAMBDA_ASYNC_BYTES, LAMBDA_SYNC_BYTES
from tests.lambda_clients import HANDLER, Caller, Lines, service, wait_for_end


@pytest.fixture(scope="module")
def host() -> Iterator[LambdaHost]:
    with LambdaHost(HANDLER, {"f": 512, "g": 1_769}, {"MINE": "yes"}) as host:
        yield host


@pytest.fixture
def caller(host: LambdaHost) -> Iterator[Caller]:
    caller = Caller(host.endpoint)
    with closing(caller.boto):
        yield caller


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Lines]:
    with closing(Lines(tmp_path / "lines")) as lines:
        yield lines


def code_of(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    answer = error.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def test_an_environment_is_used_again_and_another_function_has_its_own(
    caller: Caller,
) -> None:
    first = caller.call("f", name=1)
    assert first["event"] == {"name": 1}
    assert first["arn"] == "arn:aws:lambda:us-east-1:123456789012:function:f"
    assert 0 < first["remaining"] <= 900_000
    again = caller.call("f")
    assert again["pid"] == first["pid"]
    assert again["request"] != first["request"]
    assert caller.call("g")["pid"] != first["pid"]
    assert caller.call("f")["pid"] == first["pid"]


def test_an_invocation_without_a_payload_is_one_of_an_empty_object(
    caller: Caller,
) -> None:
    answer = caller.boto.invoke(FunctionName="f")
    assert b'"event": {}' in answer["Payload"].read()
    assert answer["ExecutedVersion"] == "$LATEST"


def test_a_dry_run_starts_nothing(caller: Caller, lines: Lines) -> None:
    answer = caller.boto.invoke(
        FunctionName="f",
        InvocationType="DryRun",
        Payload=b'{"tell": "%s"}' % lines.path.encode(),
    )
    assert (answer["StatusCode"], answer["Payload"].read()) == (204, b"")
    caller.call("f", tell=lines.path, name="next")
    assert lines.read()[0] == "next"


def test_functions_and_the_account_can_be_asked_for(caller: Caller) -> None:
    answer = caller.boto.get_function_configuration(FunctionName="g")
    assert (answer["MemorySize"], answer["Timeout"]) == (1_769, 900)
    limit = caller.boto.get_account_settings()["AccountLimit"]
    assert limit["ConcurrentExecutions"] == 1_000


def test_a_missing_function_is_told_by_name(caller: Caller) -> None:
    with pytest.raises(ClientError, match=r"not found: .*function:nobody") as error:
        caller.call("nobody")
    assert code_of(error) == (404, "ResourceNotFoundException")


@pytest.mark.parametrize(
    ("kind", "limit"),
    [("RequestResponse", LAMBDA_SYNC_BYTES), ("Event", LAMBDA_ASYNC_BYTES)],
)
def test_a_payload_may_be_as_large_as_its_limit(
    caller: Caller, kind: str, limit: int
) -> None:
    largest = b'{"do": "exit", "code": 0}'.ljust(limit)
    answer = caller.boto.invoke(FunctionName="f", InvocationType=kind, Payload=largest)
    assert answer["StatusCode"] in (200, 202)
    answer["Payload"].read()
    with pytest.raises(ClientError, match=f"smaller than {limit} bytes") as error:
        caller.boto.invoke(
            FunctionName="f", InvocationType=kind, Payload=largest + b" "
        )
    assert code_of(error) == (413, "RequestTooLargeException")


def test_a_payload_that_is_no_json_is_refused(caller: Caller) -> None:
    with pytest.raises(ClientError) as error:
        caller.boto.invoke(FunctionName="f", Payload=b"{")
    assert code_of(error) == (400, "InvalidRequestContentException")


def test_an_answer_may_be_as_large_as_its_limit(caller: Caller) -> None:
    most = LAMBDA_SYNC_BYTES - len('""')
    assert len(caller.call("f", do="repeat", count=most)) == most
    told = caller.fail("f", do="repeat", count=most + 1)
    assert told["errorType"] == "Function.ResponseSizeTooLarge"
    assert str(LAMBDA_SYNC_BYTES) in told["errorMessage"]
    assert caller.call("f", do="repeat", count=1) == "x"


def test_an_exception_is_told_and_the_environment_used_again(caller: Caller) -> None:
    pid = caller.call("f")["pid"]
    told = caller.fail("f", do="raise", name="nothing")
    assert (told["errorType"], told["errorMessage"]) == ("KeyError", "'nothing'")
    assert "in _raise" in "".join(told["stackTrace"])
    assert caller.call("f")["pid"] == pid


@pytest.mark.parametrize(
    ("event", "how"),
    [
        ({"do": "exit", "code": 3}, "Runtime exited with error: exit status 3"),
        ({"do": "exit", "code": 0}, "Runtime exited without providing a reason"),
        ({"do": "crash"}, "Runtime exited with error: signal: segmentation fault"),
    ],
    ids=["status", "no reason", "signal"],
)
def test_a_process_that_ends_fails_its_invocation_alone(
    caller: Caller, event: dict[str, object], how: str
) -> None:
    pid = caller.call("f")["pid"]
    told = caller.fail("f", **event)
    assert told["errorType"] == "Runtime.ExitError"
    assert told["errorMessage"].endswith(f"Error: {how}")
    assert caller.call("f")["pid"] != pid


def test_what_a_process_has_started_ends_with_it(caller: Caller, lines: Lines) -> None:
    caller.fail("f", do="abandon", tell=lines.path)
    lines.read()
    wait_for_end(lines.read())


def test_a_process_that_ends_while_it_is_idle_is_not_used_again(
    caller: Caller,
) -> None:
    pid = caller.call("f")["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    caller.boto.get_account_settings()  # the service has looked at its events since
    assert caller.call("f")["pid"] != pid


def test_a_handler_that_cannot_be_imported_fails_every_invocation() -> None:
    with service(handler="tests.nowhere.handler") as (caller, _):
        for _ in range(2):
            told = caller.fail("f")
            assert told["errorType"] == "Runtime.ImportModuleError"
            assert "No module named 'tests.nowhere'" in told["errorMessage"]


def test_a_function_over_its_time_is_killed_with_all_that_it_started(
    lines: Lines,
) -> None:
    with service(timeout=0.5) as (caller, host):
        told = caller.fail("f", do="hang", tell=lines.path)
        assert told["errorType"] == "Sandbox.Timedout"
        assert told["errorMessage"].endswith("Task timed out after 0.50 seconds")
        lines.read()
        for pid in lines.read():
            wait_for_end(pid)
        assert "Task timed out" in Path(host.logs, "f-0001.log").read_text()
        assert caller.call("f")["variables"]["AWS_LAMBDA_LOG_STREAM_NAME"] == "f-0002"


def test_a_function_over_its_memory_is_killed(lines: Lines) -> None:
    with service(128) as (caller, host):
        told = caller.fail("f", do="eat", mb=200, tell=lines.path)
        assert told["errorType"] == "Runtime.ExitError"
        assert told["errorMessage"].endswith("signal: killed")
        log = Path(host.logs, "f-0001.log").read_text()
        assert "Memory Size: 128 MB Max Memory Used: " in log
        assert caller.call("f")["pid"] != lines.read()[1]


def test_a_function_sees_its_own_variables_and_none_of_the_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    theirs = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_X", "MY_PASSWORD"]
    for name in theirs:
        monkeypatch.setenv(name, "of the user")
    with service(environment={"MINE": "yes"}) as (caller, own):
        seen = caller.call("f")["variables"]
    assert "of the user" not in seen.values()
    assert "HOME" not in seen
    assert (seen["MINE"], seen["AWS_ACCESS_KEY_ID"]) == ("yes", "emulated")
    assert seen["AWS_ENDPOINT_URL_LAMBDA"] == own.endpoint
    assert seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"


def test_what_a_function_prints_is_in_its_log_and_its_files_go_with_it(
    tmp_path: Path,
) -> None:
    with service(logs=tmp_path) as (caller, host):
        caller.call("f", do="write", text="here I am")
        scratch = Path(caller.call("f")["variables"]["TMPDIR"])
        assert (scratch / "left").exists()
        caller.fail("f", do="exit", code=1)
        assert not scratch.exists()
        assert host.logs == tmp_path
    assert not scratch.parent.exists()
    assert "here I am\n" in (tmp_path / "f-0001.log").read_text()


def test_what_functions_print_can_be_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with service(echo=True) as (caller, _):
        caller.call("f", do="write", text="here I am")
    assert capfd.readouterr() == ("", "here I am\n")
