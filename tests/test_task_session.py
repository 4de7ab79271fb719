"""Sessions: opened by `init` or by first use, one at a time, closed for good."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import serverless_dist as sd
from serverless_dist.tasks.session import Session


@pytest.fixture(autouse=True)
def no_session_is_left() -> Iterator[None]:
    yield
    is_open = sd.is_initialized()
    sd.shutdown()
    assert not is_open


def run_script(directory: Path, text: str) -> str:
    script = directory / "script.py"
    script.write_text(textwrap.dedent(text))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def directory_of(session: Session) -> Path:
    directory: Path = session.client.store._directory  # type: ignore[attr-defined]
    return directory


@sd.remote
def add(x: int, y: int = 1) -> int:
    return x + y


def test_a_session_is_open_between_init_and_shutdown() -> None:
    assert not sd.is_initialized()
    session = sd.init(workers=1)
    assert sd.is_initialized()
    assert (session.cloud, session.workers) == ("local", 1)
    assert sd.get(add.remote(1)) == 2
    assert session.counts.done == 1
    assert session.dollars >= 0
    sd.shutdown()
    sd.shutdown()
    assert not sd.is_initialized()


def test_a_second_session_is_refused_while_one_is_open() -> None:
    with sd.init(workers=1) as session:
        with pytest.raises(sd.UsageError, match="shutdown"):
            sd.init()
        assert sd.get(add.remote(1)) == 2
        assert repr(session).startswith("<Session of 1 workers")
    with sd.init(workers=1):
        assert sd.get(add.remote(2)) == 3


def test_a_context_that_was_shut_down_inside_closes_no_other_session() -> None:
    with sd.init(workers=1):
        sd.shutdown()
        sd.init(workers=1)
    assert sd.is_initialized()
    assert sd.get(add.remote(2)) == 3
    sd.shutdown()


def test_the_end_of_a_session_ends_workers_and_removes_values() -> None:
    @sd.remote
    def pid() -> int:
        return os.getpid()

    with sd.init(workers=2) as session:
        pids = sd.get([pid.remote() for _ in range(10)])
        kept = sd.put(bytes(100_000))
        directory = directory_of(session)
        assert list(directory.iterdir())
    assert not any(Path(f"/proc/{each}").exists() for each in pids)
    assert not directory.exists()
    del kept


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("workers", 0),
        ("workers", 1_001),
        ("workers", True),
        ("workers", "2"),
        ("config", "local"),
        ("cloud", "nowhere"),
    ],
)
def test_an_option_that_cannot_be_is_named(option: str, value: Any) -> None:
    with pytest.raises(sd.UsageError, match=option):
        sd.init(**{option: value})


def test_refs_of_a_session_that_was_shut_down_mean_nothing() -> None:
    @sd.remote
    class Counter:
        def count(self) -> int:
            return 1

    with sd.init(workers=1):
        ref = sd.put([1])
        known = sd.put(2)
        future = known.future()
        assert future.result() == 2
        stream = numbers.remote()
        counter = Counter.remote()  # type: ignore[attr-defined]
    uses: list[Callable[[], Any]] = [
        lambda: sd.get(ref),
        lambda: sd.wait([ref]),
        lambda: sd.as_completed([ref]),
        lambda: sd.cancel(ref),
        lambda: ref.future(),
        lambda: next(stream),
        lambda: sd.kill(counter),
        lambda: counter.count.remote(),
    ]
    for use in uses:
        with pytest.raises(sd.UsageError, match="session"):
            use()
    with sd.init(workers=1):
        for use in [*uses, lambda: add.remote(ref), lambda: add.remote([ref])]:
            with pytest.raises(sd.UsageError, match="session"):
                use()
        with pytest.raises(sd.UsageError, match="session"):
            sd.put([ref])
        assert ref != sd.put([1])


def test_what_waits_when_the_session_ends_is_told() -> None:
    with sd.init(workers=1):
        future = never.remote().future()
    with pytest.raises(sd.UsageError, match="session"):
        future.result()


@sd.remote
def numbers() -> Iterator[int]:
    yield from range(3)


@sd.remote
def never() -> None:
    import threading

    threading.Event().wait(600)


def test_first_use_opens_a_session_and_the_end_of_the_program_closes_it(
    tmp_path: Path,
) -> None:
    out = run_script(
        tmp_path,
        """
        import serverless_dist as sd

        @sd.remote
        def square(x):
            return x * x

        assert not sd.is_initialized()
        print(sd.get(square.remote(7)), sd.is_initialized())
        print(sd.put(1).client.store._directory)
        """,
    )
    first, directory = out.splitlines()
    assert first == "49 True"
    assert not Path(directory).exists()


def test_classes_and_functions_of_the_main_script_keep_their_identity(
    tmp_path: Path,
) -> None:
    out = run_script(
        tmp_path,
        """
        from dataclasses import dataclass
        from enum import Enum
        import serverless_dist as sd

        @dataclass(frozen=True)
        class Point:
            x: int

        class Colour(Enum):
            RED = 1

        class Problem(Exception):
            pass

        def helper(point):
            return Point(point.x + 1)

        @sd.remote
        def moves(point, colour):
            assert type(point) is Point and isinstance(point, Point)
            assert colour is Colour.RED
            return helper(point), colour

        @sd.remote
        def fails():
            raise Problem("here")

        @sd.remote
        class Keeper:
            def __init__(self, point):
                self.point = point

            def give(self):
                return self.point

        if __name__ == "__main__":
            with sd.init(workers=2):
                point, colour = sd.get(moves.remote(Point(1), Colour.RED))
                print(point, type(point) is Point, point == Point(2))
                print(colour is Colour.RED)
                try:
                    sd.get(fails.remote())
                except Problem as error:
                    print(type(error.__cause__) is Problem)
                print(sd.get(Keeper.remote(Point(3)).give.remote()) == Point(3))
                print(list(sd.map(helper, [Point(1)])) == [Point(2)])
        """,
    )
    assert out.splitlines() == [
        "Point(x=2) True True", "True", "True", "True", "True"
    ]  # fmt: skip


def test_modules_beside_the_script_are_there(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("def double(x):\n    return 2 * x\n")
    out = run_script(
        tmp_path,
        """
        import serverless_dist as sd
        import beside

        @sd.remote
        def twice(x):
            return beside.double(x)

        print(sd.get([twice.remote(2), sd.remote(beside.double).remote(3)]))
        """,
    )
    assert out == "[4, 6]\n"


def test_a_forked_process_has_no_session_and_spoils_none(tmp_path: Path) -> None:
    out = run_script(
        tmp_path,
        """
        import os, sys
        import serverless_dist as sd

        @sd.remote
        def square(x):
            return x * x

        sd.init(workers=1)
        ref = square.remote(3)
        large = sd.put(bytes(100_000))
        child = os.fork()
        if not child:
            assert not sd.is_initialized()
            try:
                sd.get(ref)
            except sd.UsageError as error:
                pass
            else:
                os._exit(1)
            del ref, large
            with sd.init(workers=1):
                assert sd.get(square.remote(4)) == 16
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print(sd.get(ref), len(sd.get(large)), sd.get(square.remote(5)))
        """,
    )
    assert out == "9 100000 25\n"
