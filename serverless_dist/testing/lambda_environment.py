"""One environment of an emulated function: a process, and the Runtime API it talks to.

The process fetches an invocation, calls the handler, answers, and fetches the next;
an invocation is over when it does, or when the process has ended.
"""

import asyncio
import time
from collections.abc import Callable

from serverless_dist.cloud.emulated_functions import LambdaSettings
from serverless_dist.cloud.limits import LAMBDA_SYNC_BYTES
from serverless_dist.testing.lambda_http import MAX_HEAD, Answer, Request, serve
from serverless_dist.testing.lambda_invocations import (
    Function,
    Invocation,
    Outcome,
    exited,
    timed_out,
    too_large,
)
from serverless_dist.testing.lambda_process import RuntimeProcess

_API = "/2018-06-01/runtime/"
_INIT_SECONDS = 10.0  # from the start of a process to its first request: Lambda
_LOOK_SECONDS = 0.1  # between two looks at time and memory


class Environment:
    """Runs one invocation at a time; is of no more use once it `has_ended`.

    Parameters
    ----------
    function
        What it runs.
    number
        Different for each environment of a service.
    settings
        Those of the service.
    on_end
        Called when the process has ended.
    """

    def __init__(
        self,
        function: Function,
        number: int,
        settings: LambdaSettings,
        on_end: Callable[["Environment"], None],
    ) -> None:
        self.function = function
        self._stream = f"{function.name}-{number:04}"
        self._settings = settings
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._invocation: Invocation | None = None
        self._outcome: Outcome | None = None  # of that invocation, once it is known
        self._over: asyncio.Future[Outcome] | None = None
        self._fetching: asyncio.Future[Invocation] | None = None  # by the process
        self._deadline = 0.0

    def __repr__(self) -> str:
        what = "ended" if self.has_ended else self._invocation or "idle"
        return f"<Environment {self._stream}: {what}>"

    @property
    def has_ended(self) -> bool:
        return self._ended.is_set()

    async def open(self) -> None:
        """Start the process."""
        # Its address alone tells environments apart.
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, limit=MAX_HEAD
        )
        port = self._server.sockets[0].getsockname()[1]
        try:
            self._process = RuntimeProcess(
                self.function, self._stream, port, self._settings, self._take_end
            )
        except BaseException:
            self._server.close()
            raise

    async def run(self, invocation: Invocation) -> Outcome:
        """Return how the invocation ended; no other may run."""
        assert self._invocation is None
        self._invocation = invocation
        over: asyncio.Future[Outcome] = self._loop.create_future()
        self._over = over
        patience = max(_INIT_SECONDS, self._settings.timeout)
        self._deadline = self._loop.time() + patience
        self._hand_over()
        self._timer = self._loop.call_later(_LOOK_SECONDS, self._look)
        return await over

    async def close(self) -> None:
        """Kill the process and all of its group, and wait for its end."""
        if not self.has_ended:
            self._process.kill()
        await self._ended.wait()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await serve(reader, writer, self._respond)

    async def _respond(self, request: Request) -> Answer:
        path = request.target.removeprefix(_API)
        if path == "invocation/next":
            return await self._next()
        if self._invocation is None:
            return Answer(400)
        mine = f"invocation/{self._invocation.request_id}"
        if path in ("init/error", f"{mine}/error"):
            self._outcome = Outcome(request.body, is_error=True)
        elif path != f"{mine}/response":
            return Answer(400)
        elif len(request.body) > LAMBDA_SYNC_BYTES:
            self._outcome = too_large(self._invocation, LAMBDA_SYNC_BYTES)
            return Answer(413)
        else:
            self._outcome = Outcome(request.body)
        return Answer(202)

    async def _next(self) -> Answer:
        self._settle()
        self._fetching = self._loop.create_future()
        self._hand_over()
        invocation = await self._fetching
        self._fetching = None
        now, timeout = time.time(), self._settings.timeout
        self._deadline = self._loop.time() + timeout
        trace = invocation.request_id.replace("-", "")[:24]
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((now + timeout) * 1e3)),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function.arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(now):08x}-{trace};Sampled=0",
        }
        return Answer(200, invocation.payload, headers)

    def _hand_over(self) -> None:
        """Answer the process that fetches, if there is something to fetch."""
        if self._fetching is not None and self._invocation is not None:
            self._fetching.set_result(self._invocation)

    def _settle(self) -> None:
        """Tell who waits for the invocation, if its outcome is known."""
        if self._outcome is not None and self._over is not None:
            if not self._over.done():  # else who waited was cancelled
                self._over.set_result(self._outcome)
            self._timer.cancel()
            self._invocation = self._outcome = self._over = None

    def _look(self) -> None:
        """Kill the process if it takes more time or memory than it may."""
        assert self._invocation is not None
        resident, most = self._process.resident_mb(), self.function.memory_mb
        if self._loop.time() >= self._deadline:
            late = timed_out(self._invocation, self._settings.timeout)
            self._outcome = self._outcome or late  # it may have answered in time
            self._process.end(late.error)
        elif resident > most:
            why = f"Memory Size: {most} MB Max Memory Used: {resident:.0f} MB"
            self._process.end(why)
        else:
            self._timer = self._loop.call_later(_LOOK_SECONDS, self._look)

    def _take_end(self, code: int) -> None:
        self._ended.set()
        self._server.close()
        if self._fetching is not None:
            self._fetching.cancel()
        if self._invocation is not None and self._outcome is None:
            self._outcome = exited(self._invocation, code)
        self._settle()
        self._on_end(self)
