"""Actors: objects that live in workers, and handles of them."""

import functools
import inspect
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from serverless_dist.errors import UsageError
from serverless_dist.tasks.client import Client
from serverless_dist.tasks.code import Code, unpack_code
from serverless_dist.tasks.current import client_of, require_current
from serverless_dist.tasks.messages import Kind
from serverless_dist.tasks.options import (
    ActorOptions,
    CallOptions,
    changed,
    count_of,
)
from serverless_dist.tasks.refs import ObjectRef, note_ref
from serverless_dist.tasks.session import current_client
from serverless_dist.tasks.signatures import CallShape, shape_of
from serverless_dist.tasks.submission import Call, PackedCode, refs_of, submit
from serverless_dist.tasks.values import Form

C = TypeVar("C")

_FACES = 128  # that a process remembers


@dataclass(frozen=True, slots=True, repr=False)
class Maker:
    """Makes an actor, in its worker; whoever finds it by name learns all of it."""

    cls: type
    options: ActorOptions

    def __repr__(self) -> str:
        return self.cls.__qualname__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return a new instance."""
        __tracebackhide__ = True
        return self.cls(*args, **kwargs)


class MethodFace(NamedTuple):
    """What a method takes, and whether it is a generator."""

    shape: CallShape
    is_generator: bool


class Face(NamedTuple):
    """What a handle knows of its actor."""

    name: str
    methods: Mapping[str, MethodFace]
    options: ActorOptions


class ActorClass(Generic[C]):
    """A class whose objects live in workers; `remote` makes one of a class.

    ``A.remote(...)`` makes an actor and returns a handle at once; ``A.options(...)``
    returns the same class with some options changed.

    Examples
    --------
    >>> import serverless_dist as sd
    >>> @sd.remote
    ... class Counter:
    ...     def __init__(self, start=0):
    ...         self.count = start
    ...     def add(self, number):
    ...         self.count += number
    ...         return self.count
    >>> with sd.init(workers=1):
    ...     counter = Counter.remote(10)
    ...     sd.get([counter.add.remote(number) for number in (1, 2)])
    [11, 13]
    """

    def __init__(self, cls: type[C], options: ActorOptions) -> None:
        functools.update_wrapper(self, cls, updated=())
        self._class = cls
        self._options = options
        self._shape = shape_of(cls)
        self._face = Face(cls.__name__, methods_of(cls), options)
        self._code = PackedCode(Code(Maker(cls, options), ()))

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
        if self._options.name and _find(client, self._options.name) is not None:
            msg = f"there is an actor with the name {self._options.name!r} already"
            raise UsageError(msg)
        digest = self._code.ship(client)
        call = Call(Kind.CREATE, name, digest, 1, self._options.policy())
        id = submit(client, call, args, kwargs)
        return ActorHandle(ObjectRef(id, client), self._face)

    def options(self, **changes: Any) -> "ActorClass[C]":
        """Return the same class with other options; see `ActorOptions`."""
        options = changed(self._options, self._class.__name__, changes)
        return ActorClass(self._class, options)


class ActorHandle:
    """Refers to an actor; its methods have ``.remote(...)``.

    Handles can be passed on to tasks and other actors. Calls of one holder run in the
    order in which they were made, one at a time. The actor ends when nobody has a
    handle of it and its calls are done.
    """

    def __init__(self, ref: ObjectRef[Any], face: Face) -> None:
        self._ref = ref
        self._face = face

    def __repr__(self) -> str:
        return f"<ActorHandle {self._face.name} {self._ref.hex()}>"

    def __reduce__(self) -> tuple[Any, ...]:
        note_ref(self._ref)
        packed = pickle.dumps(self._face)
        return _handle_again, (self._ref.client.job, self._ref.id, packed)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorHandle) and self._ref == other._ref

    def __hash__(self) -> int:
        return hash(self._ref)

    def __getattr__(self, name: str) -> "ActorMethod":
        face = self.__dict__.get("_face")
        if face is None or name not in face.methods:
            whose = "an actor" if face is None else face.name
            msg = f"{whose} has no method {name!r}"
            raise AttributeError(msg)
        return ActorMethod(self._ref, face, name, CallOptions())


class ActorMethod:
    """A method of an actor: call its ``.remote(...)``."""

    def __init__(
        self, actor: ObjectRef[Any], face: Face, name: str, options: CallOptions
    ) -> None:
        self._actor = actor
        self._face = face
        self._name = name
        self._options = options

    def __repr__(self) -> str:
        return f"<ActorMethod {self._face.name}.{self._name} of {self._actor.hex()}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: a call here is most often a mistake."""
        msg = f"{self._name} is an actor's method: call {self._name}.remote(...)"
        raise TypeError(msg)

    def remote(self, *args: Any, **kwargs: Any) -> Any:
        """Submit a call; return a ref, or what `num_returns` asks for.

        Raises
        ------
        TypeError
            The arguments do not fit the method.
        UnpicklableError
            An argument cannot travel.
        """
        name = f"{self._face.name}.{self._name}"
        method = self._face.methods[self._name]
        method.shape.check(name, args, kwargs)
        wanted = self._options.num_returns
        num_returns = count_of(wanted, is_generator=method.is_generator)
        policy = self._face.options.call_policy(self._options.timeout)
        actor = self._actor.id
        call = Call(Kind.METHOD, name, b"", num_returns, policy, actor, self._name)
        client = require_current(self._actor.client)
        return refs_of(client, submit(client, call, args, kwargs), num_returns)

    def options(self, **changes: Any) -> "ActorMethod":
        """Return the same method with other options; see `CallOptions`."""
        options = changed(self._options, self._name, changes)
        return ActorMethod(self._actor, self._face, self._name, options)


def kill(actor: ActorHandle, *, no_restart: bool = True) -> None:
    """End an actor at once; calls that are under way or wait raise `ActorDiedError`.

    Without `no_restart` it is made anew as often as its `max_restarts` allows.

    Raises
    ------
    TypeError
        This is no handle of an actor.
    """
    if not isinstance(actor, ActorHandle):
        msg = f"kill takes the handle of an actor, not a {type(actor).__qualname__}"
        raise TypeError(msg)
    ref = actor._ref  # noqa: SLF001 - any name of its own might be a method's
    require_current(ref.client).kill(ref.id, no_restart=no_restart)


def get_actor(name: str) -> ActorHandle:
    """Return a handle of the actor that was made with this name.

    Raises
    ------
    UsageError
        There is none, or not any more.
    """
    found = _find(current_client(), name)
    if found is None:
        msg = f"there is no actor with the name {name!r}"
        raise UsageError(msg)
    return found


def methods_of(cls: type) -> dict[str, MethodFace]:
    """Return the methods of a class that handles have.

    >>> class Counter:
    ...     def add(self, n): ...
    >>> list(methods_of(Counter))
    ['add']
    """
    methods = {}
    for name in dir(cls):
        function = getattr(cls, name, None)
        if (name.startswith("__") and name != "__call__") or not callable(function):
            continue
        static = inspect.getattr_static(cls, name)
        skip = 0 if isinstance(static, staticmethod | classmethod) else 1
        shape = shape_of(function, skip=skip)
        methods[name] = MethodFace(shape, inspect.isgeneratorfunction(function))
    return methods


def _find(client: Client, name: str) -> ActorHandle | None:
    answer = client.find(name)
    if not answer.ids:
        return None
    ref: ObjectRef[Any] = ObjectRef(answer.ids[0], client)
    (code,) = answer.values
    body = client.store.get(code.data) if code.form == Form.STORED else code.data
    maker = unpack_code([body]).target
    assert isinstance(maker, Maker)
    face = Face(maker.cls.__name__, methods_of(maker.cls), maker.options)
    return ActorHandle(ref, face)


def _handle_again(job: bytes, id: int, packed: bytes) -> ActorHandle:
    client = client_of(job)
    client.hold(id)
    return ActorHandle(ObjectRef(id, client), _face(packed))


@functools.lru_cache(_FACES)
def _face(packed: bytes) -> Face:
    face: Face = pickle.loads(packed)
    return face
