"""What users pass as buffers, and MPI's own memory."""

import array
import pickle
from typing import Any

import numpy as np
import pytest

from serverless_dist.comm.data.buffers import (
    check_alike,
    recv_block,
    recv_blocks,
    recv_vector,
    recv_vector_w,
    send_block,
    send_blocks,
    send_vector,
    send_vector_w,
)
from serverless_dist.comm.data.datatype import Datatype
from serverless_dist.comm.data.datatypes import (
    BYTE,
    DATATYPE_NULL,
    DOUBLE,
    FLOAT_INT,
    INT,
    SHORT,
)
from serverless_dist.comm.data.memory import (
    BOTTOM,
    BUFFER_AUTOMATIC,
    IN_PLACE,
    Aint_add,
    Aint_diff,
    Alloc_mem,
    Free_mem,
    Get_address,
    buffer,
)
from serverless_dist.comm.exceptions import (
    ERR_BUFFER,
    ERR_TRUNCATE,
    ERR_TYPE,
    MPIError,
)

SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 24, 33]


def doubles(n: int) -> np.ndarray[Any, Any]:
    return np.arange(float(n))


class Tensor:
    """Known by DLPack only."""

    def __init__(self, values: np.ndarray[Any, Any], device: int = 1) -> None:
        self.values = values
        self.device = device

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device, 0

    def __dlpack__(self, **options: Any) -> Any:
        return self.values.__dlpack__(**options)


class OldTensor(Tensor):
    """As before DLPack's version 1."""

    def __dlpack__(self, **options: Any) -> Any:
        if options:
            msg = "no options are known"
            raise TypeError(msg)
        return self.values.__dlpack__()


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (doubles(4), [0.0, 1.0, 2.0, 3.0]),
        (doubles(4).reshape(2, 2).T, [0.0, 1.0, 2.0, 3.0]),
        (np.float64(7), [7.0]),
        (np.zeros((2, 0)), []),
        (array.array("i", [1, 2]), [1, 2]),
        (b"ab", [97, 98]),
        (Tensor(doubles(2)), [0.0, 1.0]),
        (OldTensor(doubles(2)), [0.0, 1.0]),
        ([doubles(4), None], [0.0, 1.0, 2.0, 3.0]),
        ([doubles(4), DOUBLE], [0.0, 1.0, 2.0, 3.0]),
        ((doubles(4), "d"), [0.0, 1.0, 2.0, 3.0]),
        ([doubles(1), INT], [0, 0]),
        ([np.array(["2020-01-01"], "M8[D]"), "q"], [18262]),
        ([np.array([1], ">i2"), BYTE], [0, 1]),
        ([doubles(4), 2], [0.0, 1.0]),
        ([doubles(4), np.int64(2)], [0.0, 1.0]),
        ([doubles(4), (2, 1)], [1.0, 2.0]),
        ([doubles(4), [None, 1]], [1.0, 2.0, 3.0]),
        ([doubles(4), (2, None)], [0.0, 1.0]),
        ([doubles(4), 2, DOUBLE], [0.0, 1.0]),
        ([doubles(4), (2, 2), "d"], [2.0, 3.0]),
        ([doubles(4), 1, 3, "d"], [3.0]),
        ([doubles(4), None, 3, None], [3.0]),
        ([None, "B"], []),
        ([None, 0, "B"], []),
        ([BOTTOM, 0, DOUBLE], []),
        ([doubles(2), 0, DATATYPE_NULL], []),
    ],
)
def test_a_spec_names_elements(spec: Any, expected: list[Any]) -> None:
    block = send_block(spec)
    assert block.array().tolist() == expected
    assert block.nbytes == block.array().nbytes
    assert block.count == len(expected)


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        (object(), TypeError),
        ("text", TypeError),
        (None, TypeError),
        ([[1, 2], 2, "i"], TypeError),
        ({1: 2}, TypeError),
        ([doubles(1)], ValueError),
        ([doubles(1), 0, 0, "d", None], ValueError),
        ([doubles(1), 0, "no code"], KeyError),
        ([None, None], KeyError),
        ([doubles(1), -1, "d"], ValueError),
        ([doubles(1), 0, -1, "d"], ValueError),
        ([doubles(1), 0, 2, "d"], ValueError),
        ([None, 1, 0, "i"], ValueError),
        ([b"abcde", None, 0, "i"], ValueError),
        ([doubles(1), 0, 1, DATATYPE_NULL], ValueError),
        ([doubles(1), None, 0, DATATYPE_NULL], ValueError),
        ([doubles(1), 1, DATATYPE_NULL], MPIError),
        ([doubles(1), None, INT.Create_resized(0, -4)], ValueError),
        ([doubles(1), 0, 1, INT.Create_resized(0, -4)], ValueError),
        ([doubles(1), 1.5], TypeError),
        (np.ones((3, 2))[:, 0], BufferError),
        (np.ones(3)[::-1], BufferError),
        (np.zeros(1, ">i4"), BufferError),
        (Tensor(doubles(2), device=2), BufferError),
        ([doubles(2), 3], MPIError),
        ([doubles(2), INT.Create_hindexed([1], [-4])], MPIError),
    ],
)
def test_a_wrong_spec_is_refused(spec: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        send_block(spec)


def test_a_tensor_on_a_device_or_read_only_is_refused() -> None:
    class OnDevice:
        __cuda_array_interface__ = None

    with pytest.raises(BufferError, match="host"):
        send_block(OnDevice())
    values = doubles(2)
    values.flags.writeable = False
    for spec in (values, b"ab", memoryview(b"ab"), [values, "d"], Tensor(values)):
        with pytest.raises(BufferError, match="read-only"):
            recv_block(spec)


def test_more_elements_than_the_buffer_has_are_refused() -> None:
    with pytest.raises(MPIError) as caught:
        recv_block([bytearray(8), 3, INT])
    assert caught.value.Get_error_class() == ERR_BUFFER
    with pytest.raises(MPIError):
        recv_blocks([bytearray(8), 3, BYTE], 3)
    with pytest.raises(MPIError):
        recv_vector([bytearray(8), [3, 3], [0, 6], BYTE], 2)


def test_contiguous_elements_are_the_users_memory() -> None:
    values = doubles(3)
    block = recv_block([values, 2, 1, "d"])
    block.array()[0] = 7.0
    block.read()[8:] = np.float64(8.0).tobytes()
    block.write(np.array([9.0]))
    assert values.tolist() == [0.0, 9.0, 8.0]
    assert not send_block(b"ab").array().flags.writeable
    transposed = np.zeros((2, 3), order="F")
    recv_block(transposed).write(doubles(6))
    assert transposed.T.ravel().tolist() == doubles(6).tolist()


@pytest.mark.parametrize("datatype", [DOUBLE, DOUBLE.Create_vector(2, 1, 2)])
def test_less_fills_a_prefix_and_more_is_refused(datatype: Datatype) -> None:
    values = np.zeros(3)
    block = recv_block([values, 4 - datatype.extent // 8, datatype])
    nbytes = block.nbytes
    for size in (0, 1, nbytes - 1, nbytes):
        block.write(bytes(nbytes))
        block.write(b"\1" * size)
        assert bytes(block.read()) == b"\1" * size + bytes(nbytes - size)
    with pytest.raises(MPIError, match="does not fit") as caught:
        block.write(bytes(nbytes + 1))
    assert caught.value.Get_error_class() == ERR_TRUNCATE
    assert bytes(block.read()) == b"\1" * nbytes


def test_any_buffer_is_written_as_its_bytes() -> None:
    block = recv_block(bytearray(16))
    for data in (doubles(2), doubles(2).reshape(2, 1), doubles(2).tobytes()):
        block.write(np.zeros(2))
        block.write(data)
        assert bytes(block.read()) == doubles(2).tobytes()


def test_derived_elements_are_read_packed_and_written_apart() -> None:
    column = INT.Create_vector(3, 1, 2).Create_resized(0, 4)
    matrix = np.arange(6, dtype="i").reshape(3, 2)
    block = recv_block([matrix, 2, column])
    assert block.array().tolist() == [0, 2, 4, 1, 3, 5]
    assert len(block.items()) == 2
    block.write(np.arange(10, 16, dtype="i"))
    assert matrix.T.ravel().tolist() == list(range(10, 16))


def test_pairs_are_records_without_padding_and_mixtures_no_arrays() -> None:
    pairs = np.array([(1.5, 2)], [("a", "f4"), ("b", "i4")])
    block = send_block([pairs, FLOAT_INT])
    assert block.array()["value"].tolist() == [1.5]
    assert block.array()["index"].tolist() == [2]
    mixed = Datatype.Create_struct([1, 1], [0, 4], [INT, SHORT])
    with pytest.raises(MPIError) as caught:
        send_block([bytearray(8), mixed]).array()
    assert caught.value.Get_error_class() == ERR_TYPE
    assert send_block([bytearray(8), mixed]).items().itemsize == 6


def test_a_block_outlives_the_handle_of_its_datatype() -> None:
    made = INT.Create_contiguous(2)
    block = send_block([np.arange(4, dtype="i"), made])
    same = block.datatype
    assert same == made
    made.Free()
    assert block.array().tolist() == [0, 1, 2, 3]
    assert send_block(b"a").datatype is BYTE


@pytest.mark.parametrize("n", SIZES)
def test_a_buffer_is_shared_in_equal_blocks(n: int) -> None:
    values = doubles(2 * n)
    expected = values.reshape(n, 2).tolist()
    for spec in (values, [values, "d"], [values, 2], [values, (2, 0), DOUBLE]):
        blocks = send_blocks(spec, n)
        assert [block.array().tolist() for block in blocks] == expected
    if n > 1:
        with pytest.raises(ValueError, match="shared"):
            send_blocks(doubles(n + 1), n)
    for k, block in enumerate(recv_blocks(values, n)):
        block.write(np.full(2, -k, float))
    assert values.tolist() == np.repeat(-np.arange(n), 2).tolist()


def test_no_ranks_need_no_blocks() -> None:
    assert send_blocks([doubles(1), 3], 0) == []
    for spec in (doubles(1), [doubles(1), ([], [])], [doubles(1), 3]):
        assert send_vector(spec, 0) == []
    assert send_vector_w([doubles(1), []], 0) == []


@pytest.mark.parametrize("n", SIZES)
def test_a_vector_has_blocks_of_any_size(n: int) -> None:
    values = doubles(sum(range(n)) + 1)
    counts = list(range(n))
    places = [sum(counts[:k]) for k in range(n)]
    expected = [
        values[at : at + count].tolist()
        for at, count in zip(places, counts, strict=True)
    ]
    for spec in (
        [values, counts],
        [values, np.array(counts)],
        [values, (counts, None)],
        [values, (counts, places), "d"],
        [values, counts, DOUBLE],
        [values, counts, places, DOUBLE],
    ):
        blocks = send_vector(spec, n)
        assert [block.array().tolist() for block in blocks] == expected


@pytest.mark.parametrize("n", SIZES)
def test_without_counts_lower_ranks_have_more(n: int) -> None:
    values = doubles(2 * n + n // 2)
    blocks = recv_vector(values, n)
    assert [block.count for block in blocks] == [2 + (k < n // 2) for k in range(n)]
    taken = np.concatenate([block.array() for block in blocks])
    assert taken.tolist() == values.tolist()


def test_one_count_and_one_distance_are_those_of_all() -> None:
    blocks = send_vector([doubles(8), (1, 3), "d"], 3)
    assert [block.array().tolist() for block in blocks] == [[0.0], [3.0], [6.0]]


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ([doubles(4), [1, 2]], ValueError),
        ([doubles(4), [1, 2, 1], [0, 1], "d"], ValueError),
        ([doubles(4), "no code"], KeyError),
        ([doubles(4), [1, 1.5, 1]], TypeError),
        ([doubles(4), DATATYPE_NULL], ValueError),
        ([b"abcde", "i"], ValueError),
        (7, TypeError),
        ([1], ValueError),
    ],
)
def test_a_wrong_vector_is_refused(spec: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        send_vector(spec, 3)


def test_a_vector_of_types_has_displacements_in_bytes() -> None:
    memory = bytearray(range(16))
    blocks = send_vector_w([memory, ([2, 1], [4, 8]), [BYTE, INT]], 2)
    assert [bytes(block.read()) for block in blocks] == [memory[4:6], memory[8:12]]
    blocks = recv_vector_w([memory, [1, 0], [15, 99], [BYTE, DATATYPE_NULL]], 2)
    blocks[0].write(b"\7")
    assert memory[15] == 7
    blocks = send_vector_w([memory, [INT, BYTE]], 2)
    assert [block.nbytes for block in blocks] == [4, 1]


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ([b"abcd", [INT]], ValueError),
        ([b"abcd", ["i", "i"]], TypeError),
        ([b"abcd"], ValueError),
        ([BOTTOM, [INT, INT]], ValueError),
        ([None, ([1, 1], None), [INT, INT]], ValueError),
        ([b"abcd", ([1], [0, 0]), [INT, INT]], ValueError),
    ],
)
def test_a_wrong_vector_of_types_is_refused(spec: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        send_vector_w(spec, 2)


def test_types_may_have_absolute_addresses() -> None:
    first, second = doubles(2), np.arange(3, dtype="i")
    places = [Get_address(first), Get_address(second)]
    made = Datatype.Create_struct([2, 3], places, [DOUBLE, INT])
    block = recv_block([BOTTOM, 1, made])
    assert bytes(block.read()) == first.tobytes() + second.tobytes()
    block.write(np.array([8.0]))
    assert first.tolist() == [8.0, 1.0]
    spec = [BOTTOM, ([1, 1], [0, places[1]]), [made, INT]]
    assert bytes(send_vector_w(spec, 2)[1].read()) == bytes(4)


def test_reductions_need_blocks_that_are_alike() -> None:
    check_alike(send_block(doubles(2)), recv_block(doubles(2)))
    for other in (doubles(3), np.zeros(2, "q")):
        with pytest.raises(ValueError, match="same"):
            check_alike(send_block(doubles(2)), recv_block(other))


@pytest.mark.parametrize("constant", [BOTTOM, IN_PLACE, BUFFER_AUTOMATIC])
def test_special_addresses_are_singletons_that_equal_a_number(constant: Any) -> None:
    assert pickle.loads(pickle.dumps(constant)) is constant
    assert constant == int(constant) == Get_address(constant)
    assert constant == type(constant)()
    assert hash(constant) == hash(int(constant))
    assert bool(constant) is bool(int(constant))
    assert constant not in (None, 17)
    assert buffer(constant).nbytes == 0
    with pytest.raises(TypeError):
        constant + 1


def test_memory_is_bytes_that_can_be_changed() -> None:
    memory = Alloc_mem(8)
    memory[:] = 0
    memory[1:5] = b"abcd"
    memory[-1] = 255
    assert memory.tobytes() == b"\0abcd\0\0\xff"
    assert memory[1] == 97
    assert memory[1:3].obj is memory
    assert bytes(memoryview(memory)) == memory.tobytes()
    memory.cast("i")[0] = 1
    assert memory.cast("i", (2, 1))[0, 0] == 1
    memory[0:4] = array.array("i", [7])
    assert memory[0:4].tobytes() == np.int32(7).tobytes()
    Free_mem(memory)
    assert (memory.nbytes, memory.address, memory.obj) == (0, 0, None)


def test_memory_refuses_what_bytes_cannot_do() -> None:
    memory = buffer.allocate(4, clear=True)
    assert memory.tobytes() == bytes(4)
    with pytest.raises(IndexError):
        _ = memory[4]
    with pytest.raises(IndexError):
        _ = memory[::2]
    with pytest.raises(TypeError):
        _ = memory[None]
    with pytest.raises(ValueError, match="do not fit"):
        memory[0:1] = b"ab"
    with pytest.raises(NotImplementedError):
        del memory[0]
    with pytest.raises(TypeError):
        buffer(b"abc")[0] = 1
    for nbytes in (-1, None):
        with pytest.raises((TypeError, ValueError)):
            Alloc_mem(nbytes)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        buffer(None)
    assert memory == memory
    assert memory != buffer(memory)


def test_memory_can_be_anybodys() -> None:
    values = np.zeros(2, np.uint8)
    memory = buffer.fromaddress(Get_address(values), 2)
    memory[:] = b"ab"
    assert values.tolist() == [97, 98]
    assert memory.address == buffer.frombuffer(values).address
    assert memory.toreadonly().readonly
    assert buffer.frombuffer(b"ab", readonly=True).obj == b"ab"
    with pytest.raises(BufferError):
        buffer.frombuffer(b"ab")
    for wrong in ((0, 1), (1, -1)):
        with pytest.raises(ValueError):
            buffer.fromaddress(*wrong)
    assert buffer().address == 0
    assert Alloc_mem(0).address != 0
    assert send_block(memory).datatype is BYTE


def test_addresses_are_added_and_subtracted() -> None:
    assert Aint_add(Get_address(None), 4) == 4
    assert Aint_diff(12, 4) == 8
