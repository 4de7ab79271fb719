"""What the predefined operators do, with objects and with arrays."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
OnArrays = Callable[[Array, Array], Array]
_Function = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """What an operator does.

    `kinds` are those of numpy's dtypes that `on_arrays` combines; V is a pair. Without
    kinds, it combines whole elements of whatever datatype.
    """

    on_objects: Callable[..., Any]
    on_arrays: OnArrays | None
    kinds: str = ""
    is_commutative: bool = True


def _either(plain: _Function, elementwise: _Function) -> _Function:
    """Return a function that is `elementwise` once an operand is an array."""

    def combine(left: Any, right: Any) -> Any:
        is_array = isinstance(left, np.ndarray) or isinstance(right, np.ndarray)
        return (elementwise if is_array else plain)(left, right)

    return combine


_larger = _either(lambda a, b: b if b > a else a, np.maximum)
_smaller = _either(lambda a, b: b if b < a else a, np.minimum)


def _locate(best: _Function) -> _Function:
    """Return an operator on pairs (value, place); of equal values the first place."""

    def combine(left: Any, right: Any) -> Any:
        (a, i), (b, j) = left, right
        if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
            value = best(a, b)
            place = np.where(a == b, np.minimum(i, j), np.where(value == a, i, j))
            return value, place
        if a == b:
            return (b, j) if j < i else (a, i)
        value = best(a, b)
        return value, (i if value is a else j)

    return combine


def _locate_in_arrays(is_better: OnArrays) -> OnArrays:
    """Return an operator on arrays of records (value, index)."""

    def combine(left: Array, right: Array) -> Array:
        a, b = left["value"], right["value"]
        is_earlier = right["index"] < left["index"]
        return np.where(is_better(b, a) | ((a == b) & is_earlier), right, left)

    return combine


def _logical(function: OnArrays) -> OnArrays:
    """Return an operator whose result, 0 or 1, is of the operands' dtype."""

    def combine(left: Array, right: Array) -> Array:
        return function(left, right).astype(left.dtype)

    return combine


_REALS = "iuf"
_NUMBERS = "iufc"
_BITS = "biu"
_TRUTHS = "biuf"

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "SUM": Rule(operator.add, np.add, _NUMBERS),
        "PROD": Rule(operator.mul, np.multiply, _NUMBERS),
        "MAX": Rule(_larger, np.maximum, _REALS),
        "MIN": Rule(_smaller, np.minimum, _REALS),
        "LAND": Rule(
            _either(lambda a, b: bool(a) and bool(b), np.logical_and),
            _logical(np.logical_and),
            _TRUTHS,
        ),
        "LOR": Rule(
            _either(lambda a, b: bool(a) or bool(b), np.logical_or),
            _logical(np.logical_or),
            _TRUTHS,
        ),
        "LXOR": Rule(
            _either(lambda a, b: bool(a) is not bool(b), np.logical_xor),
            _logical(np.logical_xor),
            _TRUTHS,
        ),
        "BAND": Rule(operator.and_, np.bitwise_and, _BITS),
        "BOR": Rule(operator.or_, np.bitwise_or, _BITS),
        "BXOR": Rule(operator.xor, np.bitwise_xor, _BITS),
        "MAXLOC": Rule(_locate(_larger), _locate_in_arrays(np.greater), "V"),
        "MINLOC": Rule(_locate(_smaller), _locate_in_arrays(np.less), "V"),
        "REPLACE": Rule(lambda _, y: y, lambda _, right: right, is_commutative=False),
        "NO_OP": Rule(lambda x, _: x, lambda left, _: left, is_commutative=False),
    }
)
"""The rules by the operators' names."""
