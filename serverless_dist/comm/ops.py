"""Reduction operators, with mpi4py's names and meaning.

Python objects are combined as mpi4py does; as soon as an operand is a numpy array, the
operator works element by element (numpy's ``maximum`` and so on, which keep NaN). The
operators are associative and never change an operand. Any callable of two operands
serves as an operator as well.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

_Function = Callable[[Any, Any], Any]


class Op:
    """A named operator; called with the fold of lower ranks first.

    >>> SUM([1], [2]), MAXLOC((3, 0), (3, 1))
    ([1, 2], (3, 0))
    """

    def __init__(self, name: str, function: _Function) -> None:
        self._name = name
        self._function = function

    def __call__(self, left: Any, right: Any) -> Any:
        """Return `left` combined with `right`."""
        return self._function(left, right)

    def __reduce__(self) -> str:
        # By reference: the operator of every process is its own singleton.
        return self._name

    def __repr__(self) -> str:
        return f"<Op {self._name}>"


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
            return a, min(i, j)
        value = best(a, b)
        return value, (i if value is a else j)

    return combine


SUM = Op("SUM", operator.add)
PROD = Op("PROD", operator.mul)
MAX = Op("MAX", _larger)
MIN = Op("MIN", _smaller)
LAND = Op("LAND", _either(lambda a, b: bool(a) and bool(b), np.logical_and))
LOR = Op("LOR", _either(lambda a, b: bool(a) or bool(b), np.logical_or))
LXOR = Op("LXOR", _either(lambda a, b: bool(a) is not bool(b), np.logical_xor))
BAND = Op("BAND", operator.and_)
BOR = Op("BOR", operator.or_)
BXOR = Op("BXOR", operator.xor)
MAXLOC = Op("MAXLOC", _locate(_larger))
MINLOC = Op("MINLOC", _locate(_smaller))
