"""The process of one environment: AWS's own runtime client, unmodified.

1. It leads a process group of its own, which is killed when the process has ended,
   and by the kernel when this process has, however that went.
2. It sees no variables of this process but search paths and the locale.
3. What it writes goes to a file of its own, or to this process's standard error; its
   TMPDIR goes when it does.
"""

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from serverless_dist.cloud.emulated_functions import LambdaSettings
from serverless_dist.testing.lambda_invocations import REGION, Function

_INHERITED = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class RuntimeProcess:
    """Started at once; `on_end` is called with its exit code, in the running loop.

    Parameters
    ----------
    function
        What it runs.
    stream
        The name of its log, different from those of all others.
    port
        Where it finds its Runtime API on 127.0.0.1.
    settings
        Those of the service.
    on_end
        Called when nothing is left of the process: the code is minus the signal that
        ended it, or its exit status.
    """

    def __init__(
        self,
        function: Function,
        stream: str,
        port: int,
        settings: LambdaSettings,
        on_end: Callable[[int], None],
    ) -> None:
        self._settings = settings
        self._stream = stream
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._scratch = Path(settings.scratch, stream)
        self._scratch.mkdir()
        reading, self._lifeline = os.pipe()
        try:
            with self._open_log() as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "awslambdaric", settings.handler],
                    cwd=settings.scratch,
                    env=self._variables(function, port),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[reading],
                    start_new_session=True,
                )
            _kill_group_at_end(reading, self._process.pid)
            self._watch = os.pidfd_open(self._process.pid)
        except BaseException:
            os.close(self._lifeline)  # which kills what was started
            raise
        finally:
            os.close(reading)  # the process keeps it
        self._loop.add_reader(self._watch, self._take_end)

    def resident_mb(self) -> float:
        """Return how much memory the process takes, without its children."""
        try:
            text = Path(f"/proc/{self._process.pid}/statm").read_text()
        except ProcessLookupError:
            return 0.0
        return int(text.split()[1]) * _PAGE / (1 << 20)

    def end(self, why: str) -> None:
        """Write a line to the log and kill the process."""
        with self._open_log() as log:
            log.write(f"{why}\n".encode())
        self.kill()

    def kill(self) -> None:
        """Kill the whole group; `on_end` has not been called yet."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _take_end(self) -> None:
        self._loop.remove_reader(self._watch)
        os.close(self._watch)
        self.kill()  # until the process is reaped, the group is its own
        code = self._process.wait()
        os.close(self._lifeline)
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._on_end(code)

    def _open_log(self) -> IO[bytes]:
        if self._settings.echo:
            return open(2, "ab", closefd=False)
        return Path(self._settings.logs, f"{self._stream}.log").open("ab")

    def _variables(self, function: Function, port: int) -> dict[str, str]:
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        return {
            **{name: os.environ[name] for name in _INHERITED if name in os.environ},
            "TZ": ":UTC",
            "AWS_ACCESS_KEY_ID": "emulated",
            "AWS_SECRET_ACCESS_KEY": "emulated",
            # Else the SDK would look for files in the user's home.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{python}",
            **self._settings.environment,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": self._stream,
            "LAMBDA_TASK_ROOT": self._settings.scratch,
            "_HANDLER": self._settings.handler,
            "PYTHONPATH": os.pathsep.join(self._settings.path),
            "TMPDIR": os.fspath(self._scratch),
        }


def _kill_group_at_end(reading: int, group: int) -> None:
    """Have the kernel kill a process group when a pipe loses its other end.

    The group must hold `reading` open: where its data, or the end of it, is signalled
    (O_ASYNC), fcntl chooses the signal and who gets it.
    """
    fcntl.fcntl(reading, fcntl.F_SETOWN, -group)
    fcntl.fcntl(reading, fcntl.F_SETSIG, signal.SIGKILL)
    flags = fcntl.fcntl(reading, fcntl.F_GETFL)
    fcntl.fcntl(reading, fcntl.F_SETFL, flags | os.O_ASYNC)
