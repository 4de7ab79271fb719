"""What the tests of algorithms share."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from serverless_dist.comm.algorithms.costs import Cost
from serverless_dist.testing.simulate import Simulation

SIZES = [*range(1, 10), 13, 16, 24, 33]
M = 10  # bytes of each rank's data

each_size = pytest.mark.parametrize("size", SIZES)
each_size_and_1021 = pytest.mark.parametrize("size", [*SIZES, 1021])
each_size_and_257 = pytest.mark.parametrize("size", [*SIZES, 257])  # n * n messages


def roots(size: int) -> list[int]:
    return list(range(size)) if size < 100 else [0, 1, size // 3, size - 1]


def datum(rank: int) -> bytes:
    return b"%0*d" % (M, rank)


def counts(what: Simulation[Any] | Cost) -> tuple[int, int, int, int]:
    return what.rounds, what.messages, what.bytes, what.posts


def assert_costs(result: Simulation[Any], cost: Cost) -> None:
    """Fail unless a closed form says what was counted, and estimates its path well."""
    assert counts(result) == counts(cost)
    assert 0.9 * result.most_bytes <= cost.path.bytes <= 3 * result.most_bytes
    most = max(result.most_sends, result.most_receives)
    assert most <= cost.path.messages <= 3 * most


def words(rank: int, length: int) -> NDArray[Any]:
    """Return a vector that nobody may write into, and whose sums show their order."""
    vector = np.array([f"{rank}:{index} " for index in range(length)], object)
    vector.flags.writeable = False
    return vector


def vector_bytes(data: object) -> int:
    """Return the bytes of a vector, which is all that a message may be."""
    assert isinstance(data, np.ndarray)
    assert data.ndim == 1
    return data.nbytes


def folded(size: int, length: int) -> list[str]:
    """Return the sum of all ranks' words, in rank order."""
    return [
        "".join(f"{rank}:{index} " for rank in range(size)) for index in range(length)
    ]


def numbers(rank: int, length: int) -> NDArray[np.int64]:
    """Return a vector that nobody may write into."""
    vector = np.arange(length) * 1_000 + rank
    vector.flags.writeable = False
    return vector


def total(size: int, length: int) -> list[int]:
    """Return the sum of all ranks' numbers."""
    return [size * index * 1_000 + size * (size - 1) // 2 for index in range(length)]
