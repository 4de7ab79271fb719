"""Objects that travel by a serializer of the program's own, and by none."""

import json
import pickle
from collections.abc import Iterator

import pytest

from serverless_dist import MPI
from serverless_dist.comm.engine.pickling import serializer


@pytest.fixture
def as_json() -> Iterator[None]:
    serializer.__init__(  # type: ignore[misc]
        lambda obj: json.dumps(obj).encode(), lambda data: json.loads(data.decode())
    )
    yield
    serializer.__init__()  # type: ignore[misc]


@pytest.mark.usefixtures("as_json")
def test_all_calls_use_the_programs_serializer() -> None:
    comm = MPI.COMM_SELF
    large = {"key": ["value"] * 50_000}
    assert comm.sendrecv(large, 0, source=0) == large
    assert comm.bcast([1, None]) == [1, None]
    assert comm.allgather((1, 2)) == [[1, 2]]


def test_a_pickle_that_is_sent_as_a_buffer_is_received_as_an_object() -> None:
    comm = MPI.COMM_SELF
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        comm.Send(pickle.dumps({"protocol": protocol}, protocol), 0)
        assert comm.recv() == {"protocol": protocol}
    comm.Send([None, 0, "B"], 0)
    assert comm.recv() is None


def test_what_the_objects_own_code_raises_reaches_the_sender() -> None:
    class Stubborn:
        def __reduce__(self) -> str:
            msg = "I stay"
            raise ZeroDivisionError(msg)

    with pytest.raises(ZeroDivisionError, match="I stay"):
        MPI.COMM_SELF.send(Stubborn(), 0)
