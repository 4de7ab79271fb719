"""An emulated Lambda leaves nothing behind, however it ends."""

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from serverless_dist.cloud import companion, emulated_functions
from serverless_dist.cloud.emulated_functions import LambdaHost
from serverless_dist.errors import CloudError, UsageError
from tests.lambda_clients import HANDLER, Caller, Lines, service, wait_for_end

PARENT = """
import os, signal, sys
from tests.lambda_clients import HANDLER, Caller, LambdaHost
host = LambdaHost(HANDLER, {{"f": 512}})
caller = Caller(host.endpoint)
caller.send("f", do="hang", tell={path!r})
with open({path!r} + ".begun") as begun:
    begun.read()
print(host.pid, host.logs, flush=True)
{ending}
"""


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Lines]:
    with closing(Lines(tmp_path / "lines")) as lines:
        yield lines


def hang(caller: Caller, lines: Lines) -> list[int]:
    """Return an idle process, one that runs, and a child of that."""
    caller.send("f", do="hang", tell=lines.path)
    lines.read()
    busy: list[int] = lines.read()
    return [caller.call("f")["pid"], *busy]


def test_a_service_that_is_closed_leaves_no_process(lines: Lines) -> None:
    with service() as (caller, host):
        pids = [*hang(caller, lines), host.pid]
    for pid in pids:
        wait_for_end(pid)
    host.close()
    assert repr(host) == f"<LambdaHost at {host.endpoint}, ended>"
    assert not host.logs.exists()


def test_a_service_that_is_killed_leaves_no_process(lines: Lines) -> None:
    with service() as (caller, host):
        pids = hang(caller, lines)
        os.kill(host.pid, signal.SIGKILL)
        for pid in pids:
            wait_for_end(pid)


@pytest.mark.parametrize(
    "ending",
    ["os.kill(os.getpid(), signal.SIGKILL)", "os._exit(0)", "raise SystemExit"],
)
def test_the_service_ends_with_its_parent_however_that_ends(
    ending: str, lines: Lines
) -> None:
    begun = Path(f"{lines.path}.begun")
    os.mkfifo(begun)
    with subprocess.Popen(
        [sys.executable, "-c", PARENT.format(ending=ending, path=lines.path)],
        stdout=subprocess.PIPE,
    ) as parent:
        lines.read()
        pids = lines.read()
        begun.write_bytes(b"")
        assert parent.stdout is not None
        pid, scratch = parent.stdout.read().decode().split()
    for process in (*pids, int(pid)):
        wait_for_end(process)
    assert not Path(scratch).exists()


def test_a_missing_runtime_client_is_told_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'serverless_dist\[emulated\]'"):
        LambdaHost(HANDLER, {})


def test_a_service_that_does_not_start_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(companion, "_BOOT", "raise OSError('no {parent}')")
    with pytest.raises(CloudError, match="did not start: OSError: no ") as error:
        LambdaHost(HANDLER, {})
    assert not error.value.retryable


def test_settings_arrive_as_they_were_packed_and_show_no_secret() -> None:
    settings = emulated_functions.LambdaSettings(
        handler=HANDLER,
        functions={"f": 128},
        environment={"SECRET": "hush"},
        path=["/here"],
        scratch="/tmp",
        logs="/tmp",
        echo=False,
        timeout=1.5,
        concurrency=2,
        max_event_age=60,
        destinations={"f": "f"},
        faults=emulated_functions.Faults(twice=[1], lost=[2]),
    )
    assert settings.unpack(settings.pack()) == settings
    assert "hush" not in repr(settings)
