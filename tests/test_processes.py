"""Functions as processes: what they answer, how they end, what they leave: nothing."""

import os
import queue
import select
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from serverless_dist.cloud.processes import Ending, ProcessFunctions
from serverless_dist.errors import CloudError

PATIENCE = 30.0  # seconds that only a failing test waits


@pytest.fixture
def endings() -> queue.Queue[Ending]:
    return queue.Queue()


def functions(
    handler: str, endings: queue.Queue[Ending] | None = None
) -> ProcessFunctions:
    on_end = None if endings is None else endings.put
    return ProcessFunctions(f"tests.handlers:{handler}", on_end=on_end)


def is_running(pid: int) -> bool:
    """Tell whether a process is there and not just waiting to be reaped."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def read_pids(fifo: Path) -> list[int]:
    return [int(pid) for pid in fifo.read_text().split()]


def wait_for_end(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor)
    assert poll.poll(PATIENCE * 1_000)
    os.close(descriptor)


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "pids"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("size", [0, 1, 65_536, 1_000_000])
def test_a_call_returns_the_answer(size: int) -> None:
    payload = bytes(size)
    with closing(functions("echo")) as started:
        assert started.call(payload) == payload


@pytest.mark.parametrize(
    ("handler", "payload", "how"),
    [
        ("fail", b"", "ended with exit code 1"),
        ("leave", b"7", "ended with exit code 7"),
        ("be_killed", b"", "was killed by SIGKILL"),
    ],
)
def test_a_call_that_fails_says_how_the_process_ended(
    handler: str, payload: bytes, how: str
) -> None:
    with (
        closing(functions(handler)) as started,
        pytest.raises(CloudError, match=f"tests.handlers:{handler} {how}"),
    ):
        started.call(payload)


@pytest.mark.parametrize(
    ("handler", "payload", "code"),
    [("echo", b"x", 0), ("leave", b"7", 7), ("be_killed", b"", -signal.SIGKILL)],
)
def test_the_end_of_an_invocation_is_told(
    handler: str, payload: bytes, code: int, endings: queue.Queue[Ending]
) -> None:
    started = functions(handler, endings)
    started.invoke(payload)
    assert endings.get(timeout=PATIENCE) == Ending(payload, code)
    started.close()


def test_close_ends_processes_and_what_they_have_started(
    fifo: Path, endings: queue.Queue[Ending]
) -> None:
    started = functions("write_pids_and_stay", endings)
    started.invoke(os.fsencode(fifo))
    pids = read_pids(fifo)
    assert all(map(is_running, pids))
    started.close()
    while any(map(is_running, pids)):  # the kernel takes a moment to end one
        os.sched_yield()
    assert started.pids == []
    assert endings.get(timeout=PATIENCE).exit_code == -signal.SIGTERM


def test_processes_end_with_the_one_that_started_them(
    fifo: Path, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    code = """
import os, signal, sys
from pathlib import Path
from serverless_dist.cloud.processes import ProcessFunctions
functions = ProcessFunctions(
    "tests.handlers:write_pids_and_stay", scratch=[Path(sys.argv[2])]
)
functions.invoke(os.fsencode(sys.argv[1]))
signal.pause()
"""
    root = Path(__file__).parent.parent
    starter = subprocess.Popen(
        [sys.executable, "-c", code, os.fspath(fifo), os.fspath(scratch)], cwd=root
    )
    pids = read_pids(fifo)
    # A descriptor of each process becomes readable when the process ends.
    descriptors = [os.pidfd_open(pid) for pid in pids]
    starter.kill()
    starter.wait()
    for descriptor in descriptors:
        wait_for_end(descriptor)
    # The nursery sees the processes end after we do.
    deadline = time.monotonic() + PATIENCE
    while scratch.exists():
        assert time.monotonic() < deadline
        os.sched_yield()


def test_processes_are_told_apart_by_numpys_generator() -> None:
    with closing(functions("draw")) as started:
        assert started.call(b"") != started.call(b"")


def test_calls_side_by_side_get_their_own_answers() -> None:
    payloads = [b"%d" % number for number in range(12)]
    with closing(functions("echo")) as started, ThreadPoolExecutor(6) as pool:
        assert list(pool.map(started.call, payloads)) == payloads


def test_processes_end_when_their_nursery_is_killed(
    fifo: Path, endings: queue.Queue[Ending]
) -> None:
    started = functions("write_pids_and_stay", endings)
    started.invoke(os.fsencode(fifo))
    pids = read_pids(fifo)
    descriptors = [os.pidfd_open(pid) for pid in pids]
    started._nursery._process.kill()
    assert endings.get(timeout=PATIENCE).exit_code == -signal.SIGKILL
    for descriptor in descriptors:
        wait_for_end(descriptor)
    with pytest.raises(CloudError, match="the nursery is gone"):
        started.invoke(b"")
    started._nursery.signal(0, signal.SIGKILL)
    started.close()


def test_a_kill_ends_one_invocation_and_what_it_has_started(
    fifo: Path, tmp_path: Path, endings: queue.Queue[Ending]
) -> None:
    other = tmp_path / "others"
    os.mkfifo(other)
    with closing(functions("write_pids_and_stay", endings)) as started:
        started.invoke(os.fsencode(fifo))
        pids = read_pids(fifo)
        started.invoke(os.fsencode(other))
        others = read_pids(other)
        descriptors = [os.pidfd_open(pid) for pid in pids]
        started.kill(os.fsencode(fifo))
        assert endings.get(timeout=PATIENCE) == Ending(
            os.fsencode(fifo), -signal.SIGKILL
        )
        for descriptor in descriptors:
            wait_for_end(descriptor)
        assert all(map(is_running, others))
        assert started.pids == others[:1]


def test_a_signal_reaches_one_process(
    tmp_path: Path, endings: queue.Queue[Ending]
) -> None:
    fifos = [tmp_path / name for name in ("one", "two")]
    with closing(functions("write_pids_and_stay", endings)) as started:
        pids = []
        for fifo in fifos:
            os.mkfifo(fifo)
            started.invoke(os.fsencode(fifo))
            pids.append(read_pids(fifo)[0])
        started._nursery.signal(1, signal.SIGTERM)
        assert endings.get(timeout=PATIENCE) == Ending(
            os.fsencode(fifos[1]), -signal.SIGTERM
        )
        assert started.pids == pids[:1]


def test_a_kill_reaches_a_process_that_has_hardly_begun(
    endings: queue.Queue[Ending],
) -> None:
    with closing(functions("sit", endings)) as started:
        for number in range(50):
            payload = b"%d" % number
            started.invoke(payload)
            started.kill(payload)
            assert endings.get(timeout=PATIENCE) == Ending(payload, -signal.SIGKILL)


def test_a_kill_of_what_has_ended_or_never_was_is_no_error(
    endings: queue.Queue[Ending],
) -> None:
    with closing(functions("echo", endings)) as started:
        started.invoke(b"ended")
        assert endings.get(timeout=PATIENCE) == Ending(b"ended", 0)
        started.kill(b"ended")
        started.kill(b"never was")
        assert started.call(b"still here") == b"still here"


def test_hundreds_of_processes_start_and_end() -> None:
    with closing(functions("sit")) as started:
        for _ in range(400):
            started.invoke(b"")
