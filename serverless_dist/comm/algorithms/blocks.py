"""Vectors in contiguous blocks, cut without copying."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

from numpy.typing import NDArray


@lru_cache(maxsize=16)  # where thousands of ranks are simulated, all ask the same
def even_bounds(length: int, count: int) -> tuple[int, ...]:
    """Return where `count` blocks of a vector begin, and where the last one ends.

    >>> even_bounds(10, 4)
    (0, 2, 5, 7, 10)
    """
    return tuple(length * index // count for index in range(count + 1))


def bounds_of(counts: Sequence[int]) -> list[int]:
    """Return where blocks of these lengths begin, and where the last one ends.

    >>> bounds_of([2, 0, 3])
    [0, 2, 2, 5]
    """
    return [0, *accumulate(counts)]


def cut(vector: NDArray[Any], bounds: Sequence[int]) -> list[NDArray[Any]]:
    """Return the blocks between neighbouring bounds, as views."""
    return [vector[start:stop] for start, stop in pairwise(bounds)]
