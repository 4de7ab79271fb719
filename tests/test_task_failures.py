"""What a task raises becomes a failure, and the failure what `get` raises."""

import dataclasses
import functools
import json
import pickle
import subprocess
import sys
import threading
import urllib.error
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import serverless_dist as sd
from serverless_dist.tasks.arguments import pack_arguments
from serverless_dist.tasks.client import Client
from serverless_dist.tasks.code import Code, pack_code
from serverless_dist.tasks.execution import Executor
from serverless_dist.tasks.failures import exception_of, failure_of_exception
from serverless_dist.tasks.messages import Kind, Policy, Run, Spec
from serverless_dist.tasks.values import Cause, Failure, Form, failure_of
from tests.scripted_driver import JOB, DictStore


def sent(error: BaseException, task: str = "task") -> Exception:
    """Return what `get` raises after a task has raised this."""
    return exception_of(failure_of_exception(task, error))


class OddError(Exception):
    """Takes other arguments than its base is given."""

    def __init__(self, one: int, *, two: int) -> None:
        super().__init__(f"{one} and {two}")
        self.one, self.two = one, two

    def __reduce__(self) -> tuple[Any, ...]:
        return _odd, (self.one, self.two)


def _odd(one: int, two: int) -> OddError:
    return OddError(one, two=two)


class StrictError(LookupError):
    """Has a ``__new__`` that takes nothing but what it was written for."""

    def __new__(cls, *, key: str = "") -> "StrictError":
        return super().__new__(cls, key)

    def __init__(self, *, key: str = "") -> None:
        super().__init__(key)

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(StrictError, key=self.args[0]), ()


class SlotsError(ValueError):
    __slots__ = ("where",)

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


class LiarError(Exception):
    """Is rebuilt as something that is no exception."""

    def __reduce__(self) -> tuple[Any, ...]:
        return str, ("no exception",)


class LeaverError(Exception):
    """Ends whoever rebuilds it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _leave, ()


def _leave() -> None:
    raise SystemExit


class SecretiveError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


class LockedError(Exception):
    """Cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("locked")
        self.lock = threading.Lock()


class FinalError(Exception):
    """Must not have subclasses."""

    def __init_subclass__(cls) -> None:
        raise TypeError


@dataclasses.dataclass(frozen=True)
class FrozenError(Exception):
    code: int


@dataclasses.dataclass
class DataError(Exception):
    code: int


class TaskedError(Exception):
    """Has a property where `TaskError` has an attribute."""

    @property
    def task(self) -> str:
        return "mine"


BUILTIN = [
    ArithmeticError("a"),
    AssertionError(),
    AttributeError("a"),
    BlockingIOError(11, "again", 7),
    BrokenPipeError(32, "pipe"),
    BufferError("b"),
    ConnectionResetError(104, "reset"),
    EOFError(),
    ExceptionGroup("g", [KeyError("k"), ExceptionGroup("h", [OSError(2, "o")])]),
    FileNotFoundError(2, "no such", "here"),
    ImportError("i", name="n", path="p"),
    IndexError(3),
    KeyError(("a", 1)),
    MemoryError("m"),
    ModuleNotFoundError("m", name="n"),
    NameError("n"),
    NotImplementedError(),
    OSError(28, "full", "a", None, "b"),
    OSError("text only"),
    RecursionError("deep"),
    StopAsyncIteration(3),
    StopIteration(3),
    SyntaxError("s", ("f.py", 3, 4, "text", 3, 5)),
    TimeoutError(110, "late"),
    UnicodeDecodeError("utf-8", b"abc", 1, 2, "why"),
    UnicodeEncodeError("ascii", "äöü", 0, 3, "why"),
    UserWarning("w"),
    ZeroDivisionError("z"),
]
LIBRARY = [
    json.JSONDecodeError("bad", "{", 1),
    subprocess.CalledProcessError(3, ["false"], b"out", b"err"),
    subprocess.TimeoutExpired(["sleep"], 3.0),
    urllib.error.URLError("unreachable"),
    zipfile.BadZipFile("b"),
    np.linalg.LinAlgError("singular"),
    sd.DeadlineError("late"),
    sd.CloudError("broken", retryable=True),
    sd.RankError(3, "raised KeyError", "Traceback"),
]
OURS = [
    OddError(1, two=2),
    StrictError(key="k"),
    SlotsError("here"),
    DataError(3),
]


def describe(error: BaseException) -> str:
    return f"{type(error).__name__}-{len(error.args)}"


@pytest.mark.parametrize("error", [*BUILTIN, *LIBRARY, *OURS], ids=describe)
def test_an_error_comes_as_what_it_was_and_a_remote_error(error: Exception) -> None:
    got = sent(error)
    assert isinstance(got, type(error))
    assert isinstance(got, sd.RemoteError)
    assert type(got.__cause__) is type(error)
    assert got.task == "task"
    assert str(got).startswith(f"task {got.summary}\n")
    again = pickle.loads(pickle.dumps(got))
    assert (type(again), str(again)) == (type(got), str(got))
    assert type(again.__cause__) is type(error)


@pytest.mark.parametrize("error", BUILTIN, ids=describe)
def test_what_pythons_own_errors_keep_is_there(error: Exception) -> None:
    got = sent(error)
    for kind in type(error).__mro__:
        for name in vars(kind) if kind.__module__ == "builtins" else ():
            mine = getattr(error, name, None)
            if not name.startswith("_") and name != "args" and not callable(mine):
                assert repr(getattr(got, name, None)) == repr(mine), name


def test_attributes_of_the_users_own_are_there() -> None:
    got: Any = sent(OddError(1, two=2))
    assert (got.one, got.two) == (1, 2)
    slotted: Any = sent(SlotsError("here"))
    assert slotted.where == "here"
    with pytest.raises(AttributeError):
        _ = got.three


def test_notes_of_an_error_are_in_its_text_and_on_its_cause() -> None:
    error = KeyError("k")
    error.add_note("see the manual")
    got = sent(error)
    assert "see the manual" in str(got)
    assert "see the manual" not in got.summary  # type: ignore[attr-defined]
    assert got.__cause__ is not None
    assert got.__cause__.__notes__ == ["see the manual"]


def test_a_group_can_be_split_by_what_is_in_it() -> None:
    caught: list[Exception] = []
    try:
        raise sent(ExceptionGroup("g", [KeyError("k"), OSError("o")]))
    except* KeyError as group:
        caught += group.exceptions
    except* OSError:
        pass
    assert [repr(each) for each in caught] == ["KeyError('k')"]


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        BaseExceptionGroup("g", [KeyboardInterrupt()]),
    ],
    ids=describe,
)
def test_what_is_no_exception_comes_as_a_plain_remote_error(
    error: BaseException,
) -> None:
    got = sent(error)
    assert type(got) is sd.RemoteError
    assert type(got.__cause__) is type(error)
    assert type(error).__name__ in got.summary


@pytest.mark.parametrize("error", [FinalError("f"), TaskedError("t")], ids=describe)
def test_an_error_that_cannot_be_two_things_is_the_cause(error: Exception) -> None:
    got = sent(error)
    assert type(got) is sd.RemoteError
    assert type(got.__cause__) is type(error)
    assert str(pickle.loads(pickle.dumps(got))) == str(got)


@pytest.mark.parametrize(
    "error",
    [LiarError("l"), LeaverError("l"), LockedError(), FrozenError(3)],
    ids=describe,
)
def test_an_error_that_cannot_travel_comes_as_its_text(error: Exception) -> None:
    got = sent(error)
    assert type(got) is sd.RemoteError
    assert got.__cause__ is None
    assert f"{type(error).__name__}: {error}" in str(got)


def test_an_error_without_words_is_an_error_all_the_same() -> None:
    got = sent(SecretiveError())
    assert isinstance(got, SecretiveError)
    assert "SecretiveError" in str(got)


def test_a_class_that_the_driver_does_not_have_comes_by_value() -> None:
    class LocalError(KeyError):
        pass

    failure = failure_of_exception("task", LocalError("k"))
    code = "import pickle, sys; from serverless_dist.tasks.failures import *;"
    code += "from serverless_dist.tasks.values import Failure;"
    code += "f = Failure(*pickle.load(sys.stdin.buffer)); e = exception_of(f);"
    code += "print(type(e).__name__, isinstance(e, KeyError), e.summary)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(tuple(failure)),
        capture_output=True,
        check=True,
        cwd="/",
    )
    name = f"{__name__}.{LocalError.__qualname__}"
    assert done.stdout.decode() == f"LocalError True raised {name}: 'k'\n"


@pytest.mark.parametrize("error", [*BUILTIN, *LIBRARY, *OURS], ids=describe)
def test_an_error_that_goes_through_two_tasks_is_what_it_was(error: Exception) -> None:
    got = sent(sent(error, "inner"), "outer")
    assert isinstance(got, type(error))
    assert isinstance(got, sd.RemoteError)
    assert got.task == "outer"
    assert isinstance(got.__cause__, sd.RemoteError)
    assert got.__cause__.task == "inner"
    assert type(got.__cause__.__cause__) is type(error)
    assert str(pickle.loads(pickle.dumps(got))) == str(got)


def test_text_alone_goes_through_two_tasks() -> None:
    got = sent(sent(LockedError(), "inner"), "outer")
    assert type(got) is sd.RemoteError
    assert "inner raised" in str(got)
    assert "locked" in str(got)


CLASSES = [
    (Cause.CRASHED, sd.WorkerCrashedError),
    (Cause.CANCELLED, sd.TaskCancelledError),
    (Cause.TIMEOUT, sd.TaskTimeoutError),
    (Cause.ACTOR, sd.ActorDiedError),
    (Cause.LOST, sd.ObjectLostError),
    (Cause.DEADLOCK, sd.DeadlockError),
    (Cause.VERSIONS, sd.VersionMismatchError),
    (Cause.CLOUD, sd.CloudError),
    (Cause.RAISED, sd.RemoteError),
]


@pytest.mark.parametrize(("cause", "kind"), CLASSES)
def test_each_cause_has_its_class(cause: Cause, kind: type[Exception]) -> None:
    error = exception_of(Failure(cause, "task", "came to nothing"))
    assert type(error) is kind
    assert str(error) == "task came to nothing"
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (kind, str(error))


@pytest.mark.parametrize(("cause", "kind"), CLASSES)
def test_what_a_task_waited_for_in_vain_is_told_by_it_too(
    cause: Cause, kind: type[Exception]
) -> None:
    got = sent(exception_of(Failure(cause, "inner", "came to nothing")), "outer")
    assert isinstance(got, kind)
    assert isinstance(got, sd.RemoteError)
    assert "outer" in str(got)
    assert "inner came to nothing" in str(got)


def raised_by(function: Callable[..., Any], *args: Any) -> Failure:
    """Return the failure of a task as a worker makes it."""
    client = Client(1, JOB, DictStore(), lambda message, *, urgent: None)
    executor = Executor(client, lambda message: None)
    digest, body = pack_code(Code(function, ()), {})
    executor.keep_code(digest, client.keep(body))
    packed = pack_arguments("task", args, {})
    payload = client.keep(packed.body)
    spec = Spec(1, 1, Kind.CALL, "task", digest, payload, (), 0, "", 0, Policy())
    (value,) = executor.run(Run(1, spec, ())).values
    assert value.form == Form.FAILURE
    return failure_of(value)


def frames(failure: Failure) -> list[str]:
    return [
        line.split(", in ")[1]
        for line in failure.traceback.splitlines()
        if line.startswith("  File")
    ]


def test_the_text_shows_the_frames_of_the_user_alone() -> None:
    def outer(x: int) -> int:
        return inner(x)

    def inner(x: int) -> int:
        return 1 // x

    assert frames(raised_by(outer, 0)) == ["outer", "inner"]


def test_the_text_of_an_async_function_is_the_users_alone() -> None:
    async def waits() -> None:
        raise KeyError

    assert frames(raised_by(waits)) == ["waits"]


def test_a_result_that_cannot_be_pickled_is_named() -> None:
    failure = raised_by(lambda: threading.Lock())
    assert "cannot be pickled" in failure.summary
    assert "lock" in failure.summary


def test_a_long_message_is_whole_in_the_text_and_short_in_the_summary() -> None:
    def shouts() -> None:
        raise ValueError("x" * 100_000)

    failure = raised_by(shouts)
    assert len(failure.summary) < 3_000
    assert "x" * 100_000 in failure.traceback
