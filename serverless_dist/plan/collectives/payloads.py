"""What the ranks of a collective give, by size alone: no byte is ever there.

A vector is an array of elements that take no memory, an item is one token; both are
cut, joined and folded by the very algorithms that a run executes. What a message weighs
is told by its format: the one that buffers have, or the one that objects have.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serverless_dist.comm.algorithms import Algorithm
from serverless_dist.comm.algorithms.blocks import even_bounds
from serverless_dist.comm.steps import Steps

_WEIGHTLESS = np.dtype([])  # elements of no bytes: only their number counts
_ALIGNMENT = 64  # bytes that bundles and encoded objects are padded to
_FOLDED = ("reduce", "allreduce", "reduce_scatter", "scan", "exscan")
_FLOAT = 8  # bytes of an element, where the data are a whole number of these
_ROOT = 0


@dataclass(frozen=True, slots=True)
class Payload:
    """What all ranks of one call give, and what it weighs on its way.

    Attributes
    ----------
    arguments
        What a rank's algorithm takes besides rank and size.
    measure
        Returns the bytes of a message's body.
    """

    arguments: Callable[[int], tuple[Any, ...]]
    measure: Callable[[Any], int]

    def steps(self, algorithm: Algorithm, ranks: int) -> list[Steps[Any]]:
        """Return the steps of each rank."""
        given = self.arguments
        return [algorithm.function(rank, ranks, *given(rank)) for rank in range(ranks)]


def payload_of(
    collective: str, ranks: int, nbytes: int, *, objects: bool = False
) -> Payload:
    """Return what a call is about.

    Parameters
    ----------
    collective
        ``"allreduce"`` and so on.
    ranks
        How many take part.
    nbytes
        Of what each rank gives, in the sense of `choose`.
    objects
        Data are objects, not arrays.

    Examples
    --------
    >>> payload = payload_of("allreduce", 4, 1_000_000)
    >>> vector, fold = payload.arguments(0)
    >>> len(vector), vector.nbytes, payload.measure(vector[:10])
    (125000, 0, 80)
    """
    if collective == "barrier":
        return Payload(lambda _: (), lambda _: 0)
    item = nbytes + _ALIGNMENT if objects else nbytes
    if collective in _FOLDED:
        return _folded(collective, ranks, nbytes, item if objects else None)
    if collective == "bcast" and not objects:
        vector = _vector(nbytes)
        return Payload(lambda _: (vector, _ROOT), len)
    return Payload(_items(collective, ranks), _bundle(item))


def _folded(collective: str, ranks: int, nbytes: int, whole: int | None) -> Payload:
    """Return the payload of a fold: of arrays, or of objects that weigh `whole`."""
    width = 1 if nbytes % _FLOAT else _FLOAT
    vector = _vector(nbytes // width)
    measure = _elements(width) if whole is None else lambda _: whole
    if collective == "reduce":
        return Payload(lambda _: (vector, _either, _ROOT), measure)
    if collective == "reduce_scatter":
        counts = [
            stop - start for start, stop in pairwise(even_bounds(len(vector), ranks))
        ]
        return Payload(lambda _: (vector, counts, _either), measure)
    return Payload(lambda _: (vector, _either), measure)


def _items(collective: str, ranks: int) -> Callable[[int], tuple[Any, ...]]:
    everybodys = [None] * ranks
    if collective == "bcast":
        return lambda _: ([None], _ROOT)
    if collective == "scatter":
        return lambda rank: (everybodys if rank == _ROOT else [], _ROOT)
    if collective == "gather":
        return lambda _: (None, _ROOT)
    return lambda _: (everybodys,) if collective == "alltoall" else (None,)


def _vector(length: int) -> NDArray[Any]:
    return np.empty(length, _WEIGHTLESS)


def _either(lower: Any, higher: Any) -> Any:
    """Fold two vectors of one length: the result is another."""
    del higher
    return lower


def _elements(width: int) -> Callable[[Any], int]:
    return lambda vector: width * len(vector)


def _bundle(item: int) -> Callable[[Sequence[Any]], int]:
    """Return what a list of sealed items weighs; see `comm.engine.sealed`."""
    each = _aligned(item)
    return lambda items: _aligned(4 + 8 * len(items)) + each * len(items)


def _aligned(size: int) -> int:
    return size + -size % _ALIGNMENT
