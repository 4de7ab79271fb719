"""An emulated AWS Lambda: its REST API, environments of real processes, and faults.

1. An environment runs one invocation at a time; it is used again, and a new one is
   started where none is idle, until so many invocations run as may at once.
2. Then calls are refused with 429, and events wait their turn, first come first
   served, until they are too old.
3. An event that fails is not tried again: its destination is told, once, with AWS's
   record; a destination that fails is nobody's business.
"""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Coroutine
from dataclasses import replace
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from serverless_dist.cloud.emulated_functions import LambdaSettings
from serverless_dist.cloud.limits import LAMBDA_ASYNC_BYTES, LAMBDA_SYNC_BYTES
from serverless_dist.testing.lambda_environment import Environment
from serverless_dist.testing.lambda_http import MAX_HEAD, Answer, Request, serve
from serverless_dist.testing.lambda_invocations import (
    Function,
    Invocation,
    Outcome,
    failure_record,
    not_started,
)

_FUNCTION = re.compile(r"/2015-03-31/functions/([^/]+)/(invocations|configuration)")
_ACCOUNT = "/2016-08-19/account-settings"
_EVENT, _CALL, _DRY_RUN = "Event", "RequestResponse", "DryRun"


class LambdaService:
    """Serves on a free port of 127.0.0.1 between ``async with`` and its end."""

    def __init__(self, settings: LambdaSettings) -> None:
        self._settings = settings
        self._faults = settings.faults
        self._functions = {
            name: Function(name, memory) for name, memory in settings.functions.items()
        }
        self._idle: dict[Function, list[Environment]] = defaultdict(list)
        self._environments: set[Environment] = set()
        self._opened = 0
        self._room = asyncio.Semaphore(settings.concurrency)
        self._tasks: set[asyncio.Task[None]] = set()
        self._throttled = 0  # calls so far
        self._accepted = 0  # events so far

    def __repr__(self) -> str:
        idle = sum(map(len, self._idle.values()))
        return f"<LambdaService: {len(self._environments)} environments, {idle} idle>"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, limit=MAX_HEAD, backlog=1_024
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        here = {"AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{self.port}"}
        variables = {**self._settings.environment, **here}
        self._told = replace(self._settings, environment=variables)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        while self._environments:  # one may have been on its way
            await asyncio.gather(*(each.close() for each in self._environments))

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await serve(reader, writer, self._respond)

    async def _respond(self, request: Request) -> Answer:
        path = unquote(urlsplit(request.target).path).rstrip("/")
        if path == _ACCOUNT:
            return self._describe_account()
        match = _FUNCTION.fullmatch(path)
        if match is None:
            return _refuse(404, "UnknownOperationException", f"There is no {path}")
        function = self._functions.get(match[1])
        if function is None:
            arn = Function(match[1], 0).arn
            what = f"Function not found: {arn}"
            return _refuse(404, "ResourceNotFoundException", what)
        if match[2] == "configuration":
            return self._describe(function)
        return await self._invoke(function, request)

    async def _invoke(self, function: Function, request: Request) -> Answer:
        kind = request.headers.get("x-amz-invocation-type", _CALL)
        payload = request.body or b"{}"
        refusal = _check(kind, payload) or self._throttle(kind)
        if refusal is not None:
            return refusal
        invocation = Invocation(str(uuid4()), function, payload)
        if kind == _DRY_RUN:
            return Answer(204)
        if kind == _EVENT:
            self._accept(invocation)
            return Answer(202, headers=_headers(invocation))
        await self._room.acquire()  # at once: there is some
        outcome = await self._run(invocation)
        headers = _headers(invocation)
        if outcome.is_error:
            headers["X-Amz-Function-Error"] = "Unhandled"
        return Answer(200, outcome.payload, headers)

    def _throttle(self, kind: str) -> Answer | None:
        if self._throttled < self._faults.throttled:
            self._throttled += 1
        elif kind != _CALL or not self._room.locked():
            return None
        return _refuse(429, "TooManyRequestsException", "Rate Exceeded.")

    def _accept(self, event: Invocation) -> None:
        number = self._accepted
        self._accepted += 1
        if number in self._faults.lost:
            return
        for _ in range(2 if number in self._faults.twice else 1):
            self._spawn(self._deliver(event))

    async def _deliver(self, event: Invocation) -> None:
        outcome = None
        if await self._has_room(event, self._faults.delay):
            outcome = await self._run(event)
            if not outcome.is_error:
                return
        destination = self._settings.destinations.get(event.function.name)
        if destination is not None:
            record = failure_record(event, outcome)
            function = self._functions[destination]
            await self._tell(Invocation(str(uuid4()), function, record))

    async def _tell(self, record: Invocation) -> None:
        if await self._has_room(record, 0.0):
            await self._run(record)

    async def _has_room(self, event: Invocation, delay: float) -> bool:
        """Wait for a turn and take it; return whether it came in time."""
        clock = asyncio.get_running_loop()
        deadline = clock.time() + self._settings.max_event_age
        if delay:
            await asyncio.sleep(delay)
        if clock.time() >= deadline:
            return False
        try:
            async with asyncio.timeout_at(deadline):
                await self._room.acquire()
        except TimeoutError:
            return False
        return True

    async def _run(self, invocation: Invocation) -> Outcome:
        """Run it in the room that was taken, and give that back."""
        function = invocation.function
        try:
            idle = self._idle[function]
            environment = idle.pop() if idle else await self._open(function)
            outcome = await environment.run(invocation)
            if not environment.has_ended:
                idle.append(environment)
            return outcome
        except OSError as error:
            return not_started(invocation, error)
        finally:
            self._room.release()

    async def _open(self, function: Function) -> Environment:
        self._opened += 1
        environment = Environment(function, self._opened, self._told, self._forget)
        await environment.open()
        self._environments.add(environment)
        return environment

    def _forget(self, environment: Environment) -> None:
        self._environments.discard(environment)
        idle = self._idle[environment.function]
        if environment in idle:
            idle.remove(environment)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _describe(self, function: Function) -> Answer:
        return _json(
            {
                "FunctionName": function.name,
                "FunctionArn": function.arn,
                "Handler": self._settings.handler,
                "MemorySize": function.memory_mb,
                "Timeout": int(self._settings.timeout),
                "State": "Active",
                "LastUpdateStatus": "Successful",
                "Version": "$LATEST",
            }
        )

    def _describe_account(self) -> Answer:
        most = self._settings.concurrency
        return _json(
            {
                "AccountLimit": {
                    "ConcurrentExecutions": most,
                    "UnreservedConcurrentExecutions": most,
                },
                "AccountUsage": {"FunctionCount": len(self._functions)},
            }
        )


def _check(kind: str, payload: bytes) -> Answer | None:
    if kind not in (_EVENT, _CALL, _DRY_RUN):
        what = f"There is no invocation type {kind}"
        return _refuse(400, "InvalidParameterValueException", what)
    most = LAMBDA_ASYNC_BYTES if kind == _EVENT else LAMBDA_SYNC_BYTES
    if len(payload) > most:
        what = f"Request must be smaller than {most} bytes for the InvokeFunction"
        return _refuse(413, "RequestTooLargeException", f"{what} operation")
    try:
        json.loads(payload)
    except ValueError as error:
        what = f"Could not parse request body into json: {error}"
        return _refuse(400, "InvalidRequestContentException", what)
    return None


def _headers(invocation: Invocation) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "x-amzn-RequestId": invocation.request_id,
        "X-Amz-Executed-Version": "$LATEST",
    }


def _json(content: dict[str, Any], status: int = 200) -> Answer:
    headers = {"Content-Type": "application/json", "x-amzn-RequestId": str(uuid4())}
    return Answer(status, json.dumps(content).encode(), headers)


def _refuse(status: int, code: str, message: str) -> Answer:
    answer = _json({"Type": "User", "Message": message}, status)
    return Answer(status, answer.body, {**answer.headers, "x-amzn-ErrorType": code})
