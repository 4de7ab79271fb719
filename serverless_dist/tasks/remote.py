"""Decorators: functions as tasks, classes as actors, functions as gangs."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, overload

from serverless_dist.errors import UsageError
from serverless_dist.tasks.client import Client
from serverless_dist.tasks.code import Code
from serverless_dist.tasks.handles import ActorClass
from serverless_dist.tasks.messages import Kind
from serverless_dist.tasks.options import (
    ActorOptions,
    GangOptions,
    TaskOptions,
    changed,
    count_of,
)
from serverless_dist.tasks.refs import ObjectRef
from serverless_dist.tasks.session import current_client
from serverless_dist.tasks.signatures import shape_of
from serverless_dist.tasks.submission import (
    Call,
    PackedCode,
    name_of,
    refs_of,
    submit,
)

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")


class RemoteFunction(Generic[P, R]):
    """A function whose calls are tasks; `remote` makes one of a function.

    ``f.remote(...)`` submits a call and returns at once, with a ref of its result;
    ``f.options(...)`` returns the same function with some options changed.

    Parameters
    ----------
    function
        What runs in a worker.
    options
        How.
    code
        The function as it was packed with the same options for its errors; None: it
        has not been packed.
    """

    def __init__(
        self,
        function: Callable[P, R],
        options: TaskOptions,
        code: PackedCode | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._options = options
        self._name = options.name or name_of(function)
        self._shape = shape_of(function)
        is_generator = inspect.isgeneratorfunction(function)
        self._num_returns = count_of(options.num_returns, is_generator=is_generator)
        self._policy = options.policy()
        self._code = code or PackedCode(Code(function, options.worth_retrying))

    def __repr__(self) -> str:
        return f"<RemoteFunction {self._name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._function, self._options)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Refuse: a call here is most often a mistake."""
        msg = f"{self._name} is a remote function: call {self._name}.remote(...)"
        raise TypeError(msg)

    def remote(self, *args: Any, **kwargs: Any) -> Any:
        """Submit a call; return a ref, or what `num_returns` asks for.

        Raises
        ------
        TypeError
            The arguments do not fit the function.
        UnpicklableError
            The function or an argument cannot travel.
        """
        self._shape.check(self._name, args, kwargs)
        client = current_client()
        id = submit(client, self.call(client, Kind.CALL), args, kwargs)
        return refs_of(client, id, self._num_returns)

    def options(self, **changes: Any) -> "RemoteFunction[P, R]":
        """Return the same function with other options; see `TaskOptions`."""
        options = changed(self._options, self._name, changes)
        is_same = options.worth_retrying == self._options.worth_retrying
        return RemoteFunction(self._function, options, self._code if is_same else None)

    def call(self, client: Client, kind: Kind) -> Call:
        """Return what a call submits, or a batch of calls."""
        digest = self._code.ship(client)
        num_returns = self._num_returns if kind is Kind.CALL else 1
        return Call(kind, self._name, digest, num_returns, self._policy)


class Gang(Generic[R]):
    """A function that runs on several ranks at once; `ranks` makes one of a function.

    The function gets the rank's `Communicator` first; the value of a call is the list
    of what the ranks return.
    """

    def __init__(self, function: Callable[..., R], options: GangOptions) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._options = options
        self._name = options.name or name_of(function)
        self._shape = shape_of(function, skip=1)
        self._code = PackedCode(Code(function, ()))

    def __repr__(self) -> str:
        return f"<Gang {self._name} of {self._options.ranks}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._function, self._options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: a call here is most often a mistake."""
        msg = f"{self._name} runs on ranks: call {self._name}.remote(...)"
        raise TypeError(msg)

    def remote(self, *args: Any, **kwargs: Any) -> ObjectRef[list[R]]:
        """Start the ranks; return a ref of the list of what they return.

        Raises
        ------
        TypeError
            The arguments do not fit the function.
        UnpicklableError
            The function or an argument cannot travel.
        """
        self._shape.check(self._name, args, kwargs)
        client = current_client()
        digest = self._code.ship(client)
        call = Call(Kind.GANG, self._name, digest, 1, self._options.policy())
        return ObjectRef(submit(client, call, args, kwargs), client)

    def options(self, **changes: Any) -> "Gang[R]":
        """Return the same function with other options; see `GangOptions`."""
        return Gang(self._function, changed(self._options, self._name, changes))


@overload
def remote(target: type[C]) -> ActorClass[C]: ...  # type: ignore[overload-overlap]
@overload
def remote(target: Callable[P, R]) -> RemoteFunction[P, R]: ...
@overload
def remote(**options: Any) -> Callable[[Any], Any]: ...
def remote(target: Any = None, **options: Any) -> Any:
    """Make tasks of a function's calls, or actors of a class's objects.

    Parameters
    ----------
    target
        A function or a class: ``@remote``. With options: ``@remote(retries=0)``.
    options
        Those of `TaskOptions` for a function, of `ActorOptions` for a class.

    Returns
    -------
    RemoteFunction or ActorClass
        Has ``.remote(...)`` to call it, and ``.options(...)``.

    Raises
    ------
    TypeError
        There is no such option, or the target is neither function nor class.
    UsageError
        An option cannot have this value.

    Examples
    --------
    >>> import serverless_dist as sd
    >>> @sd.remote
    ... def square(x):
    ...     return x * x
    >>> with sd.init(workers=1):
    ...     sd.get([square.remote(number) for number in range(4)])
    [0, 1, 4, 9]
    """
    if target is None:
        return functools.partial(remote, **options)
    if inspect.isclass(target):
        return ActorClass(target, changed(ActorOptions(), target.__name__, options))
    is_made = isinstance(target, RemoteFunction | ActorClass | Gang)
    if is_made or not callable(target) or not hasattr(target, "__qualname__"):
        msg = f"remote takes a function or a class, not {target!r}"
        raise TypeError(msg)
    return RemoteFunction(target, changed(TaskOptions(), name_of(target), options))


def ranks(count: int, **options: Any) -> Callable[[Callable[..., R]], Gang[R]]:
    """Run a function on so many ranks at once, each with its communicator.

    Parameters
    ----------
    count
        How many ranks.
    options
        ``channel``, ``timeout`` and ``name``; see `GangOptions`.

    Returns
    -------
    a decorator
        It makes a `Gang` of a function that takes a `Communicator` first.

    Raises
    ------
    TypeError
        There is no such option, or `count` is the function.
    UsageError
        An option cannot have this value.

    Examples
    --------
    >>> import serverless_dist as sd
    >>> @sd.ranks(2, channel="direct")
    ... def total(comm, x):
    ...     return comm.allreduce(x + comm.rank)
    >>> with sd.init(workers=1):
    ...     sd.get(total.remote(1))
    [3, 3]
    """
    if callable(count):
        msg = "ranks takes how many: write @ranks(4)"
        raise TypeError(msg)
    made = changed(GangOptions(ranks=count), "ranks", options)

    def decorate(function: Callable[..., R]) -> Gang[R]:
        if not inspect.isroutine(function):
            msg = f"ranks takes a function of a communicator, not {function!r}"
            raise UsageError(msg)
        return Gang(function, made)

    return decorate
