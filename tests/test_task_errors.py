"""What a task raises arrives where its value is wanted, as what it was."""

import asyncio
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import serverless_dist as sd


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    with sd.init("local", workers=2):
        yield


class TwoError(Exception):
    """Takes two arguments, and can be pickled all the same."""

    def __init__(self, first: str, second: int) -> None:
        super().__init__(first, second)
        self.first = first
        self.second = second


class SlottedError(ValueError):
    __slots__ = ()


@sd.remote
def fails(error: BaseException) -> None:
    raise error


@sd.remote
def identity(x: Any) -> Any:
    return x


ERRORS = [
    KeyError("key"),
    ValueError(),
    TwoError("one", 2),
    SlottedError("slots"),
    OSError(2, "no such", "file"),
    FileNotFoundError(2, "no such", "file"),
    UnicodeDecodeError("utf-8", b"x", 0, 1, "why"),
    StopIteration(3),
    MemoryError(),
    sd.UsageError("wrong"),
    sd.CloudError("broken", retryable=True),
    ExceptionGroup("group", [KeyError("one"), OSError("two")]),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_an_error_is_of_two_classes(error: Exception) -> None:
    with pytest.raises(sd.RemoteError) as caught:
        sd.get(fails.remote(error))
    got = caught.value
    assert isinstance(got, type(error))
    assert got.task == "fails"
    assert type(error).__name__ in got.summary
    assert type(got.__cause__) is type(error)
    assert repr(got.__cause__) == repr(error)
    assert "Traceback" in str(got)
    assert "raise error" in str(got)
    again = pickle.loads(pickle.dumps(got))
    assert isinstance(again, sd.RemoteError)
    assert isinstance(again, type(error))
    assert str(again) == str(got)


def test_attributes_of_the_error_are_there() -> None:
    with pytest.raises(TwoError) as caught:
        sd.get(fails.remote(TwoError("one", 2)))
    assert (caught.value.first, caught.value.second) == ("one", 2)
    with pytest.raises(OSError, match="no such") as caught_os:
        sd.get(fails.remote(OSError(2, "no such", "file")))
    assert (caught_os.value.errno, caught_os.value.filename) == (2, "file")


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_what_is_no_exception_is_an_error_and_the_worker_goes_on(
    error: BaseException,
) -> None:
    with pytest.raises(sd.RemoteError, match=type(error).__name__) as caught:
        sd.get(fails.remote(error))
    assert type(caught.value.__cause__) is type(error)
    assert sd.get(identity.remote(1)) == 1


def test_the_causes_of_an_error_are_in_its_text() -> None:
    @sd.remote
    def chains() -> None:
        try:
            raise KeyError("inner")  # noqa: EM101
        except KeyError as error:
            msg = "outer"
            raise LookupError(msg) from error

    with pytest.raises(LookupError, match=r"(?s)inner.*direct cause.*outer"):
        sd.get(chains.remote())


def test_frames_of_the_package_are_not_in_the_text() -> None:
    with pytest.raises(sd.RemoteError) as caught:
        sd.get(fails.remote(ValueError()))
    assert "serverless_dist" not in caught.value.traceback


def test_dependants_raise_the_error_too_and_are_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    @sd.remote
    def runs(x: Any, mark: Path) -> Any:
        mark.touch()
        return x

    failing = fails.remote(KeyError("deep"))
    ref = identity.remote(runs.remote(failing, mark))
    with pytest.raises(KeyError, match="deep") as caught:
        sd.get(ref)
    assert caught.value.task == "fails"  # type: ignore[attr-defined]
    assert not mark.exists()


def test_an_error_of_a_task_that_a_task_waits_for_goes_through_both() -> None:
    @sd.remote
    def outer() -> Any:
        return sd.get(fails.remote(KeyError("inside")))

    with pytest.raises(KeyError) as caught:
        sd.get(outer.remote())
    assert isinstance(caught.value, sd.RemoteError)
    assert "outer" in str(caught.value)
    assert "fails" in str(caught.value)
    assert "inside" in str(caught.value)


def test_a_task_may_catch_the_error_of_another() -> None:
    @sd.remote
    def catches() -> str:
        try:
            sd.get(fails.remote(KeyError("inside")))
        except KeyError as error:
            return type(error).__name__
        return "nothing"

    assert sd.get(catches.remote()) == "KeyError"


def test_one_failure_among_many_ends_the_wait() -> None:
    refs = [identity.remote(number) for number in range(20)]
    refs.insert(7, fails.remote(KeyError("among")))
    with pytest.raises(KeyError, match="among"):
        sd.get(refs)
    assert sd.get(refs[:7]) == list(range(7))


def test_each_get_raises_an_error_of_its_own() -> None:
    ref = fails.remote(KeyError("twice"))
    errors = []
    for _ in range(2):
        with pytest.raises(KeyError) as caught:
            sd.get(ref)
        errors.append(caught.value)
    assert errors[0] is not errors[1]


def test_a_returned_exception_is_a_value() -> None:
    value = sd.get(identity.remote(KeyError("value")))
    assert type(value) is KeyError


def test_futures_and_await_raise_the_error() -> None:
    async def waits() -> Any:
        return await fails.remote(KeyError("async"))

    with pytest.raises(KeyError, match="async"):
        asyncio.run(waits())
    error = fails.remote(KeyError("future")).future().exception()
    assert isinstance(error, sd.RemoteError)
    assert isinstance(error, KeyError)


# Retries.


def _fails_until(log: Path, attempts: int, error: Exception) -> int:
    with log.open("a") as file:
        file.write("x")
    if log.stat().st_size < attempts:
        raise error
    return log.stat().st_size


fails_until = sd.remote(_fails_until)


def test_errors_are_not_retried_unless_asked(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(KeyError):
        sd.get(fails_until.remote(log, 2, KeyError()))
    assert log.read_text() == "x"


@pytest.mark.parametrize("retry", [True, [KeyError], (OSError, LookupError)])
def test_errors_are_retried_if_asked(tmp_path: Path, retry: Any) -> None:
    options = {"retry_exceptions": retry, "retries": 2}
    ref = fails_until.options(**options).remote(tmp_path / "log", 3, KeyError())
    assert sd.get(ref) == 3


@pytest.mark.parametrize(
    ("retry", "retries", "runs"),
    [(True, 0, 1), (True, 2, 3), ([OSError], 2, 1), (False, 2, 1)],
)
def test_errors_are_retried_as_often_as_asked(
    tmp_path: Path, retry: Any, retries: int, runs: int
) -> None:
    log = tmp_path / "log"
    function = fails_until.options(retry_exceptions=retry, retries=retries)
    with pytest.raises(KeyError, match="again"):
        sd.get(function.remote(log, 10, KeyError("again")))
    assert log.read_text() == "x" * runs
