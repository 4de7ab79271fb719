"""Datatypes: their geometry, how they were made, and how they travel."""

import array
import itertools
import pickle
import random
from typing import Any

import numpy as np
import pytest

from serverless_dist.comm import mpi
from serverless_dist.comm.data import datatypes
from serverless_dist.comm.data.blocks import Block
from serverless_dist.comm.data.datatype import (
    DATATYPES,
    Datatype,
    from_numpy,
    layout_of,
    layout_of_items,
)
from serverless_dist.comm.data.datatypes import (
    BYTE,
    C_BOOL,
    CHAR,
    COMPLEX32,
    DATATYPE_NULL,
    DOUBLE,
    DOUBLE_INT,
    FLOAT,
    INT,
    INTEGER16,
    LONG_DOUBLE_INT,
    SHORT,
    SHORT_INT,
)
from serverless_dist.comm.data.packing import pack, unpack
from serverless_dist.comm.data.typeconstants import (
    COMBINER_STRUCT,
    DISTRIBUTE_BLOCK,
    DISTRIBUTE_CYCLIC,
    DISTRIBUTE_DFLT_DARG,
    ORDER_C,
    ORDER_F,
    TYPECLASS_REAL,
)
from serverless_dist.comm.exceptions import ERR_ARG, ERR_TYPE, MPIError

NAMED = sorted(set(DATATYPES) - {"DATATYPE_NULL"})
CODED = [name for name in NAMED if not name.endswith("_INT")]


def bytes_of(datatype: Datatype) -> list[int]:
    """Return the offset of each byte of an element, in packing order."""
    layout = layout_of(datatype)
    assert layout is not None
    return [
        offset + k for offset, length in layout.runs.tolist() for k in range(length)
    ]


def repeated(datatype: Datatype, starts: list[int]) -> list[int]:
    return [start + byte for start in starts for byte in bytes_of(datatype)]


@pytest.fixture
def holey() -> Datatype:
    """An INT, a gap, and a SHORT before its address."""
    return Datatype.Create_struct([1, 1], [4, -2], [INT, SHORT]).Create_resized(-4, 16)


@pytest.mark.parametrize("name", NAMED)
def test_a_predefined_datatype_knows_its_size_and_cannot_be_freed(name: str) -> None:
    datatype = DATATYPES[name]
    assert datatype.size <= datatype.extent
    assert datatype.is_named
    assert datatype.is_predefined
    assert datatype.decode() == (datatype, "NAMED", {})
    with pytest.raises(MPIError) as caught:
        datatype.Free()
    assert caught.value.Get_error_class() == ERR_TYPE
    datatype.free()
    assert datatype


@pytest.mark.parametrize("name", CODED)
def test_a_code_names_a_datatype_of_the_same_size(name: str) -> None:
    datatype = DATATYPES[name]
    same = Datatype.fromcode(datatype.tocode())
    assert (same.typechar, same.typestr) == (datatype.typechar, datatype.typestr)
    assert datatype.Dup().Dup().tocode() == datatype.tocode()


def test_pairs_are_laid_out_as_in_c() -> None:
    assert (SHORT_INT.size, SHORT_INT.extent) == (6, 8)
    assert bytes_of(SHORT_INT) == [0, 1, 4, 5, 6, 7]
    assert (DOUBLE_INT.size, DOUBLE_INT.extent) == (12, 16)
    assert LONG_DOUBLE_INT.extent == 2 * np.dtype("g").itemsize
    assert datatypes.TWOINT.name == "MPI_2INT"
    assert Datatype.Get_value_index(DOUBLE, INT) is DOUBLE_INT
    assert Datatype.Get_value_index(DOUBLE, FLOAT) is DATATYPE_NULL


def test_what_the_machine_lacks_is_null() -> None:
    assert INTEGER16 is DATATYPE_NULL
    assert datatypes.BFLOAT16_T is DATATYPE_NULL
    assert bool(COMPLEX32) is (np.dtype("G").itemsize == 32)


def test_handles_of_one_datatype_are_equal_and_freed_apart() -> None:
    made = INT.Create_contiguous(2)
    other = Datatype(made)
    assert other == made
    assert INT.Create_contiguous(2) != made
    assert Datatype(INT) == INT
    assert INT.Dup() != INT
    made.Free()
    assert not made
    assert made == DATATYPE_NULL
    assert other.size == 8
    with pytest.raises(TypeError):
        Datatype((1, 2))  # type: ignore[arg-type]


def test_the_null_datatype_has_no_elements() -> None:
    with pytest.raises(MPIError) as caught:
        Datatype().Get_size()
    assert caught.value.Get_error_class() == ERR_TYPE
    assert Datatype().Get_name() == "MPI_DATATYPE_NULL"


def test_contiguous_elements_follow_each_other(holey: Datatype) -> None:
    made = holey.Create_contiguous(3)
    assert bytes_of(made) == repeated(holey, [0, 16, 32])
    assert (made.lb, made.extent) == (-4, 48)
    assert (made.true_lb, made.true_ub) == (-2, 40)


def test_a_huge_contiguous_type_takes_no_memory() -> None:
    made = DOUBLE.Create_contiguous(1 << 40)
    assert made.size == made.extent == 8 << 40


def test_vectors_count_their_stride_in_elements_or_bytes(holey: Datatype) -> None:
    starts = [16 * k for k in (0, 1, 3, 4)]
    made = holey.Create_vector(2, 2, 3)
    assert bytes_of(made) == repeated(holey, starts)
    assert (made.lb, made.ub) == (-4, 16 * 4 + 12)
    assert bytes_of(holey.Create_hvector(2, 2, 48)) == repeated(holey, starts)
    backwards = holey.Create_vector(2, 1, -1)
    assert bytes_of(backwards) == repeated(holey, [0, -16])
    assert (backwards.lb, backwards.extent) == (-20, 32)


def test_blocks_lie_at_their_displacements(holey: Datatype) -> None:
    starts = [16 * k for k in (5, 6, 1)]
    expected = repeated(holey, starts)
    assert bytes_of(holey.Create_indexed([2, 0, 1], [5, 9, 1])) == expected
    assert bytes_of(holey.Create_hindexed([2, 1], [80, 16])) == expected
    starts = [16 * k for k in (5, 6, 1, 2)]
    assert bytes_of(holey.Create_indexed_block(2, [5, 1])) == repeated(holey, starts)
    made = holey.Create_hindexed_block(2, [80, 16])
    assert bytes_of(made) == repeated(holey, starts)


def test_a_struct_is_padded_as_in_c() -> None:
    made = Datatype.Create_struct([1, 1, 1], [0, 8, 16], [BYTE, DOUBLE, BYTE])
    assert (made.size, made.extent, made.true_extent) == (10, 24, 17)
    assert Datatype.Create_struct([], [], []).extent == 0
    resized = Datatype.Create_struct([1], [0], [made.Create_resized(0, 17)])
    assert resized.extent == 17


@pytest.mark.parametrize("order", [ORDER_C, ORDER_F])
def test_a_subarray_is_a_part_of_an_array(order: int) -> None:
    made = INT.Create_subarray([3, 4], [2, 2], [1, 2], order)
    whole = np.arange(12).reshape((3, 4), order="C" if order == ORDER_C else "F")
    places = whole[1:3, 2:4].ravel("C" if order == ORDER_C else "F")
    assert bytes_of(made) == repeated(INT, [4 * int(place) for place in places])
    assert made.extent == 48
    with pytest.raises(MPIError):
        INT.Create_subarray([3], [2], [2])


@pytest.mark.parametrize("order", [ORDER_C, ORDER_F])
@pytest.mark.parametrize("kind", [DISTRIBUTE_BLOCK, DISTRIBUTE_CYCLIC])
def test_the_parts_of_a_distributed_array_are_the_whole(kind: int, order: int) -> None:
    parts = [
        BYTE.Create_darray(
            6, r, [5, 7], [kind] * 2, [DISTRIBUTE_DFLT_DARG] * 2, [2, 3], order
        )
        for r in range(6)
    ]
    assert sorted(itertools.chain(*map(bytes_of, parts))) == list(range(35))
    assert {part.extent for part in parts} == {35}
    rows, columns = {
        DISTRIBUTE_BLOCK: ([0, 1, 2], [3, 4, 5]),
        DISTRIBUTE_CYCLIC: ([0, 2, 4], [1, 4]),
    }[kind]
    name: Any = "C" if order == ORDER_C else "F"
    taken = np.arange(35).reshape((5, 7), order=name)[np.ix_(rows, columns)]
    assert bytes_of(parts[1]) == taken.ravel(name).tolist()


def test_a_made_datatype_tells_how() -> None:
    made = Datatype.Create_struct([1, 2], [0, 8], [INT, DOUBLE])
    assert made.Get_envelope() == (3, 2, 0, 2, COMBINER_STRUCT)
    assert made.Get_contents() == ([2, 1, 2], [0, 8], [], [INT, DOUBLE])
    base, combiner, params = made.Create_vector(3, 2, 5).decode()
    assert base == made
    assert combiner == "VECTOR"
    assert params == {"count": 3, "blocklength": 2, "stride": 5}
    darray = INT.Create_darray(2, 1, [4], [DISTRIBUTE_BLOCK], [2], [2])
    integers = [2, 1, 1, 4, DISTRIBUTE_BLOCK, 2, 2, ORDER_C]
    assert darray.Get_contents()[0] == integers


def test_datatypes_pickle_by_name_or_by_how_they_were_made(
    monkeypatch: pytest.MonkeyPatch, holey: Datatype
) -> None:
    for name, datatype in DATATYPES.items():
        monkeypatch.setattr(mpi, name, datatype, raising=False)
        assert pickle.loads(pickle.dumps(datatype)) is datatype
    clone = pickle.loads(pickle.dumps(Datatype(INT)))
    assert clone is not INT
    assert clone == INT
    made = holey.Create_indexed([1, 2], [3, 5]).Dup()
    again = pickle.loads(pickle.dumps(made))
    assert bytes_of(again) == bytes_of(made)
    assert again.Get_extent() == made.Get_extent()


def test_fortran_types_are_found_by_what_they_hold() -> None:
    assert [Datatype.Create_f90_integer(r).size for r in (2, 4, 9, 18)] == [1, 2, 4, 8]
    assert Datatype.Create_f90_real(15, 300).typestr == "f8"
    assert Datatype.Create_f90_real(6, -1) == Datatype.Create_f90_real(6, -1)
    assert Datatype.Create_f90_complex(6, 30).size == 8
    assert Datatype.Match_size(TYPECLASS_REAL, 8) == datatypes.REAL8
    calls: list[Any] = [
        lambda: Datatype.Create_f90_integer(40),
        lambda: Datatype.Create_f90_real(99, 1),
        lambda: Datatype.Match_size(TYPECLASS_REAL, 3),
    ]
    for call in calls:
        with pytest.raises(MPIError) as caught:
            call()
        assert caught.value.Get_error_class() == ERR_ARG


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (b"x", BYTE),
        (np.zeros(1, np.uint8), BYTE),
        (array.array("b", [1]), datatypes.SIGNED_CHAR),
        (np.zeros(1), DOUBLE),
        (np.zeros(1, "e"), datatypes.FLOAT16_T),
        (np.zeros(1, "F"), datatypes.C_COMPLEX),
        (np.zeros(1, "G"), datatypes.C_LONG_DOUBLE_COMPLEX),
        (np.zeros(1, "?"), C_BOOL),
        (np.zeros(1, "S1"), CHAR),
        (np.zeros(1, "U1"), datatypes.WCHAR),
        (array.array("l", [1]), datatypes.LONG),
        (array.array("q", [1]), datatypes.LONG_LONG),
    ],
)
def test_a_buffer_says_what_its_items_are(items: Any, expected: Datatype) -> None:
    assert layout_of_items(memoryview(items)) is layout_of(expected)


def test_records_are_structs() -> None:
    dtype = np.dtype([("a", "i4"), ("b", "f8", (2, 3)), ("c", "i2")], align=True)
    made = from_numpy(dtype)
    assert (made.size, made.extent) == (4 + 48 + 2, dtype.itemsize)
    assert layout_of_items(np.zeros(3, dtype).data).size == made.size


def test_items_of_foreign_order_or_unknown_type_are_refused() -> None:
    with pytest.raises(BufferError):
        layout_of_items(np.zeros(1, np.dtype("i4").newbyteorder()).data)
    with pytest.raises(KeyError):
        layout_of_items(np.zeros(1, "S7").data)
    with pytest.raises(KeyError):
        layout_of("no code")
    with pytest.raises(ValueError):
        Datatype.fromcode("no code")
    with pytest.raises(ValueError):
        SHORT_INT.tocode()


def test_names_belong_to_the_datatype() -> None:
    made = INT.Dup()
    made.Set_name("mine")
    assert Datatype(made).name == "mine"
    assert INT.Get_name() == "MPI_INT"


def test_attributes_belong_to_the_datatype_and_are_copied() -> None:
    deleted: list[Any] = []
    key = Datatype.Create_keyval(
        lambda _datatype, _key, value: value + 1,
        lambda _datatype, _key, value: deleted.append(value),
    )
    made = INT.Create_contiguous(2)
    made.Set_attr(key, 7)
    again = made.Dup()
    assert (Datatype(made).Get_attr(key), again.Get_attr(key)) == (7, 8)
    again.Free()
    assert deleted == [8]
    assert Datatype.Create_keyval() != key


def random_datatype(random_: random.Random, depth: int) -> Datatype:
    """Return some datatype, made of some others, whose elements do not overlap."""
    base = random_.choice([BYTE, SHORT, INT, DOUBLE, SHORT_INT, DOUBLE_INT])
    for _ in range(depth):
        n, length = random_.randint(1, 3), random_.randint(1, 3)
        gaps = [random_.randint(0, 3) for _ in range(n)]
        places = [k * length + sum(gaps[: k + 1]) for k in range(n)]
        random_.shuffle(places)
        choice = random_.randrange(5)
        if choice == 0:
            base = base.Create_vector(n, length, length + random_.randint(0, 2))
        elif choice == 1:
            base = base.Create_indexed_block(length, places)
        elif choice == 2:
            base = base.Create_resized(base.lb, base.extent + random_.randint(0, 5))
        elif choice == 3:
            offset = base.extent * 2 + random_.randint(0, 3)
            struct = Datatype.Create_struct
            base = struct([2, 1], [0, offset + INT.extent], [base, INT])
        else:
            base = base.Create_subarray([4, 3], [2, 2], [random_.randint(0, 2), 1])
    return base


@pytest.mark.parametrize("seed", range(60))
def test_packing_and_unpacking_move_each_byte_where_the_typemap_says(seed: int) -> None:
    random_ = random.Random(seed)
    datatype = random_datatype(random_, random_.randint(0, 3))
    layout = layout_of(datatype)
    assert layout is not None
    count, offset = random_.choice([0, 1, 2, 5]), random_.randint(0, 9)
    low, high = layout.span(count)
    memory = np.frombuffer(random_.randbytes(offset + high - min(low, 0)), np.uint8)
    places = [
        offset - min(low, 0) + k * datatype.extent + byte
        for k in range(count)
        for byte in bytes_of(datatype)
    ]
    packed = pack(layout, memory.data, offset - min(low, 0), count)
    assert bytes(packed) == bytes(memory[places])
    for nbytes in sorted({0, min(1, len(places)), len(places) // 2, len(places)}):
        target = np.zeros_like(memory)
        data = memoryview(packed)[:nbytes]
        unpack(layout, target.data, offset - min(low, 0), data)
        expected = np.zeros_like(memory)
        expected[places[:nbytes]] = memory[places[:nbytes]]
        assert target.tolist() == expected.tolist()


def test_large_irregular_types_are_packed() -> None:
    rng = np.random.default_rng(3)
    places = np.cumsum(rng.integers(1, 4, 20_000))
    made = DOUBLE.Create_indexed_block(1, places.tolist())
    values = rng.random(int(places[-1]) + 1)
    layout = layout_of(made)
    assert layout is not None
    block = Block(values.data.cast("B"), 0, 1, layout)
    assert block.array().tolist() == values[places].tolist()


def test_elements_are_packed_by_hand_one_after_the_other() -> None:
    column = DOUBLE.Create_vector(2, 1, 2).Create_resized(0, 8)
    matrix, packed = np.arange(4.0).reshape(2, 2), bytearray(40)
    position = INT.Pack(np.array([7], "i"), packed, 0, None)
    position = column.Pack(matrix, packed, position, None)
    assert position == 4 + 4 * 8
    assert np.frombuffer(packed, "d", 4, 4).tolist() == [0.0, 2.0, 1.0, 3.0]
    out, number = np.zeros((2, 2)), np.zeros(1, "i")
    position = INT.Unpack(packed, 0, number, None)
    position = column.Unpack(packed, position, out, None)
    assert number.tolist() == [7]
    assert out.tolist() == matrix.tolist()
    with pytest.raises(MPIError):
        DOUBLE.Pack(matrix, packed, 30, None)
    with pytest.raises(MPIError):
        DOUBLE.Unpack(packed, 30, out, None)


def test_packing_for_other_machines_is_big_endian() -> None:
    record = np.dtype([("a", "i4"), ("b", "i2")])
    values, packed = np.array([(1, 2), (3, 4)], record), bytearray(12)
    datatype = from_numpy(record)
    assert datatype.Pack_external_size("external32", 2) == 12
    assert datatype.Pack_external("external32", values, packed, 0) == 12
    assert packed.hex() == "000000010002000000030004"
    out = np.zeros_like(values)
    assert datatype.Unpack_external("external32", packed, 0, out) == 12
    assert out.tolist() == values.tolist()
    with pytest.raises(MPIError):
        DOUBLE.Pack_external_size("native", 1)


def test_there_are_no_c_handles() -> None:
    assert INT.toint() == INT.py2f() == -1
    calls: list[Any] = [
        lambda: Datatype.fromint(1),
        lambda: Datatype.f2py(1),
        lambda: Datatype.fromhandle(1),
    ]
    for call in calls:
        with pytest.raises(NotImplementedError, match="C handles"):
            call()
    with pytest.raises(NotImplementedError, match="C handles"):
        _ = INT.handle
