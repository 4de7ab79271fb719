"""Functions as processes of this machine: one process for each invocation.

A process ends when its handler does, when it is stopped, or when the process that
started it is gone: it holds one end of a pipe, and end of file there is the end of
its own process group. Whatever the handler has started goes with it, unless that has
left the group.
"""

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from threading import Condition
from typing import BinaryIO

from serverless_dist.cloud.limits import LAMBDA_TIMEOUT
from serverless_dist.cloud.nursery import Nursery
from serverless_dist.cloud.process_host import pack_assignment
from serverless_dist.errors import CloudError

_GRACE = 0.5  # seconds from SIGTERM to SIGKILL
_LAST = 5.0  # seconds from SIGKILL to the end of whoever should have told of it


@dataclass(frozen=True, slots=True)
class Ending:
    """How the process of an invocation ended."""

    payload: bytes
    exit_code: int

    def __str__(self) -> str:
        if self.exit_code >= 0:
            return f"ended with exit code {self.exit_code}"
        with suppress(ValueError):
            return f"was killed by {signal.Signals(-self.exit_code).name}"
        return f"was killed by signal {-self.exit_code}"


@dataclass(frozen=True, slots=True)
class _Invocation:
    payload: bytes
    lifeline: int
    is_call: bool


class ProcessFunctions:
    """Runs a handler in processes; see `Functions`.

    Parameters
    ----------
    handler
        ``"package.module:function"``, importable with this process's ``sys.path``;
        takes the payload and returns the answer, both bytes.
    on_end
        Called from a thread of this object whenever an invoked process has ended.
    preload
        Modules that all processes will need: they are imported once, and so is the
        handler's. They must keep no state that processes may not share.
    scratch
        Directories to be removed if this process ends without `close`.
    """

    def __init__(
        self,
        handler: str,
        *,
        on_end: Callable[[Ending], None] | None = None,
        preload: Sequence[str] = (),
        scratch: Sequence[Path] = (),
    ) -> None:
        self._handler = handler
        self._on_end = on_end
        self._changed = Condition()
        self._running: dict[int, _Invocation] = {}
        self._exit_codes: dict[int, int] = {}  # of calls that have ended
        self._starts = 0
        self._nowhere = Path(os.devnull).open("wb")  # noqa: SIM115 - until close()
        modules = [handler.partition(":")[0], *preload]
        directories = [os.fspath(path) for path in scratch]
        self._nursery = Nursery(modules, self._take_end, directories)

    def __repr__(self) -> str:
        return f"<ProcessFunctions {self._handler}: {len(self._running)} running>"

    @property
    def pids(self) -> list[int]:
        """The processes that run now."""
        return self._nursery.pids

    def invoke(self, payload: bytes) -> None:
        """Start a process for `payload`."""
        self._start(payload, self._nowhere, is_call=False)

    def call(self, payload: bytes) -> bytes:
        """Return the answer of a process for `payload`."""
        with TemporaryFile() as answer:
            number = self._start(payload, answer, is_call=True)
            with self._changed:
                self._changed.wait_for(
                    lambda: number in self._exit_codes, LAMBDA_TIMEOUT
                )
                code = self._exit_codes.pop(number, None)
            if code is None:
                self._forget(number)
                msg = f"{self._handler} did not answer in {LAMBDA_TIMEOUT:g} s"
                raise CloudError(msg, retryable=False)
            if code:
                msg = f"{self._handler} {Ending(payload, code)}; see its standard error"
                raise CloudError(msg, retryable=False)
            answer.seek(0)
            return answer.read()

    def kill(self, payload: bytes) -> None:
        """Kill the processes that were invoked with `payload` and still run."""
        with self._changed:
            numbers = [
                n for n, each in self._running.items() if each.payload == payload
            ]
        for number in numbers:
            self._nursery.signal(number, signal.SIGKILL)

    def join(self, seconds: float) -> None:
        """Return when all processes have ended of themselves, or after so long."""
        with self._changed:
            self._changed.wait_for(lambda: not self._running, seconds)

    def close(self) -> None:
        """End all processes and wait for them: SIGTERM, half a second, SIGKILL."""
        for number, patience in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, _LAST)):
            with self._changed:
                is_over = not self._running
            if not is_over:
                self._nursery.signal_all(number)
            with self._changed:
                self._changed.wait_for(lambda: not self._running, patience)
        self._nursery.close()
        self._nowhere.close()

    def _start(self, payload: bytes, answer: BinaryIO, *, is_call: bool) -> int:
        reading, writing = os.pipe()
        lifeline = os.dup(writing)  # the other one may be let go at any time
        with self._changed:
            number = self._starts
            self._starts += 1
            self._running[number] = _Invocation(payload, writing, is_call)
        try:
            # A process that has ended already does not read this.
            with suppress(BrokenPipeError), open(lifeline, "wb") as pipe:
                self._nursery.start(number, reading, answer.fileno())
                pipe.write(pack_assignment(self._handler, payload))
        except BaseException:
            self._forget(number)
            raise
        finally:
            os.close(reading)
        return number

    def _take_end(self, number: int, code: int) -> None:
        invocation = self._forget(number)
        if invocation is None:
            return
        if invocation.is_call:
            with self._changed:
                self._exit_codes[number] = code
                self._changed.notify_all()
        elif self._on_end is not None:
            self._on_end(Ending(invocation.payload, code))

    def _forget(self, number: int) -> _Invocation | None:
        """Let an invocation's descriptors go; its process ends if it still runs."""
        with self._changed:
            invocation = self._running.pop(number, None)
            self._changed.notify_all()
        if invocation is not None:
            os.close(invocation.lifeline)
        return invocation
