"""How tests call an emulated Lambda and hear of what its functions do."""

import json
import os
import select
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from serverless_dist.cloud.emulated_functions import LambdaHost

HANDLER = "tests.lambda_functions.handler"
_PATIENCE = 60.0  # seconds that a line may take; none of them tells that all is well


class Lines:
    """A FIFO: functions write lines of JSON, in the order of what they tell of."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = os.fspath(path)
        self._descriptor = os.open(path, os.O_RDWR)  # no end while nobody writes
        self._data = b""

    def read(self) -> Any:
        """Return what the next line says."""
        while b"\n" not in self._data:
            assert select.select([self._descriptor], [], [], _PATIENCE)[0], "no line"
            self._data += os.read(self._descriptor, 65_536)
        line, _, self._data = self._data.partition(b"\n")
        return json.loads(line)

    def close(self) -> None:
        os.close(self._descriptor)


class Caller:
    """Calls functions through boto3, which does not try again."""

    def __init__(self, endpoint: str) -> None:
        self.boto = boto3.client(
            "lambda",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="caller",
            aws_secret_access_key="caller",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def call(self, function: str, /, **event: object) -> Any:
        """Return the answer of a synchronous invocation."""
        answer = self._invoke(function, "RequestResponse", event)
        content = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, content
        return content

    def fail(self, function: str, /, **event: object) -> Any:
        """Return what is told of a synchronous invocation that fails."""
        answer = self._invoke(function, "RequestResponse", event)
        assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
        return json.loads(answer["Payload"].read())

    def send(self, function: str, /, **event: object) -> str:
        """Invoke asynchronously and return the id of the request."""
        answer = self._invoke(function, "Event", event)
        assert answer["StatusCode"] == 202
        assert answer["Payload"].read() == b""
        request: str = answer["ResponseMetadata"]["RequestId"]
        return request

    def _invoke(self, function: str, kind: str, event: object) -> Any:
        return self.boto.invoke(
            FunctionName=function, InvocationType=kind, Payload=json.dumps(event)
        )


@contextmanager
def service(
    memory_mb: int = 512, handler: str = HANDLER, **settings: Any
) -> Iterator[tuple[Caller, LambdaHost]]:
    """Run a Lambda with one function, `f`, and who calls it."""
    with LambdaHost(handler, {"f": memory_mb}, **settings) as host:
        caller = Caller(host.endpoint)
        with closing(caller.boto):
            yield caller, host


def wait_for_end(pid: int) -> None:
    """Return once a process has ended."""
    try:
        watch = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([watch], [], [], _PATIENCE)[0], f"{pid} goes on"
    finally:
        os.close(watch)
