"""`run` with real processes on the local cloud."""

import atexit
import importlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import serverless_dist as sd
from serverless_dist import MPI, Communicator
from serverless_dist.runtime.channels import CHANNELS

ROOT = Path(__file__).parent.parent


def child_processes() -> str:
    return Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No file, process or thread outlives a run."""
    monkeypatch.setattr(tempfile, "tempdir", os.fspath(tmp_path))
    threads, children = threading.active_count(), child_processes()
    yield
    assert [path.name for path in tmp_path.glob("serverless-dist-*")] == []
    assert threading.active_count() <= threads  # one of before may have ended
    assert child_processes() == children


def add_up(comm: Communicator, values: list[float]) -> tuple[int, float]:
    total = comm.allreduce(np.array(values) + comm.rank)
    return comm.rank, float(total.sum())


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("ranks", [1, 3])
def test_every_rank_runs_and_returns(channel: str, ranks: int) -> None:
    results = sd.run(add_up, [1.0, 2.0], ranks=ranks, channel=channel)
    total = 3.0 * ranks + 2.0 * sum(range(ranks))
    assert results == [(rank, total) for rank in range(ranks)]


def test_the_report_counts_what_was_done() -> None:
    report = sd.run(add_up, [0.0], ranks=2, channel="queue").report
    assert (report.ranks, report.channel, report.cloud) == (2, "queue", "local")
    # Each rank sends a message to the other, and its outcome with its farewell.
    assert report.usage.requests["sqs:SendMessageBatch"] == 4
    assert report.usage.requests["lambda:Invoke"] == 2
    assert "sns:PublishBatch" not in report.usage.requests
    assert len(report.phases) == 2
    assert report.seconds > 0
    assert report.dollars["total"] == pytest.approx(
        sum(report.dollars[service] for service in ("sns", "sqs", "s3", "lambda"))
    )


def test_the_report_counts_large_results_too() -> None:
    def give(comm: Communicator) -> bytes:
        return bytes(1_000_000)

    usage = sd.run(give, ranks=2, channel="queue").report.usage
    # Two results with a pointer each; the code is short enough to travel along.
    assert usage.requests["s3:PutObject"] == 2
    assert usage.sent["s3:PutObject"] > 2_000_000
    assert usage.received["s3:GetObject"] > 2_000_000


def test_lambdas_and_large_values_travel() -> None:
    def ones(comm: Communicator) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.ones(500_000) * scale * comm.size

    scale = 3.0
    for result in sd.run(ones, ranks=2, channel="direct"):
        assert result.sum() == 3_000_000.0
    assert sd.run(lambda comm: comm.rank, ranks=2, channel="direct") == [0, 1]


def test_the_world_is_that_of_the_ranks() -> None:
    def compare(comm: Communicator) -> bool:
        return MPI.COMM_WORLD is comm

    assert sd.run(compare, ranks=2, channel="direct") == [True, True]


def fail_on_two(comm: Communicator) -> None:
    if comm.rank == 2:
        msg = "oops"
        raise KeyError(msg)
    comm.recv(source=2)


@pytest.mark.parametrize("channel", CHANNELS)
def test_one_ranks_exception_reaches_the_caller(channel: str) -> None:
    with pytest.raises(sd.RankError) as caught:
        sd.run(fail_on_two, ranks=4, channel=channel)
    assert caught.value.rank == 2
    assert "rank 2 raised KeyError: 'oops'" in str(caught.value)
    assert "in fail_on_two" in caught.value.traceback
    assert "rank.py" not in caught.value.traceback
    assert repr(caught.value.__cause__) == "KeyError('oops')"


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "was killed by SIGKILL"),
        (lambda: os._exit(3), "ended with exit code 3"),
        (lambda: os._exit(0), "ended with exit code 0"),
    ],
    ids=["killed", "exit 3", "exit 0"],
)
def test_a_rank_that_vanishes_is_noticed(end: object, message: str) -> None:
    def vanish(comm: Communicator) -> None:
        assert callable(end)
        end() if comm.rank == 1 else comm.recv(source=1)

    with pytest.raises(sd.RankDiedError, match=f"rank 1 {message} before it returned"):
        sd.run(vanish, ranks=2)


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_wait_that_nobody_ends_names_rank_peer_and_tag(channel: str) -> None:
    def wait(comm: Communicator) -> None:
        if comm.rank == 0:
            comm.recv(source=1, tag=7)
        else:
            comm.recv(source=0, tag=8)

    with pytest.raises(sd.RankError) as caught:
        sd.run(wait, ranks=2, channel=channel, timeout=3.0)
    assert isinstance(caught.value.__cause__, sd.DeadlineError)
    rank = caught.value.rank
    assert f"for tag {7 + rank} from rank {1 - rank}" in str(caught.value.__cause__)


def test_a_rank_that_computes_for_ever_is_ended_at_the_deadline() -> None:
    def spin(comm: Communicator) -> None:
        while comm.rank == 1:
            pass

    with pytest.raises(sd.DeadlineError, match="rank 1 did not finish within 1 s"):
        sd.run(spin, ranks=2, timeout=1.0)


def leave(comm: Communicator, code: int) -> None:
    sys.exit(code)


def test_sys_exit_is_a_failure_unless_it_says_success() -> None:
    assert sd.run(leave, 0, ranks=2) == [None, None]
    with pytest.raises(sd.RankError, match=r"rank . exited with code 3"):
        sd.run(leave, 3, ranks=2)


def test_a_value_that_cannot_be_pickled_is_named() -> None:
    def give_lock(comm: Communicator) -> object:
        return threading.Lock()

    with pytest.raises(sd.RankError, match="the returned lock cannot be pickled"):
        sd.run(give_lock, ranks=1)


LOCK = threading.Lock()


def use_lock(comm: Communicator) -> None:
    with LOCK:
        comm.barrier()


def test_a_function_that_cannot_be_pickled_is_named_with_the_culprit() -> None:
    # As in a main script, whose functions travel by value.
    use_lock.__module__ = "__main__"
    with pytest.raises(sd.UnpicklableError, match=r"use_lock .* 'LOCK' is a _thread"):
        sd.run(use_lock)


def test_an_argument_that_cannot_be_pickled_is_named() -> None:
    with pytest.raises(sd.UnpicklableError, match=r"add_up .* argument 1 is a _thread"):
        sd.run(add_up, [1.0], LOCK)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ranks": 0}, "cannot run 0 ranks"),
        ({"ranks": 2.0}, "cannot run 2.0 ranks"),
        ({"channel": "smoke"}, "no channel 'smoke': use one of direct, queue"),
        ({"cloud": "nine"}, "no cloud 'nine': use one of local, emulated, aws"),
        ({"ranks": True}, "cannot run True ranks"),
        ({"timeout": 0}, "cannot run for 0 s"),
        ({"timeout": "5"}, "cannot run for '5' s"),
        ({"timeout": float("nan")}, "cannot run for nan s"),
        ({"config": {}}, "config is a dict: give a Config"),
        (
            {"config": sd.Config(algorithms={"allreduce": "rung"})},
            "no algorithm 'rung' for allreduce: use one of recursive_doubling",
        ),
        (
            {"config": sd.Config(algorithms={"allspread": "ring"})},
            "no collective 'allspread': use one of barrier",
        ),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(sd.UsageError, match=message):
        sd.run(add_up, [1.0], **arguments)  # type: ignore[arg-type]


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(sd.UsageError, match="takes a function of a communicator"):
        sd.run(3)  # type: ignore[arg-type]


def test_a_rank_that_waits_for_itself_is_told_at_once() -> None:
    def wait(comm: Communicator) -> None:
        comm.recv(source=comm.rank)

    with pytest.raises(sd.RankError, match="which only it could send itself"):
        sd.run(wait, ranks=2, channel="direct")


def test_progress_reaches_the_caller() -> None:
    def report(comm: Communicator) -> None:
        if comm.rank == 0:
            for done in range(1, 4):
                sd.report_progress(done, 3)

    seen: list[tuple[int, int]] = []
    sd.run(report, ranks=2, on_progress=lambda *pair: seen.append(pair))
    assert seen[-1] == (3, 3)


STARTER = """
import sys
import serverless_dist as sd

def announce(comm):
    import os
    comm.barrier()
    if comm.rank == 0:
        with open({fifo!r}, "w") as file:
            file.write(f"{{os.getpid()}}\\n")
    while True:
        comm.sendrecv(bytes(100), (comm.rank + 1) % comm.size)

try:
    sd.run(announce, ranks=2, channel={channel!r}, timeout=60)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("channel", ["queue", "object", "direct"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_or_killed_driver_leaves_nothing(
    tmp_path: Path, how: signal.Signals, channel: str
) -> None:
    fifo, temporary = tmp_path / "pid", tmp_path / "tmp"
    os.mkfifo(fifo)
    temporary.mkdir()
    code = STARTER.format(fifo=os.fspath(fifo), channel=channel)
    environment = {**os.environ, "TMPDIR": os.fspath(temporary)}
    driver = subprocess.Popen([sys.executable, "-c", code], env=environment)
    pid = int(fifo.read_text())
    descriptor = os.pidfd_open(pid)
    driver.send_signal(how)
    driver.wait()
    poller = select.poll()
    poller.register(descriptor)
    assert poller.poll(30_000)
    os.close(descriptor)
    # Whoever took a directory away may not have emptied it yet.
    deadline = time.monotonic() + 30
    while list(temporary.iterdir()):
        assert time.monotonic() < deadline
        os.sched_yield()


def test_a_users_module_is_imported_by_each_rank_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stateful.py").write_text(
        "import numpy as np\n"
        "from serverless_dist import MPI\n"
        "comm = MPI.COMM_WORLD\n"
        "rng = np.random.default_rng()\n"
        "def look(world):\n"
        "    return comm.size, int(rng.integers(10**12))\n"
    )
    monkeypatch.syspath_prepend(os.fspath(tmp_path))
    look = importlib.import_module("stateful").look
    sizes, numbers = zip(*sd.run(look, ranks=3, channel="direct"), strict=True)
    assert sizes == (3, 3, 3)
    assert len(set(numbers)) == 3


def test_one_ranks_exception_ends_ranks_that_do_not_listen() -> None:
    def stubborn(comm: Communicator) -> None:
        comm.barrier()
        if comm.rank == 2:
            msg = f"{time.time()}"
            raise ValueError(msg)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            pass

    with pytest.raises(sd.RankError) as caught:
        sd.run(stubborn, ranks=3, timeout=60.0)
    # Half a second passes between SIGTERM and SIGKILL; the rest is for a busy machine.
    assert time.time() - float(str(caught.value.__cause__)) < 10.0


class Evil(Exception):
    def __reduce__(self) -> tuple[object, ...]:
        return sys.exit, (0,)


class Noted(Exception):
    pass


def test_an_exception_that_unpickles_to_an_exit_is_left_out() -> None:
    def fail(comm: Communicator) -> None:
        raise Evil

    with pytest.raises(sd.RankError, match=r"raised .*Evil") as caught:
        sd.run(fail, ranks=1)
    assert caught.value.__cause__ is None


def test_the_summary_is_the_exception_not_its_note() -> None:
    def fail(comm: Communicator) -> None:
        error = Noted("the cause")
        error.add_note("a hint")
        raise error

    with pytest.raises(sd.RankError, match="Noted: the cause") as caught:
        sd.run(fail, ranks=1)
    assert "a hint" not in caught.value.summary
    assert "a hint" in caught.value.traceback


def give_exit(comm: Communicator) -> Exception:
    return Evil()


def test_a_value_that_unpickles_to_an_exit_is_a_failure() -> None:
    with pytest.raises(sd.RankError, match="a value that this process cannot load"):
        sd.run(give_exit, ranks=1)


def test_a_ranks_interpreter_ends_as_any_does(tmp_path: Path) -> None:
    def leave_work(comm: Communicator, directory: str) -> None:
        def write(name: str) -> None:
            Path(directory, name).write_text("done")

        atexit.register(write, f"atexit {comm.rank}")
        threading.Timer(0.3, write, [f"thread {comm.rank}"]).start()

    sd.run(leave_work, os.fspath(tmp_path), ranks=2)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"atexit 0", "atexit 1", "thread 0", "thread 1"}


@pytest.mark.parametrize("channel", CHANNELS)
def test_large_messages_that_nobody_receives_hold_nobody_up(channel: str) -> None:
    def send(comm: Communicator) -> None:
        comm.send(bytes(24_000_000), dest=1 - comm.rank)

    assert sd.run(send, ranks=2, channel=channel, timeout=30) == [None, None]


def test_more_ranks_than_files_may_be_open_are_refused() -> None:
    with pytest.raises(sd.UsageError, match="raise it with ulimit -n"):
        sd.run(add_up, [1.0], ranks=10**9)
