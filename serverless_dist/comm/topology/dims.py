"""`Compute_dims`: a grid for a number of ranks, as close to a cube as can be."""

import math
from collections.abc import Iterator, Sequence

from serverless_dist.comm.exceptions import ERR_ARG, ERR_DIMS, MPIError


def Compute_dims(nnodes: int, dims: int | Sequence[int]) -> list[int]:
    """Return dimensions for `nnodes` ranks that differ as little as possible.

    Parameters
    ----------
    nnodes
        The number of ranks.
    dims
        The number of dimensions; or the dimensions, of which those that are 0 are
        chosen, the largest first.

    Raises
    ------
    MPIError
        `ERR_ARG` for less than one rank, `ERR_DIMS` if the given dimensions are
        negative or do not divide the number of ranks.

    >>> Compute_dims(24, 3), Compute_dims(12, [0, 2, 0])
    ([4, 3, 2], [3, 2, 2])
    """
    given = [0] * dims if isinstance(dims, int) else list(dims)
    if nnodes < 1:
        msg = f"nnodes is {nnodes}, but it must be 1 or more"
        raise MPIError(ERR_ARG, msg)
    fixed = math.prod(dim for dim in given if dim)
    open_places = given.count(0)
    fits = nnodes % fixed == 0 if open_places else nnodes == fixed or not given
    if min(given, default=0) < 0 or not fits:
        msg = f"{nnodes} ranks cannot be arranged in dimensions {given}"
        raise MPIError(ERR_DIMS, msg)
    if not open_places:
        return given
    chosen = iter(_balanced(nnodes // fixed, open_places, nnodes) or ())
    return [dim or next(chosen) for dim in given]


def _balanced(product: int, count: int, limit: int) -> tuple[int, ...] | None:
    """Return the smallest falling factors, the first one mattering most."""
    if count == 1:
        return (product,) if product <= limit else None
    for first in _divisors(product):
        # The first is the largest, so smaller ones cannot make up the product.
        if first > limit or first**count < product:
            continue
        rest = _balanced(product // first, count - 1, first)
        if rest is not None:
            return (first, *rest)
    return None


def _divisors(number: int) -> Iterator[int]:
    low = [n for n in range(1, math.isqrt(number) + 1) if number % n == 0]
    yield from low
    yield from (number // n for n in reversed(low) if n * n != number)
