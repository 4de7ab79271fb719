"""A server that runs beside this process, and ends with it."""

import os
import selectors
import subprocess
import sys
from contextlib import suppress
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

from serverless_dist.errors import CloudError

_START_SECONDS = 30.0  # it takes less than one, but not on a busy machine
# By its path: to import it by name would import this whole package there, too.
_BOOT = (
    "import runpy, sys; sys.path[:] = {path!r}; "
    "runpy.run_path({host!r})['main']({parent})"
)


class Companion:
    """A server on a free port of 127.0.0.1, in a process of its own.

    It is in a session of its own, so that Ctrl-C does not take it away from those who
    still have to clean up. It sees none of this process's AWS variables. One that does
    not start is a `CloudError`.

    Parameters
    ----------
    name
        What it is called in messages.
    host
        The path of its module, whose ``main`` takes this process's number, prints the
        port, and ends at the end of its standard input.
    told
        What it is told there at first.
    patience
        Seconds that it may take to end by itself.
    echo
        Whether it writes its errors to this process's, else to a file.

    Attributes
    ----------
    endpoint : str
        The URL for boto3's clients.
    """

    def __init__(
        self,
        name: str,
        host: str,
        *,
        told: bytes = b"",
        patience: float,
        echo: bool = False,
    ) -> None:
        self._name = name
        self._patience = patience
        boot = _BOOT.format(path=sys.path, host=host, parent=os.getpid())
        self._log = TemporaryFile()  # noqa: SIM115 - closed by close()
        self._process = subprocess.Popen(
            [sys.executable, "-c", boot],
            bufsize=0,
            stdin=subprocess.PIPE,  # its lifeline, too
            stdout=subprocess.PIPE,
            stderr=None if echo else self._log,
            # Credentials have no business there.
            env={k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
            start_new_session=True,
        )
        try:
            self._tell(told)
            self.endpoint = f"http://127.0.0.1:{self._read_port()}"
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        state = "running" if self._process.poll() is None else "ended"
        return f"<{type(self).__name__} at {self.endpoint}, {state}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The process of the server."""
        return self._process.pid

    def close(self) -> None:
        """End the server: SIGTERM, its patience, SIGKILL; twice is no error."""
        self._process.terminate()
        try:
            self._process.wait(self._patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._log):
            if file is not None:
                file.close()

    def _tell(self, told: bytes) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(BrokenPipeError):  # its log says why
            rest = memoryview(told)
            while rest:
                rest = rest[stdin.write(rest) :]

    def _read_port(self) -> int:
        """Wait until the server listens and return its port."""
        stdout = self._process.stdout
        assert stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            line = stdout.readline() if selector.select(_START_SECONDS) else b""
        if line:
            return int(line)
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()
        why = lines[-1] if lines else f"no answer within {_START_SECONDS:.0f} s"
        msg = f"{self._name} did not start: {why}"
        raise CloudError(msg, retryable=False)
