"""One layer on one rank: gather the inputs, multiply, drop the samples that died.

A sample has died where all activations at hand are zero: as every bias is negative, it
stays so. That is decided by each rank for its own rows; nobody has to agree, because
each message names the samples that it holds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from serverless_dist.inference.challenge import Bits
from serverless_dist.inference.maps import LayerMap, Receipt
from serverless_dist.inference.network import LIMIT, Matrix
from serverless_dist.inference.rows import Activations, Numbers, Rows

_CHUNK = 1024  # samples multiplied at a time: their activations stay in the cache
_FOLD = 0.5  # distinct rows per row, from which adding up equal weights pays


@dataclass(frozen=True, slots=True)
class Block:
    """Activations of some neurons, in columns for the samples that are alive.

    Attributes
    ----------
    samples
        The numbers of the samples, ascending.
    values
        Neurons x samples.
    """

    samples: Numbers
    values: Activations


def first_layer(layer: LayerMap, bits: Bits, bias: float) -> Block:
    """Return the activations behind the first layer.

    Parameters
    ----------
    layer
        The layer as this rank sees it.
    bits
        The samples, as packed bits.
    bias
        The bias of each neuron.
    """

    def inputs(start: int, stop: int) -> Activations:
        pixels = np.unpackbits(bits[start:stop], axis=1)[:, layer.inputs]
        return np.ascontiguousarray(pixels.T, np.float32)

    return _advance(layer.matrix, np.arange(len(bits)), inputs, bias)


def next_layer(
    layer: LayerMap, parts: Sequence[tuple[Receipt, Rows]], bias: float
) -> Block:
    """Return the activations behind a layer.

    Parameters
    ----------
    layer
        The layer as this rank sees it.
    parts
        The rows at hand and those that came, each with what they are.
    bias
        The bias of each neuron.
    """
    samples = _union([rows.samples for _, rows in parts])
    values = _stack([rows for _, rows in parts], samples)
    # Equal rows are held once: the matrix is pointed at them, instead of copying them.
    places = np.zeros(layer.inputs.size, np.int32)
    start = 0
    for receipt, rows in parts:
        places[receipt.inputs] = start + rows.index[receipt.taken]
        start += len(rows.values)
    wide = layer.matrix
    matrix: Matrix = csr_array(
        (wide.data.copy(), places[wide.indices], wide.indptr.copy()),
        shape=(wide.shape[0], len(values)),
    )
    if len(values) <= layer.inputs.size * _FOLD:
        matrix.sum_duplicates()

    def inputs(start: int, stop: int) -> Activations:
        return np.ascontiguousarray(values[:, start:stop])

    return _advance(matrix, samples, inputs, bias)


def _advance(
    matrix: Matrix,
    samples: Numbers,
    inputs: Callable[[int, int], Activations],
    bias: float,
) -> Block:
    """Multiply and activate; `inputs` gives the columns from one place to another."""
    values = np.empty((matrix.shape[0], samples.size), np.float32)
    living: list[Numbers] = []
    used = 0
    for start in range(0, samples.size, _CHUNK):
        chunk = samples[start : start + _CHUNK]
        sums = matrix @ inputs(start, start + chunk.size)
        # The bias does not count where the sum is zero. As it is negative, the result
        # is cut off at zero there anyway.
        sums += np.float32(bias)
        np.clip(sums, 0, np.float32(LIMIT), out=sums)
        alive = np.flatnonzero(sums.any(axis=0))
        if alive.size < chunk.size:
            sums, chunk = sums.take(alive, axis=1), chunk[alive]
        values[:, used : used + chunk.size] = sums
        living.append(chunk)
        used += chunk.size
    return Block(np.concatenate([samples[:0], *living]), values[:, :used])


def _union(lists: Sequence[Numbers]) -> Numbers:
    """Return all numbers that are in some list, ascending."""
    longest = max(lists, key=len, default=np.empty(0, np.int64))
    most = max((int(numbers[-1]) + 1 for numbers in lists if numbers.size), default=0)
    present = np.zeros(most, np.bool_)
    for numbers in lists:
        present[numbers] = True
    found = np.flatnonzero(present)
    return longest if found.size == longest.size else found


def _stack(blocks: Sequence[Rows], samples: Numbers) -> Activations:
    """Return the values of all blocks below each other, with a column per sample."""
    if len(blocks) == 1 and blocks[0].samples.size == samples.size:
        return blocks[0].values
    height = sum(len(rows.values) for rows in blocks)
    stacked = np.zeros((height, samples.size), np.float32)
    start = 0
    for rows in blocks:
        target = stacked[start : start + len(rows.values)]
        if rows.samples.size == samples.size:
            target[:] = rows.values
        else:
            target[:, np.searchsorted(samples, rows.samples)] = rows.values
        start += len(rows.values)
    return stacked
