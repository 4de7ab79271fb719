"""Requests: handles of operations under way, as mpi4py has them.

`Wait`, `Test` and the families of ``any``, ``all`` and ``some`` come in two cases:
capitals tell that something is done, small letters also return its object. A request
becomes null, and false, when it is completed; a persistent one can be started again.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Literal, Self

from serverless_dist.comm.constants import UNDEFINED
from serverless_dist.comm.engine.endpoint import Endpoint
from serverless_dist.comm.engine.matching import name_ranks
from serverless_dist.comm.engine.operations import Operation, Persistent
from serverless_dist.comm.engine.status import NO_MESSAGE, Envelope, Status
from serverless_dist.comm.exceptions import ERR_IN_STATUS, ERR_REQUEST, MPIError
from serverless_dist.comm.handle import Handle
from serverless_dist.comm.refused import refuse_partitions

_Statuses = list[Status] | tuple[Status, ...] | None


class Request(Handle):
    """Something under way; ``Request()`` is null, which is done at once."""

    __slots__ = ()

    @classmethod
    def of(cls, operation: Operation) -> Self:
        """Return a request for the operation."""
        return cls._wrap(operation)

    def Wait(self, status: Status | None = None) -> Literal[True]:
        """Return True when it is done."""
        Request.wait(self, status)
        return True

    def Test(self, status: Status | None = None) -> bool:
        """Return whether it is done; if so, it is completed."""
        return Request.test(self, status)[0]

    def Get_status(self, status: Status | None = None) -> bool:
        """Return whether it is done, without completing it."""
        operation: Operation | None = self._target
        if operation is not None and not operation.is_done:
            _poll((operation,))
        is_done = operation is None or operation.is_done
        if is_done:
            envelope = self._peek()
            if status is not None:
                status.fill(envelope)
        return is_done

    def wait(self, status: Status | None = None) -> Any:
        """Return its object when it is done; None if it has none.

        Raises
        ------
        DeadlineError
            The job's deadline came first.
        """
        operation: Operation | None = self._target
        if operation is not None and not operation.is_done:
            _wait(operation, (operation,))
        return self._complete(status)

    def test(self, status: Status | None = None) -> tuple[bool, Any]:
        """Return whether it is done, and its object."""
        operation: Operation | None = self._target
        if operation is not None and not operation.is_done:
            _poll((operation,))
            if not operation.is_done:
                return False, None
        return True, self._complete(status)

    def get_status(self, status: Status | None = None) -> bool:
        """Return whether it is done, without completing it."""
        return Request.Get_status(self, status)

    @classmethod
    def waitany(
        cls, requests: Sequence["Request"], status: Status | None = None
    ) -> tuple[int, Any]:
        """Return the lowest index of those that are done first, and its object.

        ``(UNDEFINED, None)`` if all are null.
        """
        active = _active(requests)
        if active and not _is_any(active):
            _wait(_Group(active, any), active)
        index, _, obj = _take_any(requests, status)
        return index, obj

    @classmethod
    def testany(
        cls, requests: Sequence["Request"], status: Status | None = None
    ) -> tuple[int, bool, Any]:
        """Return the index of one that is done, whether one is, and its object."""
        active = _active(requests)
        if active and not _is_any(active):
            _poll(active)
        return _take_any(requests, status)

    @classmethod
    def get_status_any(
        cls, requests: Sequence["Request"], status: Status | None = None
    ) -> tuple[int, bool]:
        """Return the index of one that is done, and whether there is one."""
        active = _active(requests)
        if active and not _is_any(active):
            _poll(active)
        index, flag = _index_of_any(requests)
        if flag and status is not None:
            found = index != UNDEFINED
            status.fill(requests[index]._peek() if found else NO_MESSAGE)
        return index, flag

    @classmethod
    def waitall(
        cls, requests: Sequence["Request"], statuses: _Statuses = None
    ) -> list[Any]:
        """Return the objects of all requests when all are done.

        If some failed, all are completed and the first failure is raised.
        """
        active = _active(requests)
        if not all(operation.is_done for operation in active):
            _wait(_Group(active, all), active)
        return _take(requests, range(len(requests)), statuses)

    @classmethod
    def testall(
        cls, requests: Sequence["Request"], statuses: _Statuses = None
    ) -> tuple[bool, list[Any] | None]:
        """Return whether all are done, and then their objects."""
        if not Request.get_status_all(requests):
            return False, None
        return True, _take(requests, range(len(requests)), statuses)

    @classmethod
    def get_status_all(
        cls, requests: Sequence["Request"], statuses: _Statuses = None
    ) -> bool:
        """Return whether all are done, without completing any."""
        active = _active(requests)
        if not all(operation.is_done for operation in active):
            _poll(active)
        if not all(operation.is_done for operation in active):
            return False
        _fill(statuses, [request._peek() for request in requests])
        return True

    @classmethod
    def waitsome(
        cls, requests: Sequence["Request"], statuses: _Statuses = None
    ) -> tuple[list[int] | None, list[Any] | None]:
        """Return the indices and objects of those done, at least one.

        ``(None, None)`` if all are null.
        """
        active = _active(requests)
        if not active:
            return None, None
        if not _is_any(active):
            _wait(_Group(active, any), active)
        indices = _indices_of_done(requests)
        return indices, _take(requests, indices, statuses)

    @classmethod
    def testsome(
        cls, requests: Sequence["Request"], statuses: _Statuses = None
    ) -> tuple[list[int] | None, list[Any] | None]:
        """Return the indices and objects of those that are done, perhaps none."""
        indices = Request.get_status_some(requests)
        if indices is None:
            return None, None
        return indices, _take(requests, indices, statuses)

    @classmethod
    def get_status_some(
        cls, requests: Sequence["Request"], statuses: _Statuses = None
    ) -> list[int] | None:
        """Return the indices of those that are done; None if all are null."""
        active = _active(requests)
        if not active:
            return None
        if not all(operation.is_done for operation in active):
            _poll(active)
        indices = _indices_of_done(requests)
        _fill(statuses, [requests[index]._peek() for index in indices])
        return indices

    @classmethod
    def Waitany(
        cls, requests: Sequence["Request"], status: Status | None = None
    ) -> int:
        """Return the lowest index of those that are done first."""
        return Request.waitany(requests, status)[0]

    @classmethod
    def Testany(
        cls, requests: Sequence["Request"], status: Status | None = None
    ) -> tuple[int, bool]:
        """Return the index of one that is done, and whether there is one."""
        return Request.testany(requests, status)[:2]

    @classmethod
    def Get_status_any(
        cls, requests: Sequence["Request"], status: Status | None = None
    ) -> tuple[int, bool]:
        """Return the index of one that is done, and whether there is one."""
        return Request.get_status_any(requests, status)

    @classmethod
    def Waitall(
        cls, requests: Sequence["Request"], statuses: _Statuses = None
    ) -> Literal[True]:
        """Return True when all are done."""
        Request.waitall(requests, statuses)
        return True

    @classmethod
    def Testall(cls, requests: Sequence["Request"], statuses: _Statuses = None) -> bool:
        """Return whether all are done; if so, they are completed."""
        return Request.testall(requests, statuses)[0]

    @classmethod
    def Get_status_all(
        cls, requests: Sequence["Request"], statuses: _Statuses = None
    ) -> bool:
        """Return whether all are done, without completing any."""
        return Request.get_status_all(requests, statuses)

    @classmethod
    def Waitsome(
        cls, requests: Sequence["Request"], statuses: _Statuses = None
    ) -> list[int] | None:
        """Return the indices of those done, at least one; None if all are null."""
        return Request.waitsome(requests, statuses)[0]

    @classmethod
    def Testsome(
        cls, requests: Sequence["Request"], statuses: _Statuses = None
    ) -> list[int] | None:
        """Return the indices of those that are done; None if all are null."""
        return Request.testsome(requests, statuses)[0]

    @classmethod
    def Get_status_some(
        cls, requests: Sequence["Request"], statuses: _Statuses = None
    ) -> list[int] | None:
        """Return the indices of those that are done; None if all are null."""
        return Request.get_status_some(requests, statuses)

    def Cancel(self) -> None:
        """Give it up, if that is still possible; it has to be waited for all the same.

        A receive without its message can be given up, a send cannot.
        """
        self._existing().cancel()

    def cancel(self) -> None:
        """Give it up; see `Cancel`."""
        Request.Cancel(self)

    def Free(self) -> None:
        """Make it null; what it stood for goes on."""
        self._existing()
        self._forget()

    def _existing(self) -> Operation:
        operation: Operation | None = self._target
        if operation is None:
            msg = "the request is null: it was completed or freed"
            raise MPIError(ERR_REQUEST, msg)
        return operation

    def _peek(self) -> Envelope:
        """Return the envelope of what is done; a buffer is filled from now on."""
        operation: Operation | None = self._target
        return NO_MESSAGE if operation is None else operation.peek()

    def _complete(self, status: Status | None) -> Any:
        """Return the object of a request that is done."""
        operation: Operation | None = self._target
        if operation is None:
            value, envelope = None, NO_MESSAGE
        else:
            if not operation.is_persistent:
                self._forget()
            value, envelope = operation.finish()
        if status is not None:
            status.fill(envelope)
        return value


class Prequest(Request):
    """A request that can be started again and again."""

    __slots__ = ()

    def __new__(cls, request: Request | None = None) -> Self:
        """Return another handle of a persistent request."""
        operation = getattr(request, "_target", None)
        if operation is not None and not isinstance(operation, Persistent):
            msg = f"{request!r} is no persistent request"
            raise TypeError(msg)
        return super().__new__(cls, request)

    def Start(self) -> None:
        """Begin what it stands for."""
        operation = self._existing()
        assert isinstance(operation, Persistent)  # `__new__` sees to it
        operation.start()

    @classmethod
    def Startall(cls, requests: Iterable["Prequest"]) -> None:
        """Begin all."""
        for request in requests:
            request.Start()

    def Pready(self, partition: int) -> None:
        """Not available: there is no partitioned communication."""
        refuse_partitions("Pready")

    def Pready_range(self, partition_low: int, partition_high: int) -> None:
        """Not available: there is no partitioned communication."""
        refuse_partitions("Pready_range")

    def Pready_list(self, partitions: Sequence[int]) -> None:
        """Not available: there is no partitioned communication."""
        refuse_partitions("Pready_list")

    def Parrived(self, partition: int) -> bool:
        """Not available: there is no partitioned communication."""
        refuse_partitions("Parrived")


REQUEST_NULL = Request._wrap(None, "REQUEST_NULL")
"""No request."""


class _Group:
    """Several operations: done when any or all of them are."""

    def __init__(
        self, operations: Sequence[Operation], rule: Callable[[Iterable[bool]], bool]
    ) -> None:
        self._operations = operations
        self._rule = rule

    @property
    def is_done(self) -> bool:
        return self._rule(operation.is_done for operation in self._operations)

    def sources(self) -> Collection[int]:
        named: set[int] = set()
        for operation in self._operations:
            if not operation.is_done:
                sources = operation.sources()
                if not sources:
                    return ()
                named.update(sources)
        return named

    def describe(self) -> str:
        left = [each for each in self._operations if not each.is_done]
        if len(left) == 1:
            return left[0].describe()
        return f"for {len(left)} requests from {name_ranks(self.sources())}"


def _endpoint(operations: Iterable[Operation]) -> Endpoint:
    """Return the endpoint that moves the unfinished operations on."""
    found = (each.endpoint for each in operations if not each.is_done)
    endpoint = next(each for each in found if each is not None)
    return endpoint


def _wait(pending: "Operation | _Group", operations: Sequence[Operation]) -> None:
    _endpoint(operations).wait(pending)


def _poll(operations: Sequence[Operation]) -> None:
    _endpoint(operations).poll(_Group(operations, all))


def _active(requests: Sequence[Request]) -> list[Operation]:
    """Return the operations that are worth waiting for."""
    operations: list[Operation] = [request._target for request in requests if request]
    return [operation for operation in operations if operation.is_active]


def _is_any(operations: Sequence[Operation]) -> bool:
    return any(operation.is_done for operation in operations)


def _indices_of_done(requests: Sequence[Request]) -> list[int]:
    return [
        index
        for index, request in enumerate(requests)
        if request and request._target.is_active and request._target.is_done
    ]


def _index_of_any(requests: Sequence[Request]) -> tuple[int, bool]:
    """Return the first that is done, and whether one is or none is active."""
    done = _indices_of_done(requests)
    if done:
        return done[0], True
    return UNDEFINED, not _active(requests)


def _take_any(
    requests: Sequence[Request], status: Status | None
) -> tuple[int, bool, Any]:
    """Complete the first that is done."""
    index, flag = _index_of_any(requests)
    if index != UNDEFINED:
        return index, flag, requests[index]._complete(status)
    if flag and status is not None:
        status.fill(NO_MESSAGE)
    return index, flag, None


def _take(
    requests: Sequence[Request], indices: Iterable[int], statuses: _Statuses
) -> list[Any]:
    """Complete those at the indices; return their objects, or raise a failure."""
    objs = []
    envelopes = []
    failure: BaseException | None = None
    for index in indices:
        status = Status()
        try:
            objs.append(requests[index]._complete(status))
        except Exception as error:  # a user's function may raise anything
            failure = failure or error
            status.error = getattr(error, "error_code", status.error)
        envelopes.append(
            Envelope(
                status.source, status.tag, status.count, status.cancelled, status.error
            )
        )
    _fill(statuses, envelopes)
    if isinstance(failure, MPIError):
        msg = f"of several requests one failed, its status says which: {failure}"
        raise MPIError(ERR_IN_STATUS, msg) from failure
    if failure is not None:
        raise failure
    return objs


def _fill(statuses: _Statuses, envelopes: Sequence[Envelope]) -> None:
    """Fill in the statuses; a list gets more of them if it is too short."""
    if statuses is None:
        return
    if isinstance(statuses, list):
        statuses += [Status() for _ in range(len(envelopes) - len(statuses))]
    for status, envelope in zip(statuses, envelopes, strict=False):
        status.fill(envelope)
