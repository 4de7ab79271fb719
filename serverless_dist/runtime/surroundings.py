"""What a part of a job finds where it runs: a process, or a function of Lambda."""

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import inf
from typing import NoReturn

from serverless_dist.cloud import Clock, Cloud, Meter
from serverless_dist.cloud.clock import SteadyClock
from serverless_dist.comm import Endpoint
from serverless_dist.comm.abort import end_process
from serverless_dist.errors import ProtocolError
from serverless_dist.runtime.control import Printed, Traced
from serverless_dist.runtime.guard import Guard
from serverless_dist.runtime.output import Output
from serverless_dist.transport import Channel

_EARLIER = 1.5  # seconds: SQS waits whole ones, and an answer takes time


class Surroundings:
    """A process that the job's driver has started.

    Parameters
    ----------
    cloud
        What the part is connected to; it stays open.
    meter
        What the cloud counts in.

    Attributes
    ----------
    seconds
        How long the part may run at most.
    clock
        What its waits and deadlines go by.
    """

    def __init__(self, cloud: Cloud, meter: Meter) -> None:
        self.cloud = cloud
        self.meter = meter
        self.seconds = inf
        self.clock: Clock = SteadyClock()

    def calendar(self) -> float:
        """Return the seconds since the epoch, as the job's start is given in."""
        return time.time()

    def observed(self, transport: Channel) -> Channel:
        """Return the transport, or another one that passes all on to it."""
        return transport

    def meet(self, endpoint: Endpoint) -> None:
        """Take note of the rank's endpoint."""

    def untold(self, traced: Sequence[Traced]) -> Sequence[Traced]:
        """Return what the driver has to be told of the rank's timeline."""
        return traced

    def leave(self, code: int) -> NoReturn:
        """End the part, and whatever it runs in, at once."""
        end_process(code)

    def boot(self, started: float) -> float:
        """Return how many seconds have passed until now; the job began at `started`."""
        return time.time() - started

    def load(self, key: str, digest: bytes) -> bytearray:
        """Return the blob with that SHA-256."""
        data = bytearray(self.cloud.blobs.get(key) or b"")
        if hashlib.sha256(data).digest() != digest:
            msg = f"the job's code {key} is gone or was changed"
            raise ProtocolError(msg)
        return data

    def guarded(self, on_tick: Callable[[], None]) -> AbstractContextManager[object]:
        """Return a context that ends what runs in it when it has to."""
        del on_tick  # the driver ends a process
        return nullcontext()

    def printed(self) -> list[Printed]:
        """Return what was printed that the driver's terminal has not seen."""
        return []


class FunctionSurroundings(Surroundings):
    """A function of Lambda.

    Parameters
    ----------
    cloud, meter
        What the part is connected to, and what that counts in.
    guard
        Ends the part.
    output
        What is printed.
    began
        When the invocation began, by `time.monotonic`.
    codes
        What earlier invocations have loaded, by its SHA-256.
    """

    def __init__(
        self,
        cloud: Cloud,
        meter: Meter,
        *,
        guard: Guard,
        output: Output,
        began: float,
        codes: MutableMapping[bytes, bytes],
    ) -> None:
        super().__init__(cloud, meter)
        # A rank that waits then tells for what, before the guard tells that it ran.
        self.seconds = guard.left - _EARLIER
        self._guard = guard
        self._output = output
        self._began = began
        self._codes = codes

    def boot(self, started: float) -> float:
        """Return how many seconds have passed since the invocation began."""
        del started  # nobody pays for what was before
        return time.monotonic() - self._began

    def load(self, key: str, digest: bytes) -> bytearray:
        """Return the blob with that SHA-256, which an earlier invocation may have."""
        if digest not in self._codes:
            code = super().load(key, digest)
            self._codes.clear()  # the last one is enough
            self._codes[digest] = bytes(code)
        return bytearray(self._codes[digest])

    def guarded(self, on_tick: Callable[[], None]) -> AbstractContextManager[object]:
        """Return a context that ends what runs in it when it has to."""
        return self._guarded(on_tick)

    @contextmanager
    def _guarded(self, on_tick: Callable[[], None]) -> Iterator[None]:
        process = os.getpid()
        with self._guard.watching(on_tick):
            try:
                yield
            finally:
                if os.getpid() != process:
                    # A child that user code has forked is no part of the job.
                    for stream in (sys.stdout, sys.stderr):
                        stream.flush()
                    os._exit(0)

    def printed(self) -> list[Printed]:
        """Return what was printed since the last time."""
        out, err = self._output.drain()
        return [Printed(out, err)] if out or err else []
