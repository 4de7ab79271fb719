"""Operators on Python objects, pairs and arrays."""

import itertools
import operator
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from serverless_dist.comm import mpi
from serverless_dist.comm.data import ops
from serverless_dist.comm.data.buffers import recv_block, send_block
from serverless_dist.comm.data.datatype import DATATYPES, Datatype
from serverless_dist.comm.data.datatypes import (
    BYTE,
    C_BOOL,
    CHAR,
    DOUBLE,
    FLOAT,
    INT,
    SHORT,
    SHORT_INT,
)
from serverless_dist.comm.data.ops import Op
from serverless_dist.comm.exceptions import ERR_OP, MPIError

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
    (ops.REPLACE, 2, 3, 3),
    (ops.NO_OP, 2, 3, 2),
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


# What each operator combines, and numbers' own operators to compare with.
COMBINES: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "SUM": ("bhilqBHILQefdgFDG", operator.add),
    "PROD": ("bhilqBHILQefdgFDG", operator.mul),
    "MAX": ("bhilqBHILQefdg", max),
    "MIN": ("bhilqBHILQefdg", min),
    "LAND": ("?bhilqBHILQefdg", lambda a, b: bool(a and b)),
    "LOR": ("?bhilqBHILQefdg", lambda a, b: bool(a or b)),
    "LXOR": ("?bhilqBHILQefdg", lambda a, b: bool(a) is not bool(b)),
    "BAND": ("?bhilqBHILQ", operator.and_),
    "BOR": ("?bhilqBHILQ", operator.or_),
    "BXOR": ("?bhilqBHILQ", operator.xor),
}
ALL_CODES = "?bhilqBHILQefdgFDG"
COMBINATIONS = [(name, code) for name in COMBINES for code in ALL_CODES]
PAIR_TYPES = ["SHORT_INT", "INT_INT", "LONG_INT", "FLOAT_INT", "DOUBLE_INT"]


def combine(op: Op, left: Any, right: Any) -> Any:
    """Return what `op` makes of two buffers, checking that it changes neither."""
    a, b = send_block(left), send_block(right)
    before = bytes(a.read()), bytes(b.read())
    result = op.on_arrays(a.datatype)(op.operand(a), op.operand(b))
    assert (bytes(a.read()), bytes(b.read())) == before
    assert result.dtype == op.operand(a).dtype
    return result


@pytest.mark.parametrize(("name", "code"), COMBINATIONS)
def test_buffers_are_combined_as_the_numbers_in_them(name: str, code: str) -> None:
    op, (codes, expected) = getattr(ops, name), COMBINES[name]
    left, right = np.array([0, 1, 2, 5]).astype(code), np.array([0, 0, 3, 4])
    spec = left, right.astype(code)
    if code not in codes:
        with pytest.raises(MPIError) as caught:
            combine(op, *spec)
        assert caught.value.Get_error_class() == ERR_OP
        return
    rows = zip(spec[0].tolist(), spec[1].tolist(), strict=True)
    assert combine(op, *spec).tolist() == [expected(a, b) for a, b in rows]


@pytest.mark.parametrize("name", PAIR_TYPES)
def test_pairs_are_combined_with_the_lowest_index_of_equal_values(name: str) -> None:
    datatype = DATATYPES[name]
    code = {"INT_INT": "i"}.get(name) or DATATYPES[name.removesuffix("_INT")].typechar
    record = np.dtype([("value", code), ("index", "i4")], align=True)
    left = np.array([(1, 5), (2, 5), (3, 5), (3, 1)], record)
    right = np.array([(2, 1), (1, 1), (3, 1), (3, 5)], record)
    largest = combine(ops.MAXLOC, [left, datatype], [right, datatype])
    assert largest.tolist() == [(2, 1), (2, 5), (3, 1), (3, 1)]
    smallest = combine(ops.MINLOC, [left, datatype], [right, datatype])
    assert smallest.tolist() == [(1, 5), (1, 1), (3, 1), (3, 1)]
    with pytest.raises(MPIError):
        ops.SUM.on_arrays(datatype)
    with pytest.raises(MPIError):
        ops.MAXLOC.on_arrays(DOUBLE)


@pytest.mark.parametrize("name", sorted({*COMBINES, *PAIRS}))
def test_what_no_operator_combines_is_refused(name: str) -> None:
    mixed = Datatype.Create_struct([1, 1], [0, 4], [INT, SHORT])
    for datatype in (CHAR, mixed):
        with pytest.raises(MPIError) as caught:
            getattr(ops, name).on_arrays(datatype)
        assert caught.value.Get_error_class() == ERR_OP


def test_elements_of_one_basic_type_are_combined_however_they_lie() -> None:
    column = DOUBLE.Create_vector(2, 1, 2)
    left, right = np.arange(4.0), np.arange(10.0, 14.0)
    ops.SUM.Reduce_local([left, 1, column], [right, 1, column])
    assert right.tolist() == [10.0, 11.0, 14.0, 13.0]


def test_replace_and_no_op_take_any_elements() -> None:
    mixed = Datatype.Create_struct([1, 1], [0, 4], [INT, SHORT])
    left, right = bytes(range(8)), bytearray(8)
    assert combine(ops.REPLACE, [left, mixed], [right, mixed]).tobytes() == bytes(6)
    assert combine(ops.NO_OP, [left, mixed], [right, mixed]).tobytes() == left[:6]


def concatenate(a: Any, b: Any, datatype: Datatype | None) -> Any:
    """Combine pairs of SHORT and INT: what is not commutative, but associative."""
    if datatype is None:
        return a + b
    record = np.dtype([("digits", "i2"), ("number", "i4")], align=True)
    assert len(a) == len(b)
    assert a.readonly
    lower, higher = np.frombuffer(a, record), np.frombuffer(b, record)
    result = higher.copy()
    result["number"] += lower["number"] * 10 ** higher["digits"]
    result["digits"] += lower["digits"]
    b[:] = result.tobytes()
    return None


def test_a_users_operator_sees_elements_as_they_lie_in_memory() -> None:
    op = Op.Create(concatenate)
    record = np.dtype([("digits", "i2"), ("number", "i4")], align=True)
    left = np.array([(1, 1), (2, 12)], record)
    right = np.array([(1, 2), (1, 3)], record)
    result = combine(op, [left, SHORT_INT], [right, SHORT_INT])
    assert result.tobytes() == b"".join(
        np.int16(digits).tobytes() + np.int32(number).tobytes()
        for digits, number in [(2, 12), (3, 123)]
    )
    block = recv_block([np.zeros(2, record), SHORT_INT])
    block.write(result)
    assert op("ab", "c") == "abc"
    assert not op.is_predefined
    assert not op.Is_commutative()


@pytest.mark.parametrize("displacement", [-8, 0, 8])
def test_a_users_operator_sees_one_memory_for_both_operands(displacement: int) -> None:
    def add(a: Any, b: Any, datatype: Datatype) -> None:
        low = min(datatype.true_lb, 0)
        for k in range(2):
            at = displacement - low + k * datatype.extent
            number = a[at] + b[at]
            b[at : at + 1] = number

    made = BYTE.Create_hindexed([1], [displacement]).Create_resized(0, 2)
    left, right = bytearray(range(30)), bytearray(range(30, 60))
    count_and_place = (2, 5)
    result = combine(
        Op.Create(add, commute=True),
        [left, count_and_place, made],
        [right, count_and_place, made],
    )
    place = 10 + displacement
    assert list(result.tobytes()) == [2 * place + 30, 2 * place + 34]


def test_a_users_operator_changes_no_operand() -> None:
    def shift(a: Any, b: Any, datatype: Datatype) -> None:
        assert datatype == INT
        b[4:8] = a[0:4]

    left, right = np.array([1, 2], "i"), np.array([3, 4], "i")
    result = combine(Op.Create(shift), left, right)
    assert result.view("i").tolist() == [3, 1]


def test_a_users_operator_may_have_nothing_to_combine() -> None:
    op = Op.Create(concatenate)
    assert combine(op, b"", b"").tobytes() == b""
    assert combine(op, [b"", FLOAT], [b"", FLOAT]).nbytes == 0


def test_local_reduction_writes_the_second_buffer() -> None:
    left, right = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    ops.PROD.Reduce_local(left, [right, DOUBLE])
    assert left.tolist() == [1.0, 2.0]
    assert right.tolist() == [3.0, 8.0]
    for other in (np.zeros(3), np.zeros(2, "f")):
        with pytest.raises(ValueError, match="same"):
            ops.PROD.Reduce_local(left, other)


def test_operators_are_handles() -> None:
    for name in (*NAMES, "REPLACE", "NO_OP"):
        op = getattr(ops, name)
        clone = Op(op)
        assert clone == op
        assert clone is not op
        assert op.is_predefined
        assert op.is_commutative is (name in NAMES)
        clone.free()
        assert clone == ops.OP_NULL
        op.free()
        assert op
        with pytest.raises(MPIError):
            op.Free()
    assert ops.SUM != ops.PROD
    assert not Op()
    assert ops.OP_NULL.is_predefined


def test_the_null_operator_combines_nothing() -> None:
    with pytest.raises(ValueError, match="OP_NULL"):
        ops.OP_NULL(None, None)
    with pytest.raises(MPIError):
        ops.OP_NULL.on_arrays(C_BOOL)
    with pytest.raises(TypeError):
        Op.Create(7)  # type: ignore[arg-type]


def test_a_users_operator_pickles_by_its_function() -> None:
    op = Op.Create(concatenate, commute=True)
    again = pickle.loads(pickle.dumps(op))
    assert again != op
    op.Free()
    assert not op
    assert again([1], [2]) == [1, 2]
    assert again.is_commutative


def test_a_clone_pickles_as_a_clone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpi, "OP_NULL", ops.OP_NULL, raising=False)
    clone = pickle.loads(pickle.dumps(Op(ops.SUM)))
    assert clone is not ops.SUM
    assert clone == ops.SUM
    assert pickle.loads(pickle.dumps(ops.OP_NULL)) is ops.OP_NULL
    assert pickle.loads(pickle.dumps(Op())) == ops.OP_NULL
