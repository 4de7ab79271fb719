"""Lambda on this machine: a service in a process of its own, as boto3 knows it.

The process runs `testing/lambda_host.py`; what it is told is the line of JSON that
`LambdaSettings` packs.
"""

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from types import MappingProxyType
from typing import Self

from serverless_dist.cloud.companion import Companion
from serverless_dist.cloud.limits import LAMBDA_EVENT_AGE, LAMBDA_TIMEOUT
from serverless_dist.errors import UsageError

_STOP_SECONDS = 5.0  # it has processes to kill and directories to remove
_CONCURRENCY = 1_000  # of an account: Lambda quotas
_HOST = os.fspath(
    Path(__file__).parent.parent.joinpath("testing", "lambda_host.py").resolve()
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


class LambdaHost(Companion):
    """An emulated Lambda; a missing awslambdaric is a `UsageError`. See `Companion`.

    Handlers run under AWS's own runtime client, each environment in a process of its
    own; see `serverless_dist.testing.lambda_service`.

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
        try:
            super().__init__(
                "the emulated Lambda",
                _HOST,
                told=settings.pack(),
                patience=_STOP_SECONDS,
                echo=echo,
            )
        except BaseException:
            shutil.rmtree(self._scratch, ignore_errors=True)
            raise

    def close(self) -> None:
        """End the service and all environments; twice is no error."""
        super().close()
        shutil.rmtree(self._scratch, ignore_errors=True)
