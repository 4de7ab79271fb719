"""`Info`: texts by name that a call may be given as hints."""

import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol, Self

from serverless_dist.comm.constants import MAX_INFO_KEY, MAX_INFO_VAL
from serverless_dist.comm.exceptions import (
    ERR_ARG,
    ERR_INFO,
    ERR_INFO_KEY,
    ERR_INFO_NOKEY,
    ERR_INFO_VALUE,
    MPIError,
)
from serverless_dist.comm.handle import Handle


class _Keyed(Protocol):
    def keys(self) -> Iterable[str]: ...
    def __getitem__(self, key: str, /) -> str: ...


Items = _Keyed | Iterable[tuple[str, str]]


class Info(Handle):
    """A handle of a mapping of texts to texts, in the order they were first set.

    The capitalised methods raise an `MPIError` where something is wrong, the mapping's
    a `KeyError`. As a mapping, the null handle is empty.

    Examples
    --------
    >>> info = Info.Create({"host": "any"})
    >>> info["host"], info.Get("port"), len(info)
    ('any', None, 1)
    """

    __slots__ = ()

    @classmethod
    def Create(cls, items: Items | None = None) -> Self:
        """Return a new info of these items."""
        info = cls._wrap({})
        if items is not None:
            info.update(items)
        return info

    @classmethod
    def Create_env(cls, args: Sequence[str] | None = None) -> Self:
        """Return a new info of how this process runs, `args` being its command line."""
        words = [args] if isinstance(args, str) else list(args or ())
        info = cls._wrap({**INFO_ENV.items_by_key(), "wdir": os.getcwd()})
        if words:
            info.update(command=words[0], argv=" ".join(words[1:]))
        return info

    def Free(self) -> None:
        """Make this handle null."""
        self._pairs()
        self._forget()

    def Dup(self) -> Self:
        """Return a new info of the same items."""
        return self._wrap(dict(self._pairs()))

    def Get(self, key: str) -> str | None:
        """Return the value of `key`, None if there is none."""
        return self._pairs().get(_check_key(key))

    def Set(self, key: str, value: str) -> None:
        """Give `key` a value."""
        pairs = self._own_pairs()
        if len(value) > MAX_INFO_VAL:
            msg = f"the value of {key!r} has more than {MAX_INFO_VAL} characters"
            raise MPIError(ERR_INFO_VALUE, msg)
        pairs[_check_key(key)] = value

    def Delete(self, key: str) -> None:
        """Remove `key`, which must be there."""
        if self._own_pairs().pop(_check_key(key), None) is None:
            msg = f"the info has no key {key!r}"
            raise MPIError(ERR_INFO_NOKEY, msg)

    def Get_nkeys(self) -> int:
        """Return the number of keys."""
        return len(self._pairs())

    def Get_nthkey(self, n: int) -> str:
        """Return the key number `n`, from 0."""
        keys = list(self._pairs())
        if not 0 <= n < len(keys):
            msg = f"the info has {len(keys)} keys, so there is no key number {n}"
            raise MPIError(ERR_ARG, msg)
        return keys[n]

    def __len__(self) -> int:
        return len(self.items_by_key())

    def __contains__(self, key: str) -> bool:
        return key in self.items_by_key()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __getitem__(self, key: str) -> str:
        return self.items_by_key()[key]

    def __setitem__(self, key: str, value: str) -> None:
        if not self:
            raise KeyError(key)
        self.Set(key, value)

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self.Delete(key)

    def get(self, key: str, default: str | None = None) -> str | None:
        """Return the value of `key`, `default` if there is none."""
        return self.items_by_key().get(key, default)

    def keys(self) -> list[str]:
        """Return the keys."""
        return list(self.items_by_key())

    def values(self) -> list[str]:
        """Return the values, in the order of the keys."""
        return list(self.items_by_key().values())

    def items(self) -> list[tuple[str, str]]:
        """Return pairs of keys and values."""
        return list(self.items_by_key().items())

    def items_by_key(self) -> Mapping[str, str]:
        """Return a view of the items; an empty one if the handle is null."""
        return MappingProxyType(self._target or {})

    def update(self, items: Items = (), **kwds: str) -> None:
        """Set the values of many keys.

        Raises
        ------
        KeyError
            The handle is null.
        """
        if not self:
            msg = "a null info takes no items"
            raise KeyError(msg)
        # As `dict` does it: whatever has keys is a mapping.
        for key, value in dict(items, **kwds).items():
            self.Set(key, value)

    def pop(self, key: str, *default: str) -> str:
        """Remove `key` and return its value; `default` if there is no such key."""
        if key in self:
            value = self[key]
            self.Delete(key)
            return value
        if not default:
            raise KeyError(key)
        (value,) = default
        return value

    def popitem(self) -> tuple[str, str]:
        """Remove the last key, and return it with its value."""
        if not len(self):
            msg = "the info has no items"
            raise KeyError(msg)
        key = self.keys()[-1]
        return key, self.pop(key)

    def copy(self) -> Self:
        """Return a new info of the same items; null if this one is."""
        return self.Dup() if self else self._wrap(None)

    def clear(self) -> None:
        """Remove all items."""
        for key in self.keys():
            self.Delete(key)

    def __reduce__(self) -> tuple[Any, ...]:
        if self and not self._constant:
            return (type(self).Create, (self.items(),))
        return super().__reduce__()

    def _pairs(self) -> Mapping[str, str]:
        if self._target is None:
            msg = "the info is null: it was never created, or was freed"
            raise MPIError(ERR_INFO, msg)
        pairs: Mapping[str, str] = self._target
        return pairs

    def _own_pairs(self) -> dict[str, str]:
        pairs = self._pairs()
        if isinstance(pairs, dict):
            return pairs
        msg = f"{self!r} cannot be changed: change a Dup() of it"
        raise MPIError(ERR_INFO, msg)


def _check_key(key: str) -> str:
    if 0 < len(key) <= MAX_INFO_KEY:
        return key
    msg = f"{key!r} is no key: it has to have from 1 to {MAX_INFO_KEY} characters"
    raise MPIError(ERR_INFO_KEY, msg)


def _predefined(name: str, pairs: Mapping[str, str] | None) -> Info:
    return Info._wrap(pairs, name)


INFO_NULL = _predefined("INFO_NULL", None)
"""No info."""

_MACHINE = {"arch": platform.machine(), "thread_level": "MPI_THREAD_MULTIPLE"}

INFO_ENV = _predefined("INFO_ENV", MappingProxyType(_MACHINE))
"""What holds for every process of this machine; it cannot be changed."""
