"""Error handlers, on a stand-in for a communicator."""

import pickle
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest

from serverless_dist.comm import abort
from serverless_dist.comm.errhandler import (
    ERRHANDLER_NULL,
    ERRORS_ABORT,
    ERRORS_ARE_FATAL,
    ERRORS_RETURN,
    MAX_FUNCTIONS,
    Errhandler,
    ErrorHandling,
)
from serverless_dist.comm.exceptions import (
    ERR_ERRHANDLER,
    ERR_OTHER,
    SUCCESS,
    MPIError,
)
from serverless_dist.comm.place import here


class Held:
    def __init__(self) -> None:
        self.errhandler = ERRORS_RETURN


class Thing(ErrorHandling):
    def __init__(self) -> None:
        self.state = Held()


class AbortedError(Exception):
    pass


@pytest.fixture
def _aborts() -> Iterator[None]:
    def end(code: int) -> NoReturn:
        raise AbortedError(code)

    before = here().abort
    abort.set_abort(end)
    yield
    here().abort = before


def test_the_handler_that_was_set_is_returned() -> None:
    thing = Thing()
    assert thing.Get_errhandler() == ERRORS_RETURN
    for handler in (ERRORS_ARE_FATAL, ERRORS_ABORT, ERRORS_RETURN):
        thing.Set_errhandler(handler)
        handle = thing.Get_errhandler()
        assert handle == handler
        handle.Free()
        assert handle == ERRHANDLER_NULL
        assert thing.Get_errhandler() == handler


def test_a_function_is_called_with_the_object_and_the_code() -> None:
    calls: list[Any] = []
    thing = Thing()
    handler = Thing.Create_errhandler(lambda *args: calls.append(args))
    thing.Set_errhandler(handler)
    handler.Free()
    thing.Call_errhandler(ERR_OTHER)
    assert calls == [(thing, ERR_OTHER)]


def test_returning_errors_does_nothing() -> None:
    Thing().Call_errhandler(SUCCESS)
    Thing().Call_errhandler(ERR_OTHER)


@pytest.mark.usefixtures("_aborts")
@pytest.mark.parametrize("handler", [ERRORS_ARE_FATAL, ERRORS_ABORT])
def test_fatal_errors_end_the_job(handler: Errhandler) -> None:
    thing = Thing()
    thing.Set_errhandler(handler)
    with pytest.raises(AbortedError, match=str(ERR_OTHER)):
        thing.Call_errhandler(ERR_OTHER)


def test_null_is_no_handler() -> None:
    for call in (ERRHANDLER_NULL.Free, lambda: Thing().Set_errhandler(Errhandler())):
        with pytest.raises(MPIError) as caught:
            call()
        assert caught.value == ERR_ERRHANDLER


def test_freed_handlers_make_room_for_new_ones() -> None:
    for _ in range(2):
        kept = [Thing.Create_errhandler(lambda *_: None) for _ in range(MAX_FUNCTIONS)]
        with pytest.raises(RuntimeError, match="free one"):
            Thing.Create_errhandler(lambda *_: None)
        for handler in kept:
            handler.Free()


def test_what_cannot_be_called_handles_nothing() -> None:
    with pytest.raises(TypeError, match="function"):
        Thing.Create_errhandler(3)  # type: ignore[arg-type]


def test_handlers_of_the_program_do_not_travel() -> None:
    handler = Thing.Create_errhandler(lambda *_: None)
    with pytest.raises(ValueError, match="pickled"):
        pickle.dumps(handler)
    handler.Free()
