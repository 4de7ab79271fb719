"""Operators on Python objects, pairs and arrays."""

import itertools
import pickle
from typing import Any

import numpy as np
import pytest

from serverless_dist.comm import ops
from serverless_dist.comm.ops import Op

PAIRS = ["MAXLOC", "MINLOC"]
LOGICAL = ["LAND", "LOR", "LXOR"]
NAMES = ["SUM", "PROD", "MAX", "MIN", "BAND", "BOR", "BXOR", *LOGICAL, *PAIRS]

SCALARS = [
    (ops.SUM, 2, 3, 5),
    (ops.SUM, "a", "b", "ab"),
    (ops.SUM, [1], [2], [1, 2]),
    (ops.PROD, 2, 3, 6),
    (ops.MAX, 2, 3, 3),
    (ops.MAX, "b", "a", "b"),
    (ops.MIN, 2, 3, 2),
    (ops.MIN, (1, 9), (1, 2), (1, 2)),
    (ops.LAND, 2, 0, False),
    (ops.LAND, 2, "yes", True),
    (ops.LOR, 0, 3, True),
    (ops.LOR, 0, [], False),
    (ops.LXOR, 2, 3, False),
    (ops.LXOR, 0, 3, True),
    (ops.BAND, 6, 3, 2),
    (ops.BAND, {1, 2}, {2, 3}, {2}),
    (ops.BOR, 6, 3, 7),
    (ops.BXOR, 6, 3, 5),
    (ops.MAXLOC, (5, 3), (4, 1), (5, 3)),
    (ops.MAXLOC, (4, 3), (5, 1), (5, 1)),
    (ops.MAXLOC, (5, 3), (5, 1), (5, 1)),
    (ops.MINLOC, (5, 3), (4, 1), (4, 1)),
    (ops.MINLOC, (4, 3), (5, 1), (4, 3)),
    (ops.MINLOC, (5, 1), (5, 3), (5, 1)),
]


@pytest.mark.parametrize(("op", "left", "right", "expected"), SCALARS)
def test_python_objects_are_combined(
    op: Op, left: Any, right: Any, expected: Any
) -> None:
    assert op(left, right) == expected


@pytest.mark.parametrize("name", NAMES)
def test_arrays_are_combined_element_by_element(name: str) -> None:
    op = getattr(ops, name)
    left, right = np.array([0, 1, 2, 5, 5]), np.array([0, 0, 3, 4, 5])
    if name in PAIRS:
        places = np.array([1, 1, 1, 1, 2]), np.array([2, 2, 2, 2, 1])
        values, indices = op((left, places[0]), (right, places[1]))
        rows = zip(left, places[0], right, places[1], strict=True)
        expected = [op((a, i), (b, j)) for a, i, b, j in rows]
        result = list(zip(values, indices, strict=True))
    else:
        expected = [op(int(a), int(b)) for a, b in zip(left, right, strict=True)]
        result = op(left, right).tolist()
    assert result == expected
    assert left.tolist() == [0, 1, 2, 5, 5]
    assert right.tolist() == [0, 0, 3, 4, 5]


@pytest.mark.parametrize("name", ["SUM", "PROD", "MAX", "MIN", *LOGICAL])
def test_an_array_and_a_number_are_combined_element_by_element(name: str) -> None:
    op = getattr(ops, name)
    expected = [op(value, 2) for value in (0, 2, 3)]
    assert op(np.array([0, 2, 3]), 2).tolist() == expected
    assert op(2, np.array([0, 2, 3])).tolist() == expected


def test_the_maximum_of_arrays_keeps_nan() -> None:
    result = ops.MAX(np.array([1.0, np.nan]), np.array([np.nan, 1.0]))
    assert np.isnan(result).all()


@pytest.mark.parametrize("name", NAMES)
def test_operators_are_associative(name: str) -> None:
    op = getattr(ops, name)
    values: list[Any] = [0, 1, 2, 3]
    if name in PAIRS:
        values = [(value, place) for value in (1, 2) for place in (0, 1)]
    for a, b, c in itertools.product(values, repeat=3):
        assert op(op(a, b), c) == op(a, op(b, c))


@pytest.mark.parametrize("name", NAMES)
def test_operators_pickle_by_reference_and_name_themselves(name: str) -> None:
    op = getattr(ops, name)
    assert pickle.loads(pickle.dumps(op)) is op
    assert repr(op) == f"<Op {name}>"
