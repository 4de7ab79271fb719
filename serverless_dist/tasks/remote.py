"""Decorators: functions as tasks, classes as actors, functions as gangs."""

import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar, overload

from serverless_dist.errors import UsageError
from serverless_dist.tasks.api import current_client
from serverless_dist.tasks.arguments import pack_arguments
from serverless_dist.tasks.client import Client
from serverless_dist.tasks.code import Code, pack_code, unpack_code
from serverless_dist.tasks.current import client_of
from serverless_dist.tasks.messages import STREAMING, Kind, Policy, Spec
from serverless_dist.tasks.modules import beside_script
from serverless_dist.tasks.options import (
    ActorOptions,
    CallOptions,
    GangOptions,
    TaskOptions,
    changed,
    count_of,
)
from serverless_dist.tasks.refs import (
    ObjectRef,
    ObjectRefGenerator,
    note_ref,
    noting_refs,
)
from serverless_dist.tasks.signatures import CallShape, shape_of
from serverless_dist.tasks.values import Value

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")


class Call(NamedTuple):
    """What is submitted, besides its arguments."""

    kind: Kind
    name: str
    code: bytes
    num_returns: int
    policy: Policy
    actor: int = 0
    method: str = ""


def submit(
    client: Client, call: Call, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> int:
    """Have a task run; return its id. The client holds its refs.

    Parameters
    ----------
    client
        Who submits it.
    call
        What is called.
    args, kwargs
        With what.
    """
    packed = pack_arguments(call.name, args, kwargs)
    payload = client.keep(packed.body, packed.refs)
    id = client.take_id(call.num_returns)
    client.submit(
        Spec(
            id,
            call.num_returns,
            call.kind,
            call.name,
            call.code,
            payload,
            packed.deps,
            call.actor,
            call.method,
            client.task,
            call.policy,
        )
    )
    return id


def refs_of(client: Client, id: int, num_returns: int) -> Any:
    """Return what `.remote()` returns: nothing, a ref, a list of refs, or a generator.

    >>> refs_of(None, 7, 0) is None
    True
    """
    if num_returns == 1:
        return ObjectRef(id, client)
    if num_returns == 0:
        return None
    if num_returns == STREAMING:
        return ObjectRefGenerator(ObjectRef(id, client), client)
    return [ObjectRef(id + place, client) for place in range(num_returns)]


class PackedCode:
    """A function or class that is pickled once, when it is needed first."""

    def __init__(
        self, target: Callable[..., Any], retry: tuple[type[BaseException], ...] = ()
    ) -> None:
        self._code = Code(target, retry)
        self._digest: bytes | None = None
        self._body: Any = None
        self._refs: list[int] = []

    def ship(self, client: Client) -> bytes:
        """Return the digest of the code, which the driver has from now on."""
        if self._digest is None:
            modules = {}
            if client.ships_modules:
                main = sys.modules.get("__main__")
                modules = dict(beside_script(list(sys.modules.values()), main))
            with noting_refs() as refs:
                self._digest, self._body = pack_code(self._code, modules)
            self._refs = refs
        client.ship(self._digest, lambda: client.keep(self._body, self._refs))
        return self._digest


class RemoteFunction(Generic[P, R]):
    """A function whose calls are tasks; `remote` makes one of a function.

    ``f.remote(...)`` submits a call and returns at once, with a ref of its result;
    ``f.options(...)`` returns the same function with some options changed.
    """

    def __init__(self, function: Callable[P, R], options: TaskOptions) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._options = options
        self._name = options.name or function.__qualname__.rpartition("<locals>.")[2]
        self._shape = shape_of(function)
        is_generator = inspect.isgeneratorfunction(function)
        self._num_returns = count_of(options.num_returns, is_generator=is_generator)
        self._policy = options.policy()
        self._code = PackedCode(function, options.worth_retrying)

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
        id = submit(client, self.call(client), args, kwargs)
        return refs_of(client, id, self._num_returns)

    def options(self, **changes: Any) -> "RemoteFunction[P, R]":
        """Return the same function with other options; see `TaskOptions`."""
        options = changed(self._options, self._name, changes)
        return RemoteFunction(self._function, options)

    def call(self, client: Client, kind: Kind = Kind.CALL) -> Call:
        """Return what a call submits."""
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
        self._name = options.name or function.__qualname__.rpartition("<locals>.")[2]
        self._shape = shape_of(function, skip=1)
        self._code = PackedCode(function)

    def __repr__(self) -> str:
        return f"<Gang {self._name} of {self._options.ranks}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._function, self._options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: a call here is most often a mistake."""
        msg = f"{self._name} runs on ranks: call {self._name}.remote(...)"
        raise TypeError(msg)

    def remote(self, *args: Any, **kwargs: Any) -> ObjectRef[list[R]]:
        """Start the ranks; return a ref of the list of what they return."""
        self._shape.check(self._name, args, kwargs)
        client = current_client()
        digest = self._code.ship(client)
        call = Call(Kind.GANG, self._name, digest, 1, self._options.policy())
        return ObjectRef(submit(client, call, args, kwargs), client)

    def options(self, **changes: Any) -> "Gang[R]":
        """Return the same function with other options; see `GangOptions`."""
        return Gang(self._function, changed(self._options, self._name, changes))


class ActorClass(Generic[C]):
    """A class whose objects live in workers; `remote` makes one of a class.

    ``A.remote(...)`` makes an actor and returns a handle at once.
    """

    def __init__(self, cls: type[C], options: ActorOptions) -> None:
        functools.update_wrapper(self, cls, updated=())
        self._class = cls
        self._options = options
        self._shape = shape_of(cls)
        self._code = PackedCode(cls)

    def __repr__(self) -> str:
        return f"<ActorClass {self._class.__qualname__}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._class, self._options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: a call here is most often a mistake."""
        name = self._class.__name__
        msg = f"{name} is a remote class: make an actor by {name}.remote(...)"
        raise TypeError(msg)

    def remote(self, *args: Any, **kwargs: Any) -> "ActorHandle":
        """Make an actor; return a handle. It ends when nobody has a handle of it.

        Raises
        ------
        TypeError
            The arguments do not fit the constructor.
        UsageError
            An actor with this name exists.
        UnpicklableError
            The class or an argument cannot travel.
        """
        name = self._class.__name__
        self._shape.check(name, args, kwargs)
        client = current_client()
        if self._options.name and client.find(self._options.name).ids:
            msg = f"there is an actor with the name {self._options.name!r} already"
            raise UsageError(msg)
        digest = self._code.ship(client)
        call = Call(Kind.CREATE, name, digest, 1, self._options.policy())
        id = submit(client, call, args, kwargs)
        face = Face(name, methods_of(self._class), self._options)
        return ActorHandle(ObjectRef(id, client), face)

    def options(self, **changes: Any) -> "ActorClass[C]":
        """Return the same class with other options; see `ActorOptions`."""
        options = changed(self._options, self._class.__name__, changes)
        return ActorClass(self._class, options)


class MethodFace(NamedTuple):
    """What a method takes, and whether it is a generator."""

    shape: CallShape
    is_generator: bool


class Face(NamedTuple):
    """What a handle knows of its actor."""

    name: str
    methods: Mapping[str, MethodFace]
    options: ActorOptions


def methods_of(cls: type) -> dict[str, MethodFace]:
    """Return the methods of a class that handles have.

    >>> class Counter:
    ...     def add(self, n): ...
    >>> list(methods_of(Counter))
    ['add']
    """
    methods = {}
    for name in dir(cls):
        static = inspect.getattr_static(cls, name)
        function = getattr(cls, name)
        if (name.startswith("__") and name != "__call__") or not callable(function):
            continue
        skip = 0 if isinstance(static, staticmethod | classmethod) else 1
        shape = shape_of(function, skip=skip)
        methods[name] = MethodFace(shape, inspect.isgeneratorfunction(function))
    methods.pop("__call__", None) if "__call__" not in vars(cls) else None
    return methods


class ActorHandle:
    """Refers to an actor; its methods have ``.remote(...)``.

    Handles can be passed on to tasks and other actors. Calls run in the order in which
    they come in.
    """

    def __init__(self, ref: ObjectRef[Any], face: Face) -> None:
        self._ref = ref
        self._face = face

    def __repr__(self) -> str:
        return f"<ActorHandle {self._face.name} {self._ref.hex()}>"

    def __reduce__(self) -> tuple[Any, ...]:
        client = self._ref._client  # noqa: SLF001 - it is the handle's as well
        note_ref(self._ref.id, client)
        return _handle_again, (client.job, self._ref.id, self._face)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorHandle) and self._ref == other._ref

    def __hash__(self) -> int:
        return hash(self._ref)

    def __getattr__(self, name: str) -> "ActorMethod":
        face = self.__dict__.get("_face")
        if face is None or name not in face.methods:
            msg = f"actor {face.name if face else ''} has no method {name!r}"
            raise AttributeError(msg)
        return ActorMethod(self, name, CallOptions())


class ActorMethod:
    """A method of an actor: call its ``.remote(...)``."""

    def __init__(self, handle: ActorHandle, name: str, options: CallOptions) -> None:
        self._handle = handle
        self._name = name
        self._options = options

    def __repr__(self) -> str:
        return f"<ActorMethod {self._name} of {self._handle!r}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: a call here is most often a mistake."""
        msg = f"{self._name} is an actor's method: call {self._name}.remote(...)"
        raise TypeError(msg)

    def remote(self, *args: Any, **kwargs: Any) -> Any:
        """Submit a call; return a ref, or what `num_returns` asks for."""
        face, ref = self._handle._face, self._handle._ref  # noqa: SLF001
        method = face.methods[self._name]
        name = f"{face.name}.{self._name}"
        method.shape.check(name, args, kwargs)
        num_returns = count_of(
            self._options.num_returns, is_generator=method.is_generator
        )
        policy = face.options.call_policy(self._options.timeout)
        client = current_client()
        call = Call(Kind.METHOD, name, b"", num_returns, policy, ref.id, self._name)
        return refs_of(client, submit(client, call, args, kwargs), num_returns)

    def options(self, **changes: Any) -> "ActorMethod":
        """Return the same method with other options; see `CallOptions`."""
        options = changed(self._options, self._name, changes)
        return ActorMethod(self._handle, self._name, options)


def kill(actor: ActorHandle, *, no_restart: bool = True) -> None:
    """End an actor at once; calls that are under way or wait raise `ActorDiedError`.

    Without `no_restart` it is made anew as often as its `max_restarts` allows.
    """
    if not isinstance(actor, ActorHandle):
        msg = f"kill takes the handle of an actor, not a {type(actor).__qualname__}"
        raise TypeError(msg)
    current_client().kill(actor._ref.id, no_restart=no_restart)  # noqa: SLF001


def get_actor(name: str) -> ActorHandle:
    """Return a handle of the actor that was made with this name.

    Raises
    ------
    UsageError
        There is none, or not any more.
    """
    client = current_client()
    answer = client.find(name)
    if not answer.ids:
        msg = f"there is no actor with the name {name!r}"
        raise UsageError(msg)
    ref: ObjectRef[Any] = ObjectRef(answer.ids[0], client)
    cls: Any = unpack_code([_body(client, answer.values[0])]).target
    face = Face(cls.__name__, methods_of(cls), ActorOptions(name=name))
    return ActorHandle(ref, face)


def _body(client: Client, value: Value) -> bytes | memoryview:
    from serverless_dist.tasks.values import Form

    return client.store.get(value.data) if value.form == Form.STORED else value.data


def _handle_again(job: bytes, id: int, face: Face) -> ActorHandle:
    client = client_of(job)
    client.hold(id)
    return ActorHandle(ObjectRef(id, client), face)


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
    if isinstance(target, RemoteFunction | ActorClass) or not callable(target):
        msg = f"remote takes a function or a class, not {target!r}"
        raise TypeError(msg)
    name = getattr(target, "__name__", type(target).__name__)
    if not hasattr(target, "__qualname__"):
        msg = f"remote takes a function or a class, not {target!r}"
        raise TypeError(msg)
    return RemoteFunction(target, changed(TaskOptions(), name, options))


def ranks(count: int, **options: Any) -> Callable[[Callable[..., R]], Gang[R]]:
    """Run a function on so many ranks at once, each with its communicator.

    Parameters
    ----------
    count
        How many ranks.
    options
        ``channel``, ``timeout`` and ``name``; see `GangOptions`.

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
    return lambda function: Gang(function, made)
