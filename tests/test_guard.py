"""A guard ends what nobody waits for, and what is out of time, in the main thread."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence

import pytest

from serverless_dist.cloud.memory import MemoryCloud
from serverless_dist.errors import CloudError
from serverless_dist.runtime import guard as module
from serverless_dist.runtime.guard import Abandoned, Guard, OutOfTime

LEASE = "leases/1f"


class Blob:
    """A lifeline whose contents a test lists; the last one stays."""

    def __init__(self, *contents: bytes | Exception | None) -> None:
        self._contents = list(contents)
        self.looks = 0

    def get(self, key: str) -> bytes | None:
        assert key == LEASE
        self.looks += 1
        content = self._contents[0]
        if self._contents[1:]:
            self._contents.pop(0)
        if isinstance(content, Exception):
            raise content
        return content


@pytest.fixture(autouse=True)
def _quick_and_without_traces(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "_TICK", 0.01)
    before = signal.getsignal(signal.SIGUSR1)
    threads: Sequence[threading.Thread] = threading.enumerate()
    yield
    assert signal.getsignal(signal.SIGUSR1) is before
    assert threading.enumerate() == threads


def guard(blob: object, seconds: float = 900.0) -> Guard:
    return Guard(blob, LEASE, seconds=seconds, name="rank 3")  # type: ignore[arg-type]


def for_ever() -> None:
    while True:
        pass


def test_a_job_that_is_over_does_not_begin() -> None:
    ran = []
    with (
        pytest.raises(Abandoned, match="rank 3: the lease of its job has stopped"),
        guard(Blob(None)).watching(lambda: None),
    ):
        ran.append(1)
    assert ran == []


@pytest.mark.parametrize("content", [None, b"taken"])
def test_a_job_that_ends_ends_what_computes(content: bytes | None) -> None:
    def spin() -> None:
        with guard(Blob(b"1f 1", b"1f 1", content)).watching(lambda: None):
            for_ever()

    with pytest.raises(Abandoned, match="stopped"):
        spin()


def test_it_ends_what_waits_for_another_thread() -> None:
    def wait() -> None:
        with guard(Blob(b"1f 1", b"1f 2", None)).watching(lambda: None):
            threading.Event().wait()

    with pytest.raises(Abandoned):
        wait()


def test_a_lease_that_nobody_renews_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serverless_dist.cloud.lifeline.LEASE_SECONDS", 0.05)

    def spin() -> None:
        with guard(Blob(b"1f 1")).watching(lambda: None):
            for_ever()

    with pytest.raises(Abandoned, match="lapsed"):
        spin()


def test_a_lease_that_cannot_be_read_for_a_moment_is_none_that_is_gone() -> None:
    busy = CloudError("busy", retryable=True)
    blob = Blob(b"1f 1", busy, busy, b"1f 2")
    done = threading.Event()

    def tick() -> None:
        if blob.looks > 5:
            done.set()

    with guard(blob).watching(tick):
        assert done.wait(60)


def test_ticks_that_fail_do_not_end_the_watch() -> None:
    def tick() -> None:
        ticks.append(1)
        if len(ticks) > 3:
            done.set()
        raise CloudError("busy", retryable=True)  # noqa: EM101

    ticks: list[int] = []
    done = threading.Event()
    with guard(Blob(b"1f 1")).watching(tick):
        assert done.wait(60)


def test_what_is_out_of_time_is_told_what_it_had() -> None:
    def spin() -> None:
        with guard(Blob(b"1f 1"), seconds=5.05).watching(lambda: None):
            for_ever()

    with pytest.raises(OutOfTime, match="rank 3 was stopped after 0 s: its function"):
        spin()


@pytest.mark.parametrize("seconds", [0.0, 4.0, 5.0])
def test_a_function_with_its_last_seconds_begins_nothing(seconds: float) -> None:
    ran = []
    with (
        pytest.raises(OutOfTime, match="after 0 s"),
        guard(Blob(b"1f 1"), seconds=seconds).watching(lambda: None),
    ):
        ran.append(1)
    assert ran == []


def test_code_that_expects_network_errors_does_not_swallow_its_end() -> None:
    def spin() -> None:
        with guard(Blob(b"1f 1"), seconds=5.05).watching(lambda: None):
            while True:
                try:
                    for_ever()
                except Exception:
                    continue

    with pytest.raises(OutOfTime):
        spin()


def test_what_ends_by_itself_is_not_disturbed() -> None:
    for _ in range(200):  # with the end of the job at about the same time
        raised = False
        try:
            with guard(Blob(b"1f 1", None)).watching(lambda: None):
                pass
        except Abandoned:
            raised = True
        assert raised in (True, False)


def test_who_does_not_end_is_ended_with_its_process() -> None:
    code = """
import logging
logging.basicConfig()
from serverless_dist.runtime import guard
from tests.test_guard import Blob, for_ever, guard as make
guard._TICK = guard._GRACE = 0.01
with make(Blob(b"1f 1", None)).watching(lambda: None):
    while True:
        try:
            for_ever()
        except BaseException:
            print("no", flush=True)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout) == (1, "no\n")
    assert "rank 3 does not end: its process is ended" in done.stderr


def test_it_takes_any_blobs() -> None:
    blobs = MemoryCloud(1).blobs
    blobs.put(LEASE, b"1f 1")
    with guard(blobs).watching(lambda: None):
        pass
