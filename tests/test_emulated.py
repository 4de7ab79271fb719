"""The emulated cloud starts by itself and leaves nothing behind."""

import importlib.util
import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest

from serverless_dist import Communicator, Config, RankError, run
from serverless_dist.cloud import Entry, companion
from serverless_dist.cloud.aws_cloud import AwsCloud
from serverless_dist.cloud.emulated import EmulatedCloud, EmulatedServer
from serverless_dist.errors import CloudError, UsageError
from serverless_dist.testing.expect import receive_until

PARENT = """
import os, signal, sys
from serverless_dist.cloud.emulated import EmulatedServer
server = EmulatedServer()
print(server.pid, flush=True)
{ending}
"""


def is_listening(endpoint: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(endpoint.rpartition(":")[2]))) == 0


def test_an_emulated_cloud_carries_messages_and_ends() -> None:
    with EmulatedCloud(2) as cloud:
        endpoint = cloud.address.endpoint
        assert endpoint is not None
        assert is_listening(endpoint)
        with closing(AwsCloud.connect(cloud.address)) as other:
            other.topic.publish([Entry(b"hello", (1,))])
            receive_until(cloud.mailboxes[1], [b"hello"])
            other.blobs.put("key", b"data")
            assert cloud.blobs.get("key") == b"data"
    assert not is_listening(endpoint)
    cloud.close()


@pytest.mark.parametrize(
    "ending",
    ["os.kill(os.getpid(), signal.SIGKILL)", "os._exit(0)", "raise SystemExit"],
)
def test_the_server_ends_with_its_parent_however_that_ends(ending: str) -> None:
    parent = subprocess.run(
        [sys.executable, "-c", PARENT.format(ending=ending)],
        stdout=subprocess.PIPE,
        check=False,
    )
    server = int(parent.stdout)
    try:
        watch = os.pidfd_open(server)
    except ProcessLookupError:
        return
    try:
        assert select.select([watch], [], [], 10)[0], "the server outlives its parent"
    finally:
        os.close(watch)


def test_a_server_that_was_killed_closes_in_silence() -> None:
    with EmulatedServer() as server:
        os.kill(server.pid, signal.SIGKILL)
    server.close()
    assert repr(server) == f"<EmulatedServer at {server.endpoint}, ended>"


def test_a_missing_moto_is_told_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'serverless_dist\[emulated\]'"):
        EmulatedCloud(1)


@pytest.mark.parametrize(
    ("boot", "why"),
    [
        ("raise RuntimeError('no such luck')", "RuntimeError: no such luck"),
        ("import os; os.read(0, 1)", "no answer within 1 s"),
    ],
)
def test_a_server_that_does_not_start_is_told_and_ended(
    monkeypatch: pytest.MonkeyPatch, boot: str, why: str
) -> None:
    monkeypatch.setattr(companion, "_BOOT", boot)
    if "read" in boot:
        monkeypatch.setattr(companion, "_START_SECONDS", 1.0)
    with pytest.raises(CloudError, match=f"did not start: {why}"):
        EmulatedCloud(1)


def add_up(comm: Communicator) -> tuple[float, int]:
    array = np.full(100_000, comm.rank + 1.0)
    total = float(comm.allreduce(array)[-1])
    if comm.rank == 0:
        return total, sum(comm.recv() for _ in range(comm.size - 1))
    comm.send(comm.rank, dest=0)
    return total, 0


@pytest.mark.parametrize("channel", ["queue", "object", "hybrid"])
def test_ranks_run_on_every_channel(emulator: str, channel: str) -> None:
    config = Config(endpoint=emulator)
    results = run(add_up, ranks=3, cloud="emulated", channel=channel, config=config)
    assert results == [(6.0, 3), (6.0, 0), (6.0, 0)]
    assert results.report.cloud == "emulated"


def test_a_failing_rank_is_noticed_there_too(emulator: str) -> None:
    def fail(comm: Communicator) -> None:
        if comm.rank == 1:
            msg = "oops"
            raise ValueError(msg)
        comm.recv(source=1)

    config = Config(endpoint=emulator)
    with pytest.raises(RankError, match="rank 1 raised ValueError: oops"):
        run(fail, ranks=3, cloud="emulated", config=config)


def test_a_cloud_that_hangs_does_not_hold_a_run_beyond_its_deadline() -> None:
    code = """
import os, signal, time
from serverless_dist import cloud, run
from serverless_dist.cloud import emulated
servers = []
class Server(emulated.EmulatedServer):
    def __init__(self):
        super().__init__()
        servers.append(self.pid)
emulated.EmulatedServer = Server
def stop(comm, parent):
    comm.barrier()
    if comm.rank == 0:
        os.kill(int(open(parent).read()), signal.SIGSTOP)
    comm.recv(source=1 - comm.rank)
import tempfile, threading
with tempfile.NamedTemporaryFile("w") as file:
    original = emulated.EmulatedCloud.__init__
    def start(self, *args, **kwargs):
        original(self, *args, **kwargs)
        file.write(str(servers[0])); file.flush()
    emulated.EmulatedCloud.__init__ = start
    started = time.monotonic()
    try:
        run(stop, file.name, ranks=2, cloud="emulated", timeout=3)
    except Exception as error:
        print(type(error).__name__, time.monotonic() - started)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    name, seconds = done.stdout.split()
    assert name == "DeadlineError"
    # 3 for the run, 2 for the ranks to tell, 7 to let the cloud go: not 240.
    assert float(seconds) < 60
