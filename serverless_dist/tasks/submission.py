"""From a call of the user's to a task of the driver's."""

import sys
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple

from serverless_dist.runtime.modules import beside_script
from serverless_dist.tasks.arguments import pack_arguments
from serverless_dist.tasks.client import Client
from serverless_dist.tasks.code import Code, pack_code
from serverless_dist.tasks.messages import STREAMING, Kind, Policy, Spec
from serverless_dist.tasks.refs import ObjectRef, ObjectRefGenerator, noting_refs
from serverless_dist.wire import Body


class Call(NamedTuple):
    """What is submitted, besides its arguments; the fields are those of a `Spec`."""

    kind: Kind
    name: str
    code: bytes
    num_returns: int
    policy: Policy
    actor: int = 0
    method: str = ""


class PackedCode:
    """A function or class that is pickled once, when it is needed first."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self._lock = Lock()
        self._job = b""  # the session that it was packed for
        self._packed: tuple[bytes, Body, Sequence[int]] | None = None

    def __repr__(self) -> str:
        state = "not packed" if self._packed is None else self._packed[0].hex()
        return f"<PackedCode {state}>"

    def ship(self, client: Client) -> bytes:
        """Return the digest of the code, which the driver has from now on.

        Raises
        ------
        UnpicklableError
            Names what cannot be pickled.
        """
        is_packed = self._packed is not None and self._job == client.job
        digest, body, refs = (is_packed and self._packed) or self._pack(client)
        client.ship(digest, lambda: client.keep(body, refs))
        return digest

    def _pack(self, client: Client) -> tuple[bytes, Body, Sequence[int]]:
        with self._lock:
            if self._packed is None or self._job != client.job:
                modules: Mapping[str, str] = {}
                if client.ships_modules:
                    main = sys.modules.get("__main__")
                    modules = beside_script(list(sys.modules.values()), main)
                with noting_refs() as refs:
                    digest, body = pack_code(self.code, modules)
                self._packed, self._job = (digest, body, refs), client.job
        return self._packed


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
        return ObjectRefGenerator(ObjectRef(id, client))
    return [ObjectRef(id + place, client) for place in range(num_returns)]


def name_of(function: Callable[..., Any]) -> str:
    """Return what a function is called in errors.

    >>> name_of(print), name_of(lambda: None)
    ('print', '<lambda>')
    """
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return str(name).rpartition("<locals>.")[2]
