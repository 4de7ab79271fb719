"""Attributes: what a program hangs on communicators and datatypes, by key.

A key is made with two functions. One is asked when the object is duplicated, and says
what the duplicate gets; one is told when the attribute goes: when it is deleted or
replaced, or its object is freed. Attributes keep their functions when a key is freed.
"""

import itertools
import operator
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from serverless_dist.comm.constants import (
    ANY_SOURCE,
    APPNUM,
    HOST,
    IO,
    KEYVAL_INVALID,
    LASTUSEDCODE,
    MAX_TAG,
    PROC_NULL,
    TAG_UB,
    UNIVERSE_SIZE,
    WTIME_IS_GLOBAL,
)
from serverless_dist.comm.exceptions import (
    ERR_KEYVAL,
    ERR_OTHER,
    ERROR_CODES,
    MPIError,
)

Function = Callable[[Any, int, Any], Any]
T = TypeVar("T")

COMM_ATTRIBUTES: Mapping[int, Callable[[], int | None]] = {
    TAG_UB: lambda: MAX_TAG,
    HOST: lambda: PROC_NULL,
    IO: lambda: ANY_SOURCE,  # every rank can read and write files
    WTIME_IS_GLOBAL: lambda: 0,
    LASTUSEDCODE: lambda: ERROR_CODES.last,
    UNIVERSE_SIZE: lambda: None,
    APPNUM: lambda: None,
}
"""The predefined attributes of every communicator. `UNIVERSE_SIZE` and `APPNUM` have
no value, as MPI allows: nobody plans to start more ranks, and there is one program."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a key says about its attributes.

    Attributes
    ----------
    copy_fn
        Called with the object, the key and the value; returns the duplicate's value, or
        NotImplemented: it gets none. True: the same value. None: it gets none.
    delete_fn
        Called with the object, the key and the value.
    is_integer
        Whether values are integers only.
    """

    copy_fn: Function | bool | None
    delete_fn: Function | None
    is_integer: bool


@dataclass(frozen=True, slots=True)
class Attribute:
    """A value with the rule that it was set under."""

    rule: Rule
    value: Any


Store = dict[int, Attribute]


class Keyvals:
    """The keys for one kind of objects.

    Parameters
    ----------
    predefined
        Attributes that every object has and no program can change.
    """

    # One sequence for all kinds, so that a key for another kind is recognised.
    _numbers: ClassVar[Iterator[int]] = itertools.count(1)

    def __init__(self, predefined: Mapping[int, Callable[[], Any]]) -> None:
        self.predefined = predefined
        self._rules: dict[int, Rule] = {}

    def create(self, rule: Rule) -> int:
        """Return a new key."""
        keyval = next(self._numbers)
        self._rules[keyval] = rule
        return keyval

    def free(self, keyval: int) -> None:
        """Forget a key."""
        self.rule(keyval)
        del self._rules[keyval]

    def rule(self, keyval: int) -> Rule:
        """Return the rule of a key that the program made.

        Raises
        ------
        MPIError
            It is no such key: `ERR_KEYVAL`.
        """
        if keyval in self.predefined:
            msg = f"the attribute of key {keyval} is predefined and cannot be changed"
            raise MPIError(ERR_KEYVAL, msg)
        if keyval not in self._rules:
            msg = (
                f"{keyval} is no key of attributes: it was never created, or was freed"
            )
            raise MPIError(ERR_KEYVAL, msg)
        return self._rules[keyval]


class _Bearer(Protocol):
    _keyvals: ClassVar[Keyvals]

    def _attributes(self) -> Store: ...


class Attributed:
    """Mixed into objects with attributes: they have `_keyvals` and `_attributes()`.

    `_keyvals` is the `Keyvals` of their kind; `_attributes()` returns where the
    attributes of the object are kept, or raises if the object is null.
    """

    __slots__ = ()

    _keyvals: ClassVar[Keyvals]

    @classmethod
    def Create_keyval(
        cls,
        copy_fn: Function | bool | None = None,
        delete_fn: Function | bool | None = None,
        nopython: bool = False,
    ) -> int:
        """Return a new key for attributes of objects of this kind.

        Parameters
        ----------
        copy_fn
            Called with the object, the key and the value when the object is duplicated:
            it returns the duplicate's value, or NotImplemented. True passes on the
            same value, None and False pass on nothing.
        delete_fn
            Called with the object, the key and the value when the attribute goes.
        nopython
            Whether values are integers, as for a C program, instead of any objects.
        """
        told = None if isinstance(delete_fn, bool) else delete_fn
        return cls._keyvals.create(Rule(copy_fn or None, told, nopython))

    @classmethod
    def Free_keyval(cls, keyval: int) -> int:
        """Forget a key, and return `KEYVAL_INVALID`; attributes set with it stay."""
        cls._keyvals.free(keyval)
        return KEYVAL_INVALID

    def Get_attr(self: _Bearer, keyval: int) -> Any:
        """Return the attribute, None if it is not set."""
        attributes = self._attributes()
        if keyval in self._keyvals.predefined:
            return self._keyvals.predefined[keyval]()
        if keyval in attributes:
            return attributes[keyval].value
        self._keyvals.rule(keyval)
        return None

    def Set_attr(self: _Bearer, keyval: int, attrval: Any) -> None:
        """Set the attribute; one that was set before is deleted first."""
        attributes = self._attributes()
        rule = self._keyvals.rule(keyval)
        value = operator.index(attrval) if rule.is_integer else attrval
        _delete(self, attributes, keyval)
        attributes[keyval] = Attribute(rule, value)

    def Delete_attr(self: _Bearer, keyval: int) -> None:
        """Delete the attribute, if it is set.

        Raises
        ------
        MPIError
            The key's function failed: `ERR_OTHER`. The attribute is gone all the same.
        """
        attributes = self._attributes()
        if keyval not in attributes:
            self._keyvals.rule(keyval)
        _delete(self, attributes, keyval)

    def _copy_attributes(self: _Bearer, target: Store) -> None:
        """Put into `target`, a duplicate's, what the keys say that it gets."""
        for keyval, attribute in list(self._attributes().items()):
            rule, value = attribute.rule, attribute.value
            if not rule.copy_fn:
                continue
            if callable(rule.copy_fn):
                value = _call(rule.copy_fn, self, keyval, value)
            if value is not NotImplemented:
                target[keyval] = Attribute(rule, value)

    def _delete_attributes(self: _Bearer) -> None:
        """Delete all attributes, the last first, as the object is about to go.

        What a key's function raises is only printed: the object goes all the same.
        """
        attributes = self._attributes()
        for keyval in reversed(list(attributes)):
            try:
                _delete(self, attributes, keyval)
            except MPIError as error:
                if error.__cause__ is None:
                    traceback.print_exception(error)


def _delete(bearer: object, attributes: Store, keyval: int) -> None:
    attribute = attributes.pop(keyval, None)
    if attribute is not None and attribute.rule.delete_fn is not None:
        _call(attribute.rule.delete_fn, bearer, keyval, attribute.value)


def _call(function: Function, bearer: object, keyval: int, value: Any) -> Any:
    """Return what the program's function does; print and classify what it raises."""
    try:
        return function(bearer, keyval, value)
    except MPIError:
        raise
    except Exception as error:
        # As mpi4py does: the program may only look at the class of the error.
        traceback.print_exception(error)
        msg = f"the function of key {keyval} raised {type(error).__name__}"
        raise MPIError(ERR_OTHER, msg) from error
