"""Functions as processes of this machine: one process for each invocation.

A process ends when its handler does, when it is stopped, or when the process that
started it is gone: it holds one end of a pipe, and end of file there is the end of
its own process group. Whatever the handler has started goes with it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock, Thread

from serverless_dist.cloud.process_host import pack_assignment
from serverless_dist.errors import CloudError

_GRACE = 0.5  # seconds from SIGTERM to SIGKILL
_BOOT = (
    "import sys; sys.path[:] = {path!r}; "
    "from serverless_dist.cloud.process_host import main; main({lifeline}, {answer})"
)


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


class ProcessFunctions:
    """Runs a handler in processes; see `Functions`.

    Parameters
    ----------
    handler
        ``"package.module:function"``, importable with this process's ``sys.path``;
        takes the payload and returns the answer, both bytes.
    on_end
        Called from a thread of this object whenever an invoked process has ended.
    scratch
        Directories that a process removes if it outlives the one that started it.
    """

    def __init__(
        self,
        handler: str,
        *,
        on_end: Callable[[Ending], None] | None = None,
        scratch: Sequence[Path] = (),
    ) -> None:
        self._handler = handler
        self._on_end = on_end
        self._scratch = [os.fspath(path) for path in scratch]
        self._lock = Lock()
        self._children: dict[int, _Child] = {}
        self._watchers: list[Thread] = []

    def __repr__(self) -> str:
        return f"<ProcessFunctions {self._handler}: {len(self._children)} running>"

    @property
    def pids(self) -> list[int]:
        """The processes that run now."""
        with self._lock:
            return list(self._children)

    def invoke(self, payload: bytes) -> None:
        """Start a process for `payload`."""
        child = self._start(payload)
        watcher = Thread(target=self._watch, args=(child, payload), daemon=True)
        watcher.start()
        with self._lock:
            self._watchers = [w for w in self._watchers if w.is_alive()]
            self._watchers.append(watcher)

    def call(self, payload: bytes) -> bytes:
        """Return the answer of a process for `payload`."""
        child = self._start(payload)
        code = self._reap(child)
        answer = child.answer()
        if code:
            msg = f"{self._handler} {Ending(payload, code)}; see its standard error"
            raise CloudError(msg, retryable=False)
        return answer

    def close(self) -> None:
        """End all processes and wait for them: SIGTERM, half a second, SIGKILL."""
        with self._lock:
            children = list(self._children.values())
        for child in children:
            child.signal(signal.SIGTERM)
        with self._lock:
            watchers, self._watchers = self._watchers, []
        deadline = time.monotonic() + _GRACE
        for watcher in watchers:
            watcher.join(max(0.0, deadline - time.monotonic()))
        for child in children:
            child.signal(signal.SIGKILL)
        for watcher in watchers:
            watcher.join()

    def _start(self, payload: bytes) -> "_Child":
        child = _Child(self._handler, payload, self._scratch)
        with self._lock:
            self._children[child.pid] = child
        return child

    def _reap(self, child: "_Child") -> int:
        code = child.reap()
        with self._lock:
            del self._children[child.pid]
        return code

    def _watch(self, child: "_Child", payload: bytes) -> None:
        code = self._reap(child)
        child.answer()
        if self._on_end is not None:
            self._on_end(Ending(payload, code))


class _Child:
    """A process, its lifeline and the file that takes its answer."""

    def __init__(self, handler: str, payload: bytes, scratch: list[str]) -> None:
        self._answer = TemporaryFile()  # noqa: SIM115 - closed by answer()
        reading, writing = os.pipe()
        boot = _BOOT.format(
            path=sys.path, lifeline=reading, answer=self._answer.fileno()
        )
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", boot],
                stdin=subprocess.DEVNULL,
                pass_fds=(reading, self._answer.fileno()),
                start_new_session=True,
            )
        except BaseException:
            os.close(writing)
            self._answer.close()
            raise
        finally:
            os.close(reading)
        self._lifeline = writing
        self._lock = Lock()
        with suppress(BrokenPipeError), open(writing, "wb", closefd=False) as pipe:
            pipe.write(pack_assignment(handler, payload, scratch))

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Signal the whole process group, unless the process has been reaped."""
        with self._lock, suppress(ProcessLookupError, PermissionError):
            if self._process.returncode is None:
                os.killpg(self.pid, number)

    def reap(self) -> int:
        """Wait for the end, kill what the process left behind, return its exit code.

        The process is looked at before it is reaped: until then its group is its own.
        """
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        self.signal(signal.SIGKILL)
        with self._lock:
            code = self._process.wait()
        os.close(self._lifeline)
        return code

    def answer(self) -> bytes:
        """Return what the process answered; once."""
        with self._answer:
            self._answer.seek(0)
            return self._answer.read()
