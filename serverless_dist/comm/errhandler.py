"""`Errhandler`: what a communicator does about an error.

Errors are Python's exceptions here, whatever the handler: the call raises, and a script
that does not catch it ends with all its ranks. A handler acts on what a program reports
by `Call_errhandler`.
"""

import gc
import weakref
from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol, Self

from serverless_dist.comm.abort import abort
from serverless_dist.comm.exceptions import ERR_ERRHANDLER, ERR_OTHER, MPIError
from serverless_dist.comm.handle import Handle

MAX_FUNCTIONS = 32
"""Handlers a program may have made at a time: mpi4py's number, so that one that
leaks them learns of it here as well."""


class _Predefined(Enum):
    RETURN = "do nothing"
    FATAL = "end all ranks"
    ABORT = "end all ranks of the communicator, here the whole job"


class _Function:
    """A function of the program."""

    __slots__ = ("__weakref__", "call")

    def __init__(self, call: Callable[[Any, int], object]) -> None:
        self.call = call


class Errhandler(Handle):
    """A handle of what is done about an error."""

    __slots__ = ()

    @classmethod
    def of(cls, action: _Predefined | _Function | None, constant: str = "") -> Self:
        """Return a handle of an action; the predefined one of that name, if given."""
        return cls._wrap(action, constant)

    @property
    def action(self) -> _Predefined | _Function:
        """What is done.

        Raises
        ------
        MPIError
            The handle is null: `ERR_ERRHANDLER`.
        """
        if self._target is None:
            msg = "the error handler is null: it was never created, or was freed"
            raise MPIError(ERR_ERRHANDLER, msg)
        action: _Predefined | _Function = self._target
        return action

    def Free(self) -> None:
        """Make this handle null; communicators that use its target keep it."""
        if self.action:
            self._forget()


ERRHANDLER_NULL = Errhandler.of(None, "ERRHANDLER_NULL")
"""No handler."""

ERRORS_RETURN = Errhandler.of(_Predefined.RETURN, "ERRORS_RETURN")
"""The call raises: every communicator's handler at first, as in mpi4py."""

ERRORS_ARE_FATAL = Errhandler.of(_Predefined.FATAL, "ERRORS_ARE_FATAL")
"""All ranks end."""

ERRORS_ABORT = Errhandler.of(_Predefined.ABORT, "ERRORS_ABORT")
"""All ranks of the communicator end."""


class _Held(Protocol):
    errhandler: Errhandler


class _Holder(Protocol):
    @property
    def state(self) -> _Held: ...


class ErrorHandling:
    """Mixed into objects whose `state` holds an `errhandler`."""

    __slots__ = ()

    @classmethod
    def Create_errhandler(
        cls, errhandler_fn: Callable[[Self, int], object]
    ) -> Errhandler:
        """Return a handler that calls a function with the object and the error code.

        Raises
        ------
        MPIError
            The program has made too many that are still in use.
        """
        if not callable(errhandler_fn):
            msg = f"an error handler has to be a function, not {errhandler_fn!r}"
            raise TypeError(msg)
        if len(_functions) >= MAX_FUNCTIONS:
            gc.collect()  # a handler may only be kept by what it refers to itself
        if len(_functions) >= MAX_FUNCTIONS:
            msg = (
                f"there are {MAX_FUNCTIONS} error handlers: free one before making more"
            )
            raise MPIError(ERR_OTHER, msg)
        function = _Function(errhandler_fn)
        _functions.add(function)
        return Errhandler.of(function)

    def Get_errhandler(self: _Holder) -> Errhandler:
        """Return a handle of this object's error handler."""
        return Errhandler(self.state.errhandler)

    def Set_errhandler(self: _Holder, errhandler: Errhandler) -> None:
        """Make `errhandler` this object's error handler."""
        state = self.state
        # A handle of its own: the caller may free the one that was passed.
        if errhandler.action:
            state.errhandler = Errhandler(errhandler)

    def Call_errhandler(self: _Holder, errorcode: int) -> None:
        """Have this object's error handler deal with an error of the program's."""
        action = self.state.errhandler.action
        if isinstance(action, _Function):
            action.call(self, errorcode)
        elif action is not _Predefined.RETURN:
            abort(errorcode)


# Process-wide because the limit is; it holds no handler that nothing else holds.
_functions: "weakref.WeakSet[_Function]" = weakref.WeakSet()
