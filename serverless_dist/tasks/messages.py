"""What a driver and its workers tell each other.

A client is whoever holds refs: number 0 is the driver's own process, each worker has
the number that no worker before it had. Ids of objects are chosen by the client that
makes them (`Ids`), so that nobody waits for a number. A task's first ref has the id of
the task; the others follow.

The driver never unpickles what a worker sends: everything here is msgpack, and pickles
inside it are bytes to the driver.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import msgpack

from serverless_dist.tasks.values import Value

STREAMING = -1  # as a number of returns: as many as the generator yields
STREAM_LENGTH = (1 << 20) - 1  # values that one stream may have
_CLIENT = 41  # bits of an id below those of its client
_STREAMS = 1 << 40  # set in the ids of streams and of their values
DRIVER = 0  # the client that is the driver's own process


class Kind(IntEnum):
    """How a worker carries a task out."""

    CALL = 0  # function(*args)
    MAP = 1  # [function(*args) for args in items]
    CREATE = 2  # make the actor
    METHOD = 3  # call a method of the actor
    GANG = 4  # function(comm, *args) on several ranks at once


class Policy(NamedTuple):
    """What the driver has to know of a task's options.

    Attributes
    ----------
    retries
        How often it is run again when its worker dies; of a method: only if the actor
        is restarted.
    timeout
        Seconds that one attempt may take; 0: as long as it likes.
    retry_errors
        Whether errors that the worker calls retryable count as crashes do.
    speculative
        Whether a second copy may be started while the first one is late.
    memory
        MB of the function, which dollars depend on.
    restarts
        Of an actor: how often it is made anew when its worker dies.
    actor_name
        Of an actor: what `get_actor` finds it by; empty: nothing.
    ranks, channel
        Of a gang: how many, and how they talk.
    """

    retries: int = 3
    timeout: float = 0.0
    retry_errors: bool = False
    speculative: bool = False
    memory: int = 1_769
    restarts: int = 0
    actor_name: str = ""
    ranks: int = 0
    channel: str = ""


class Spec(NamedTuple):
    """A task as it was submitted.

    Attributes
    ----------
    id
        Its own, and that of its first ref. Of an actor's creation: the actor's.
    num_returns
        How many refs it has; `STREAMING`: one for each value it yields.
    kind
        How it is carried out.
    name
        What the user calls it.
    code
        The digest of the pickled function or class; empty for a method.
    payload
        The encoded arguments, with places for `deps`.
    deps
        The refs whose values take those places.
    actor, method
        Of a method call: whose, and which.
    parent
        The task that submitted it; 0: none.
    policy
        What the driver has to know of its options.
    """

    id: int
    num_returns: int
    kind: int
    name: str
    code: bytes
    payload: Value
    deps: tuple[int, ...]
    actor: int
    method: str
    parent: int
    policy: Policy


# From a client to the driver.


class Hello(NamedTuple):
    """A worker is ready; `versions` are those of Python and the packages it has."""

    pid: int
    versions: dict[str, str]


class Ship(NamedTuple):
    """The code with this digest, encoded; it comes before the first task with it."""

    digest: bytes
    value: Value


class Submit(NamedTuple):
    """Run this task; the client holds its refs."""

    spec: Spec


class Ask(NamedTuple):
    """Answer as soon as `needed` of `ids` are known, with all that are known by then.

    Attributes
    ----------
    request
        Names the answer, per client.
    ids
        Each once.
    needed
        How many have to be known.
    eager
        Whether one failure is reason enough to answer.
    wants_values
        Whether the values are to come along; else who asks learns which are known.
    task
        The task whose thread waits; it gives its slot back. 0: none.
    is_patient
        Whether it waits without a timeout, so that a cycle of waits never ends.
    """

    request: int
    ids: tuple[int, ...]
    needed: int
    eager: bool
    wants_values: bool
    task: int
    is_patient: bool


class Unask(NamedTuple):
    """Answer the request now, with what is known."""

    request: int


class Put(NamedTuple):
    """An id has got its value; the client holds it."""

    id: int
    value: Value


class Hold(NamedTuple):
    """The client has one more ref of this id."""

    id: int


class Release(NamedTuple):
    """The client has one ref less of this id."""

    id: int


class Finished(NamedTuple):
    """An attempt has ended.

    Attributes
    ----------
    attempt
        Its number.
    values
        One for each ref; of a stream: none. One failure alone: it failed.
    length
        Of a stream: how many values it had.
    seconds
        How long it ran.
    is_retryable
        Whether it raised what the user wants retried.
    """

    attempt: int
    values: tuple[Value, ...]
    length: int
    seconds: float
    is_retryable: bool


class Yielded(NamedTuple):
    """An attempt at a stream has yielded value number `place`."""

    attempt: int
    place: int
    value: Value


class Returned(NamedTuple):
    """The worker gives attempts back that it has not begun."""

    attempts: tuple[int, ...]


class Retire(NamedTuple):
    """The worker's time is nearly over: it waits for `Stop`, and runs nothing more."""


class Cancel(NamedTuple):
    """Cancel the task of this ref.

    With `force` its worker is killed; `recursive`: what it has submitted as well.
    """

    id: int
    force: bool
    recursive: bool


class Kill(NamedTuple):
    """End the actor at once; with `no_restart` for good."""

    actor: int
    no_restart: bool


class Find(NamedTuple):
    """Answer with the actor of this name: its id, and its spec's code."""

    request: int
    name: str


class HandOver(NamedTuple):
    """An actor's state, pickled: its worker's time is nearly over.

    The worker gives back all calls that it has not begun by this alone, runs nothing
    more, and waits for `Stop`.
    """

    state: Value


class Bye(NamedTuple):
    """A worker ends as it was told to; `usage` is what it used, packed."""

    usage: bytes


# From the driver to a client.


class Code(NamedTuple):
    """The code with this digest; it comes before the first task with it."""

    digest: bytes
    value: Value


class Run(NamedTuple):
    """Carry this out, after what came before it.

    `values` are those of the spec's `deps`, in order. `state`: that of an actor whose
    last worker has handed it over.
    """

    attempt: int
    spec: Spec
    values: tuple[Value, ...]
    state: Value | None = None


class Recall(NamedTuple):
    """Give back up to so many attempts that have not begun, the last ones."""

    most: int


class Interrupt(NamedTuple):
    """Stop this attempt if it is running or waiting to."""

    attempt: int


class Answer(NamedTuple):
    """The answer to a request.

    `ids` are known, in the order asked; `values` are theirs, where asked for. An empty
    answer to `Find`: there is no such actor.
    """

    request: int
    ids: tuple[int, ...]
    values: tuple[Value, ...] = ()


class Stop(NamedTuple):
    """End when what was begun is done."""


class Die(NamedTuple):
    """End at once, in the middle of a task."""


class Died(NamedTuple):
    """A worker has ended without a word; somebody else says so, and how."""

    how: str


Message = (
    Hello | Ship | Submit | Ask | Unask | Put | Hold | Release | Finished | Yielded
    | Returned | Retire | Cancel | Kill | Find | HandOver | Bye | Died
)  # fmt: skip
Order = Code | Run | Recall | Interrupt | Answer | Stop | Die

_CLASSES: tuple[type[Any], ...] = (
    Hello, Ship, Submit, Ask, Unask, Put, Hold, Release, Finished, Yielded, Returned,
    Retire, Cancel, Kill, Find, HandOver, Bye, Code, Run, Recall, Interrupt, Answer,
    Stop, Die, Died,
)  # fmt: skip
_LETTERS = {each: letter for letter, each in enumerate(_CLASSES)}


class Ids:
    """The ids that one client gives; each call returns fresh ones.

    One thread at a time calls.

    >>> ids = Ids(client=1)
    >>> ids.take(2), ids.take() - ids.take()
    (2199023255553, -1)
    >>> stream = ids.take_stream()
    >>> stream_of(stream) == stream_of(stream + 1 + 7) == stream, stream_of(7)
    (True, None)
    """

    def __init__(self, client: int) -> None:
        self._next = (client << _CLIENT) + 1
        self._next_stream = (client << _CLIENT) + _STREAMS

    def take(self, count: int = 1) -> int:
        """Return the first of `count` ids in a row."""
        first = self._next
        self._next += max(1, count)
        return first

    def take_stream(self) -> int:
        """Return the id of a stream; its value number i has the id that is i + 1 on."""
        stream = self._next_stream
        self._next_stream += STREAM_LENGTH + 1
        return stream


def stream_of(id: int) -> int | None:
    """Return the stream that this is, or is a value of; None: of no stream."""
    return id & ~STREAM_LENGTH if id & _STREAMS else None


def pack(messages: Sequence[Message | Order]) -> bytes:
    """Return messages as the body of one message on the line."""
    lettered = [(_LETTERS[type(each)], each) for each in messages]
    data: bytes = msgpack.packb(lettered, unicode_errors="surrogatepass")
    return data


def unpack(data: bytes | bytearray | memoryview) -> list[Any]:
    """Return what `pack` was given, in order.

    >>> unpack(pack([Put(7, Value(0, b"x")), Stop()]))
    [Put(id=7, value=Value(form=0, data=b'x', refs=(), size=0)), Stop()]
    """
    packed = msgpack.unpackb(
        data, use_list=False, strict_map_key=False, unicode_errors="surrogatepass"
    )
    return [_UNPACKERS[letter](fields) for letter, fields in packed]


def _spec(fields: Sequence[Any]) -> Spec:
    payload, policy = Value(*fields[5]), Policy(*fields[10])
    return Spec._make((*fields[:5], payload, *fields[6:10], policy))


def _values(packed: Sequence[Sequence[Any]]) -> tuple[Value, ...]:
    return tuple([Value(*fields) for fields in packed])


def _run(fields: Sequence[Any]) -> Run:
    attempt, spec, values, state = fields
    state = None if state is None else Value(*state)
    return Run(attempt, _spec(spec), _values(values), state)


# What has values or a spec inside; the others are flat.
_NESTED: dict[type[Any], Callable[[Sequence[Any]], Any]] = {
    Ship: lambda f: Ship(f[0], Value(*f[1])),
    Submit: lambda f: Submit(_spec(f[0])),
    Put: lambda f: Put(f[0], Value(*f[1])),
    Finished: lambda f: Finished(f[0], _values(f[1]), *f[2:]),
    Yielded: lambda f: Yielded(f[0], f[1], Value(*f[2])),
    HandOver: lambda f: HandOver(Value(*f[0])),
    Code: lambda f: Code(f[0], Value(*f[1])),
    Run: _run,
    Answer: lambda f: Answer(f[0], f[1], _values(f[2])),
}
_UNPACKERS = [_NESTED.get(each, each._make) for each in _CLASSES]
