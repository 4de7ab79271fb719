"""Generalised requests: the program says itself when they are done."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from serverless_dist.comm.engine.operations import Operation, Outcome
from serverless_dist.comm.engine.status import Envelope, Status
from serverless_dist.comm.exceptions import ERR_OTHER, ERR_REQUEST, MPIError
from serverless_dist.comm.request import Request
from serverless_dist.comm.world import get_world


class _Generalised(Operation):
    """Done when the program says so.

    Parameters
    ----------
    query
        Fills in the status of what is done.
    free
        Called once it is completed.
    cancel
        Called with whether it is done.
    """

    def __init__(
        self,
        query: Callable[[Status], None],
        free: Callable[[], None],
        cancel: Callable[[bool], None],
    ) -> None:
        super().__init__(get_world().state.endpoint)
        self._query = query
        self._free: Callable[[], None] | None = free
        self._cancel = cancel
        self._is_done = False

    @property
    def is_done(self) -> bool:
        return self._is_done

    def describe(self) -> str:
        return "for a generalised request to be completed"

    def complete(self, value: Any) -> None:
        self.value = value
        self._is_done = True
        if self.endpoint is not None:
            self.endpoint.tell()

    def peek(self) -> Envelope:
        status = Status()
        _guarded(self._query, status)
        return Envelope(
            status.source, status.tag, status.count, status.cancelled, status.error
        )

    def finish(self) -> Outcome:
        free, self._free = self._free, None
        if free is not None:
            try:
                self.envelope = self.peek()
            finally:
                _guarded(free)
        return self.value, self.envelope

    def cancel(self) -> None:
        _guarded(self._cancel, self._is_done)


class Grequest(Request):
    """A request that `Complete` completes."""

    __slots__ = ()

    def __new__(cls, request: Request | None = None) -> Self:
        """Return another handle of a generalised request."""
        operation = getattr(request, "_target", None)
        if operation is not None and not isinstance(operation, _Generalised):
            msg = f"{request!r} is no generalised request"
            raise TypeError(msg)
        return super().__new__(cls, request)

    @classmethod
    def Start(
        cls,
        query_fn: Callable[..., None] | None = None,
        free_fn: Callable[..., None] | None = None,
        cancel_fn: Callable[..., None] | None = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> Self:
        """Return a request that is done when `Complete` is called.

        Parameters
        ----------
        query_fn
            ``query_fn(status, *args, **kwargs)`` fills in the status.
        free_fn
            ``free_fn(*args, **kwargs)`` is called once the request is completed.
        cancel_fn
            ``cancel_fn(is_done, *args, **kwargs)`` is called by `Cancel`.
        args, kwargs
            What the functions are called with besides.
        """
        given, named = tuple(args or ()), dict(kwargs or {})

        def query(status: Status) -> None:
            if query_fn is not None:
                query_fn(status, *given, **named)
                if cancel_fn is None:
                    status.cancelled = False

        def free() -> None:
            if free_fn is not None:
                free_fn(*given, **named)

        def cancel(is_done: bool) -> None:
            if cancel_fn is not None:
                cancel_fn(is_done, *given, **named)

        return cls._wrap(_Generalised(query, free, cancel))

    def Complete(self) -> None:
        """Say that it is done."""
        Grequest.complete(self)

    def complete(self, obj: Any = None) -> None:
        """Say that it is done, and what `wait` returns."""
        operation = self._existing()
        assert isinstance(operation, _Generalised)  # `__new__` sees to it
        if operation.is_done:
            msg = "the generalised request was completed before"
            raise MPIError(ERR_REQUEST, msg)
        operation.complete(obj)


def _guarded(function: Callable[..., None], *args: Any) -> None:
    """Call a function of the program's; what it raises becomes an `MPIError`."""
    try:
        function(*args)
    except MPIError:
        raise
    except Exception as error:
        msg = f"a function of a generalised request failed: {error!r}"
        raise MPIError(ERR_OTHER, msg) from error
