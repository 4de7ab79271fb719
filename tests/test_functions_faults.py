"""Ranks as functions when Lambda or the driver fails them."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Protocol

import pytest

import serverless_dist as sd
from serverless_dist import Communicator
from serverless_dist.cloud import leases
from serverless_dist.cloud.aws import AwsClients
from serverless_dist.cloud.emulated_functions import Faults
from serverless_dist.cloud.leased import LeasedCloud
from serverless_dist.runtime import fleets, rollcall
from tests.fabric import Deployed, deployed, lines, visit
from tests.fabric_ranks import tell
from tests.lambda_clients import Lines

__all__ = ["lines"]  # a fixture

DRIVER = """
import sys
from serverless_dist import Config, run
from tests.fabric_ranks import wait_for_ever
run(wait_for_ever, sys.argv[1], ranks=2, cloud="aws", config=Config(fabric=sys.argv[2]))
"""
SHORT_LEASES = """
from serverless_dist.cloud import lifeline
lifeline.LEASE_SECONDS = 3.0
"""


class Deploy(Protocol):
    """Deploys a fabric that the test finds as AWS."""

    def __call__(self, mailboxes: int = 4, **settings: Any) -> Deployed: ...


@pytest.fixture
def deploy(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deploy]:
    with ExitStack() as stack:

        def deploy(mailboxes: int = 4, **settings: Any) -> Deployed:
            world = deployed(mailboxes, moto_endpoint, **settings)
            entered = stack.enter_context(world)
            visit(entered, monkeypatch)
            return entered

        yield deploy


def run(
    world: Deployed, function: object, *, ranks: int = 2, timeout: float = 60.0
) -> list[object]:
    assert callable(function)
    return sd.run(
        function, ranks=ranks, cloud="aws", timeout=timeout, config=world.config
    )


def test_a_rank_tells_before_its_function_is_out_of_time(deploy: Deploy) -> None:
    def spin(comm: Communicator) -> None:
        if comm.rank == 1:
            while True:
                pass

    def wait(comm: Communicator) -> None:
        comm.recv(source=1 - comm.rank, tag=7)

    world = deploy(timeout=8.0)
    with pytest.raises(sd.RankError) as caught:
        run(world, spin)
    assert isinstance(caught.value.__cause__, sd.DeadlineError)
    assert "rank 1 was stopped after" in str(caught.value)
    assert "its function has 5 s left" in str(caught.value)
    assert "in spin" in caught.value.traceback
    with pytest.raises(sd.RankError) as caught:
        run(world, wait)
    assert isinstance(caught.value.__cause__, sd.DeadlineError)
    rank = caught.value.rank
    assert f"rank {rank} waited" in str(caught.value)
    assert f"for tag 7 from rank {1 - rank}" in str(caught.value)
    assert world.left() == []


def test_a_rank_that_nothing_can_stop_is_killed_and_named(deploy: Deploy) -> None:
    def hold(comm: Communicator) -> None:
        import ctypes

        ctypes.PyDLL(None).sleep(600)  # with the interpreter's lock

    world = deploy(timeout=6.0)
    with pytest.raises(sd.RankDiedError) as caught:
        run(world, hold, ranks=1)
    assert "rank 0 ended before it returned" in str(caught.value)
    assert "Task timed out after 6.00 seconds" in str(caught.value)
    assert world.left() == []


def test_a_rank_that_swallows_its_end_is_ended_with_its_process(deploy: Deploy) -> None:
    def swallow(comm: Communicator) -> None:
        while True:
            try:
                while True:
                    pass
            except BaseException:
                pass

    world = deploy(timeout=6.0)
    with pytest.raises(sd.RankDiedError, match="rank 0 ended before it returned"):
        run(world, swallow, ranks=1)
    assert "rank 0 does not end: its process is ended" in world.logs()


def test_a_rank_without_memory_is_named(deploy: Deploy) -> None:
    def eat(comm: Communicator) -> int:
        if comm.rank == 1:
            eaten = bytearray(400 << 20)
            while eaten:
                pass
        comm.recv(source=1)
        return 0

    world = deploy(memory_mb=300)
    with pytest.raises(sd.RankDiedError, match=r"rank 1 ended .*signal: killed"):
        run(world, eat)


def test_what_is_started_twice_runs_once(
    deploy: Deploy, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first of two is the parent of all others; every event is started twice.
    monkeypatch.setattr(fleets, "choose_branching", lambda size: 1)
    world = deploy(faults=Faults(twice=range(100)))
    path = lines.path

    def add_up(comm: Communicator) -> int:
        tell(path, comm.rank)
        total: int = comm.allreduce(comm.rank)
        return total

    assert run(world, add_up, ranks=3) == [3, 3, 3]
    assert sorted(lines.read() for _ in range(3)) == [0, 1, 2]
    tell(path, "nothing more")
    assert lines.read() == "nothing more"
    assert "has been started before" in world.logs()


@pytest.mark.parametrize("lost", [0, 1])
def test_an_invocation_that_is_lost_is_made_again(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    monkeypatch.setattr(rollcall, "_CALLS", (1.0, 3.0, 30.0))
    monkeypatch.setattr(fleets, "choose_branching", lambda size: 1)
    world = deploy(faults=Faults(lost=[lost]))
    assert run(world, lambda comm: comm.allreduce(1), ranks=3) == [3, 3, 3]


def test_a_rank_that_never_starts_is_named(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollcall, "_CALLS", (0.1,))
    monkeypatch.setattr(rollcall, "_LAST", 0.3)
    monkeypatch.setattr(fleets, "_GOODBYE", 0.1)
    world = deploy(faults=Faults(lost=range(100)))
    with pytest.raises(
        sd.RankDiedError, match=r"rank 0 did not start within 0\.3 s, nor did 1 more"
    ):
        run(world, lambda comm: None)


def test_invocations_that_are_refused_at_first_are_made_again(deploy: Deploy) -> None:
    world = deploy(faults=Faults(throttled=7))
    assert run(world, lambda comm: comm.allreduce(1), ranks=3) == [3, 3, 3]


def test_ranks_beyond_the_concurrency_wait_for_their_turn(deploy: Deploy) -> None:
    world = deploy(8, concurrency=2)
    assert run(world, lambda comm: comm.rank, ranks=5) == [0, 1, 2, 3, 4]


def test_what_waits_too_long_is_told(deploy: Deploy) -> None:
    world = deploy(8, concurrency=1, max_event_age=3.0)

    def stay(comm: Communicator) -> None:
        import time

        time.sleep(2.0)  # stands for a long computation

    with pytest.raises(sd.RankDiedError, match=r"rank \d was not started within 60 s"):
        run(world, stay, ranks=4)


def test_a_job_waits_for_mailboxes_only_as_long_as_it_is_asked_to(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_LOOK_SECONDS", 0.2)
    world = deploy(4)
    deployment = world.fabric.deployment
    clients = AwsClients(None, None)
    # One program does not wait for itself, so the mailboxes are somebody else's.
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(socket, "gethostname", lambda: "elsewhere")
        other = LeasedCloud(clients, deployment, mailboxes=2, memory_mb=1_769)
    with closing(other):
        with pytest.raises(sd.CloudError, match="mailboxes"):
            run(world, lambda comm: None)
        other.vacate()
        timer = threading.Timer(0.5, other.close)
        timer.start()
        patient = sd.Config(fabric=deployment.name, mailbox_wait=60.0)
        got = sd.run(lambda comm: comm.rank, ranks=2, cloud="aws", config=patient)
        assert got == [0, 1]
        timer.join()


def start_driver(world: Deployed, lines: Lines) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", DRIVER, lines.path, world.config.fabric]
    driver = subprocess.Popen(command, stderr=subprocess.PIPE)
    assert [lines.read(), lines.read()] == ["begun", "begun"]
    return driver


def test_ctrl_c_in_the_driver_ends_the_ranks(deploy: Deploy, lines: Lines) -> None:
    world = deploy()
    with start_driver(world, lines) as driver:
        driver.send_signal(signal.SIGINT)
        assert driver.stderr is not None
        assert b"KeyboardInterrupt" in driver.stderr.read()
    assert [lines.read(), lines.read()] == ["ended", "ended"]
    assert world.left() == []


def test_ranks_end_when_their_driver_is_dead(
    deploy: Deploy, lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Functions have this process's path, and so import this when they start.
    (tmp_path / "sitecustomize.py").write_text(SHORT_LEASES)
    monkeypatch.syspath_prepend(os.fspath(tmp_path))
    world = deploy()
    with start_driver(world, lines) as driver:
        driver.kill()
    assert [lines.read(), lines.read()] == ["ended", "ended"]
