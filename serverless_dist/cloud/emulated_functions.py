"""Lambda on this machine: a service in a process of its own, as boto3 knows it.

The process runs `testing/lambda_host.py`; what it is told is the line of JSON that
`LambdaSettings` packs.
"""

import importlib.util
import json
import os
import selectors
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryFile, mkdtemp
from types import MappingProxyType, TracebackType
from typing import Self

from serverless_dist.cloud.limits import LAMBDA_EVENT_AGE, LAMBDA_TIMEOUT
from serverless_dist.errors import CloudError, UsageError

_START_SECONDS = 30.0  # it takes half of one, but not on a busy machine
_STOP_SECONDS = 5.0  # it has processes to kill and directories to remove
_CONCURRENCY = 1_000  # of an account: Lambda quotas
_HOST = os.fspath(
    Path(__file__).parent.parent.joinpath("testing", "lambda_host.py").resolve()
)
_BOOT = (
    "import runpy, sys; sys.path[:] = {path!r}; "
    "runpy.run_path({host!r})['main']({parent})"
)
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Faults:
    """What an emulated Lambda does to its callers, by script.

    Events (asynchronous invocations) are numbered from 0 as they are accepted;
    records for destinations are not counted.

    Parameters
    ----------
    throttled
        So many Invoke calls are refused at first, as those of a busy account are.
    delay
        Seconds from the acceptance of an event to the start of its handler.
    twice
        The numbers of events that are started twice, at the same time.
    lost
        The numbers of events that are accepted and never started.
    """

    throttled: int = 0
    delay: float = 0.0
    twice: Collection[int] = ()
    lost: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class LambdaSettings:
    """What the process of the service needs to know; see `LambdaHost`."""

    handler: str
    functions: Mapping[str, int]
    environment: Mapping[str, str] = field(repr=False)  # there may be secrets in it
    path: Collection[str]
    scratch: str
    logs: str
    echo: bool
    timeout: float
    concurrency: int
    max_event_age: float
    destinations: Mapping[str, str]
    faults: Faults

    def pack(self) -> bytes:
        """Return one line."""
        return json.dumps(asdict(self), default=sorted).encode() + b"\n"

    @classmethod
    def unpack(cls, line: bytes) -> Self:
        """Return the settings that were packed."""
        fields = json.loads(line)
        return cls(**fields | {"faults": Faults(**fields["faults"])})


class LambdaHost:
    """An emulated Lambda on a free port of 127.0.0.1; it ends with this process.

    Handlers run under AWS's own runtime client, each environment in a process of its
    own; see `serverless_dist.testing.lambda_service`. It is in a session of its own,
    so that Ctrl-C does not take it away from those who still have to clean up. A
    missing awslambdaric is a `UsageError`, a service that does not start a
    `CloudError`.

    Parameters
    ----------
    handler
        ``"package.module.function"``, importable with this process's ``sys.path``.
    functions
        The memory of each function in MB, by its name; all have the same handler.
    environment
        Variables of the functions. Of this process's they get the search paths and
        the locale only.
    timeout
        Seconds that an invocation may take.
    concurrency
        How many invocations may run at once.
    max_event_age
        Seconds that an event may wait to be started.
    destinations
        The function that is told of failed events, by the name of the one that failed.
    faults
        What goes wrong.
    logs
        An existing directory, where each environment writes a file; None takes one
        that `close` removes.
    echo
        Whether environments write to this process's standard error instead.

    Attributes
    ----------
    endpoint : str
        The URL for boto3's client.
    logs : pathlib.Path
        Where the environments' files are.
    """

    def __init__(
        self,
        handler: str,
        functions: Mapping[str, int],
        environment: Mapping[str, str] = _NOTHING,
        *,
        timeout: float = LAMBDA_TIMEOUT,
        concurrency: int = _CONCURRENCY,
        max_event_age: float = LAMBDA_EVENT_AGE,
        destinations: Mapping[str, str] = _NOTHING,
        faults: Faults | None = None,
        logs: Path | None = None,
        echo: bool = False,
    ) -> None:
        if importlib.util.find_spec("awslambdaric") is None:
            msg = (
                "the emulated Lambda needs awslambdaric, which is not installed: run"
                " pip install 'serverless_dist[emulated]'"
            )
            raise UsageError(msg)
        unknown = set(destinations.values()) - set(functions)
        if unknown:
            msg = f"there is no function {min(unknown)} for failed events to go to"
            raise UsageError(msg)
        self._scratch = Path(mkdtemp(prefix="serverless-dist-lambda-"))
        self.logs = self._scratch if logs is None else logs.absolute()
        settings = LambdaSettings(
            handler=handler,
            functions=dict(functions),
            environment=dict(environment),
            path=[os.path.abspath(entry) for entry in sys.path],
            scratch=os.fspath(self._scratch),
            logs=os.fspath(self.logs),
            echo=echo,
            timeout=timeout,
            concurrency=concurrency,
            max_event_age=max_event_age,
            destinations=dict(destinations),
            faults=faults or Faults(),
        )
        self._log = TemporaryFile()  # noqa: SIM115 - closed by close()
        self._process = self._start(echo=echo)
        try:
            self.endpoint = f"http://127.0.0.1:{self._introduce(settings)}"
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        state = "running" if self._process.poll() is None else "ended"
        return f"<LambdaHost at {self.endpoint}, {state}>"

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
        """The process of the service."""
        return self._process.pid

    def close(self) -> None:
        """End the service and all environments; twice is no error."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._log):
            if file is not None:
                file.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _start(self, *, echo: bool) -> subprocess.Popen[bytes]:
        boot = _BOOT.format(path=sys.path, host=_HOST, parent=os.getpid())
        return subprocess.Popen(
            [sys.executable, "-c", boot],
            bufsize=0,
            stdin=subprocess.PIPE,  # its settings, then its lifeline
            stdout=subprocess.PIPE,
            stderr=None if echo else self._log,
            # Credentials have no business there.
            env={k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
            start_new_session=True,
        )

    def _introduce(self, settings: LambdaSettings) -> int:
        """Give the service its settings and return the port where it listens."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        with suppress(BrokenPipeError):  # its log says why
            rest = memoryview(settings.pack())
            while rest:
                rest = rest[stdin.write(rest) :]
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            line = stdout.readline() if selector.select(_START_SECONDS) else b""
        if line:
            return int(line)
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()
        why = lines[-1] if lines else f"no answer within {_START_SECONDS:.0f} s"
        msg = f"the emulated Lambda did not start: {why}"
        raise CloudError(msg, retryable=False)
