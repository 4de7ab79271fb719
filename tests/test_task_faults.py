"""What users do wrong, and what goes wrong: each gets one clear error, and no hang."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import serverless_dist as sd


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    sd.init("local", workers=2)
    yield
    sd.shutdown()


@sd.remote
def identity(x: object) -> object:
    return x


@sd.remote
def one() -> int:
    return 1


# What cannot be pickled.


def test_a_function_that_cannot_be_pickled_is_refused_when_it_is_called() -> None:
    lock = threading.Lock()

    @sd.remote
    def holds() -> bool:
        return lock.locked()

    with pytest.raises(sd.UnpicklableError, match=r"holds.*'lock'.*_thread\.lock"):
        holds.remote()


def test_an_argument_that_cannot_be_pickled_is_refused_when_it_is_given() -> None:
    with pytest.raises(sd.UnpicklableError, match=r"identity.*argument 0"):
        identity.remote(threading.Lock())


def test_a_result_that_cannot_be_pickled_is_an_error_of_its_task() -> None:
    @sd.remote
    def gives() -> object:
        return threading.Lock()

    with pytest.raises(sd.RemoteError, match=r"gives .*lock") as caught:
        sd.get(gives.remote())
    assert isinstance(caught.value, sd.UnpicklableError)
    assert sd.get(one.remote()) == 1


def test_an_exception_that_cannot_be_pickled_comes_as_its_text() -> None:
    class Bad(Exception):
        def __init__(self, lock: object) -> None:
            super().__init__("has a lock")
            self.lock = lock

    @sd.remote
    def fails() -> None:
        raise Bad(threading.Lock())

    with pytest.raises(sd.RemoteError, match="Bad: has a lock"):
        sd.get(fails.remote())


def test_an_exception_that_cannot_be_rebuilt_comes_as_its_text() -> None:
    class Picky(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(f"{one} and {two}")

    @sd.remote
    def fails() -> None:
        raise Picky(1, 2)

    with pytest.raises(sd.RemoteError, match="Picky: 1 and 2"):
        sd.get(fails.remote())


# Workers that die.


def test_a_task_that_leaves_by_os_exit_has_crashed() -> None:
    @sd.remote(retries=0)
    def leaves() -> None:
        os._exit(3)

    with pytest.raises(sd.WorkerCrashedError, match=r"leaves.*exit code 3"):
        sd.get(leaves.remote())
    assert sd.get(one.remote()) == 1


def test_a_task_whose_worker_is_killed_is_run_again(tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    @sd.remote
    def dies_once() -> str:
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return "done"

    assert sd.get(dies_once.remote()) == "done"


def test_a_task_that_always_dies_is_run_as_often_as_it_may(tmp_path: Path) -> None:
    log = tmp_path / "log"

    @sd.remote(retries=2)
    def dies() -> None:
        with log.open("a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(sd.WorkerCrashedError, match=r"dies.*SIGKILL"):
        sd.get(dies.remote())
    assert log.read_text() == "xxx"


def test_tasks_in_line_behind_one_that_dies_are_not_to_blame() -> None:
    @sd.remote(retries=1)
    def dies(number: int) -> int:
        if number == 7:
            os._exit(1)
        return number

    refs = [dies.remote(number) for number in range(40)]
    with pytest.raises(sd.WorkerCrashedError):
        sd.get(refs[7])
    others = [ref for number, ref in enumerate(refs) if number != 7]
    assert sd.get(others) == [number for number in range(40) if number != 7]


def test_a_task_that_runs_out_of_memory_raises_or_has_crashed() -> None:
    @sd.remote(retries=0)
    def eats() -> int:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        return len(bytearray(8 << 30))

    with pytest.raises((MemoryError, sd.WorkerCrashedError)):
        sd.get(eats.remote())


def test_a_task_that_exceeds_its_timeout_is_stopped() -> None:
    @sd.remote(timeout=0.2)
    def sleeps() -> None:
        threading.Event().wait(60)

    with pytest.raises(sd.TaskTimeoutError, match=r"sleeps.*0\.2 s"):
        sd.get(sleeps.remote())
    assert sd.get(one.remote()) == 1


def test_a_task_that_does_not_let_itself_be_interrupted_is_stopped_all_the_same() -> (
    None
):
    @sd.remote(timeout=0.1, retries=0)
    def stubborn() -> None:
        while True:
            try:
                threading.Event().wait(60)
            except BaseException:
                continue

    with pytest.raises(sd.TaskTimeoutError, match="stubborn"):
        sd.get(stubborn.remote())


def test_a_task_that_never_gives_way_is_stopped_all_the_same() -> None:
    @sd.remote(timeout=0.2, retries=0)
    def keeps_the_interpreter() -> int:
        return sum(range(10**11))

    with pytest.raises(sd.TaskTimeoutError, match="keeps_the_interpreter"):
        sd.get(keeps_the_interpreter.remote())


def test_texts_that_are_no_text_harm_nobody() -> None:
    @sd.remote(retries=0)
    def fails() -> None:
        msg = "no file \udc80"
        raise ValueError(msg)

    with pytest.raises(ValueError, match="no file"):
        sd.get(fails.remote())
    assert sd.get(one.options(name="\udc80").remote()) == 1


def test_a_number_that_no_message_can_hold_is_refused() -> None:
    with pytest.raises(sd.UsageError, match="retries is 18446744073709551616"):
        one.options(retries=1 << 64)


def test_a_generator_that_nobody_reads_is_stopped() -> None:
    @sd.remote
    def endless() -> Iterator[int]:
        while True:
            yield 1

    streams = [endless.remote() for _ in range(2)]
    next(streams[0])
    del streams
    assert sd.get(one.remote()) == 1


def test_more_values_may_be_had_than_there_are_descriptors(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        """
import resource
import numpy as np
import serverless_dist as sd
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
sd.init("local", workers=1)
print(len(sd.get([sd.put(np.ones(10_000)) for _ in range(200)])))
sd.shutdown()
"""
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "200\n"


def test_workers_end_soon_after_their_driver_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        """
import os, sys, time
import serverless_dist as sd
import numpy as np
sd.init("local", workers=2)

@sd.remote
def pid():
    return os.getpid()

@sd.remote
def sleeps():
    time.sleep(600)

kept = sd.put(np.ones(1_000_000))
pids = {sd.get(pid.remote()) for _ in range(20)}
refs = [sleeps.remote() for _ in range(4)]
print(*pids, flush=True)
sys.stdin.read()
"""
    )
    before = _left()
    driver = subprocess.Popen(
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert driver.stdout is not None
    assert driver.stdin is not None
    pids = [int(word) for word in driver.stdout.readline().split()]
    driver.kill()
    driver.wait()
    until = time.monotonic() + 5
    while time.monotonic() < until and (_alive(pids) or _left() - before):
        os.sched_yield()
    driver.stdin.close()
    driver.stdout.close()
    assert not _alive(pids)
    assert not _left() - before


def _alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def _left() -> set[Path]:
    shared = Path("/dev/shm")
    return {*shared.glob("serverless-dist*"), *Path("/tmp").glob("serverless-dist*")}


# What there is not enough of.


def test_a_value_that_the_store_has_no_room_for_is_an_error_in_one_sentence(
    tmp_path: Path,
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        """
import resource
import numpy as np
import serverless_dist as sd
import signal
sd.init("local", workers=1)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    sd.put(np.ones(1_000_000))
except sd.CloudError as error:
    print(error)
sd.shutdown()
"""
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True
    )
    assert "store" in done.stdout
    assert done.stderr == ""


# Actors and cycles.


def test_an_actor_whose_constructor_raises_says_so_at_each_call() -> None:
    class Broken:
        def __init__(self) -> None:
            msg = "no luck"
            raise KeyError(msg)

        def call(self) -> int:
            return 1

    broken = sd.remote(Broken).remote()
    with pytest.raises(sd.ActorDiedError, match="no luck"):
        sd.get(broken.call.remote())
    with pytest.raises(sd.ActorDiedError, match="Broken"):
        sd.get(broken.call.remote())


def test_an_actor_that_waits_for_its_own_method_is_told() -> None:
    class Selfish:
        def set(self, me: object) -> None:
            self.me = me

        def other(self) -> int:
            return 1

        def call(self) -> object:
            return sd.get(self.me.other.remote())  # type: ignore[attr-defined]

    selfish = sd.remote(Selfish).remote()
    sd.get(selfish.set.remote(selfish))
    with pytest.raises(sd.DeadlockError, match=r"call.*waits for.*other"):
        sd.get(selfish.call.remote())
    assert sd.get(selfish.other.remote()) == 1


def test_tasks_that_wait_for_each_other_are_told() -> None:
    class Board:
        def __init__(self) -> None:
            self.refs: dict[str, list[object]] = {}

        def post(self, name: str, ref: list[object]) -> None:
            self.refs[name] = ref

        def read(self, name: str) -> list[object] | None:
            return self.refs.get(name)

    @sd.remote
    def waits(name: str, board: object) -> object:
        other: list[object] | None = None
        while other is None:
            other = sd.get(board.read.remote(name))  # type: ignore[attr-defined]
        return sd.get(other[0])  # type: ignore[call-overload]

    board = sd.remote(Board).remote()
    left, right = waits.remote("right", board), waits.remote("left", board)
    sd.get([board.post.remote("left", [left]), board.post.remote("right", [right])])
    with pytest.raises(sd.DeadlockError, match="waits for waits"):
        sd.get([left, right])


def test_recursion_may_be_deeper_than_there_are_workers() -> None:
    @sd.remote
    def down(depth: int) -> int:
        return 0 if not depth else 1 + sd.get(down.remote(depth - 1))

    assert sd.get(down.remote(12)) == 12


def test_an_array_from_get_is_read_only_however_small() -> None:
    for size in (1, 1_000_000):
        array = sd.get(identity.remote(np.zeros(size)))
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
