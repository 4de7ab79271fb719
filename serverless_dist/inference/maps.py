"""Who needs which rows of whom: worked out once, so that no message has to say it.

Every rank knows the whole network's structure and the owner of each neuron. From those
each works out alone, and alike, what every other rank sends to whom in each layer.
Where nothing is needed, there is no message.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from serverless_dist.inference.network import Matrix, Network
from serverless_dist.inference.partition import Owners

Places = NDArray[np.int32]

WASTE = 1.25  # rows delivered per row needed, up to which one multicast is better


@dataclass(frozen=True, slots=True)
class Sending:
    """Rows for one rank, or for several in one multicast.

    Attributes
    ----------
    dests
        The ranks, neighbours of the sender.
    rows
        Their places among the neurons of the sender.
    """

    dests: tuple[int, ...]
    rows: Places


@dataclass(frozen=True, slots=True)
class Receipt:
    """Rows from one rank, which may be this one itself.

    Attributes
    ----------
    rows
        The number of rows in its message.
    taken
        The places of the needed ones among them.
    inputs
        For each of those its place in `LayerMap.inputs`.
    """

    rows: int
    taken: Places
    inputs: Places


@dataclass(frozen=True, slots=True)
class LayerMap:
    """One layer as one rank sees it.

    Attributes
    ----------
    matrix
        The weights: this rank's neurons x its needed inputs.
    inputs
        The numbers of the needed inputs, ascending.
    sendings
        What this rank has to send before the layer; its rows of the layer before.
    receipts
        What comes from each source; this rank is among the keys if it has own inputs.
    """

    matrix: Matrix
    inputs: Places
    sendings: tuple[Sending, ...]
    receipts: dict[int, Receipt]


def map_layers(network: Network, owners: Owners, rank: int) -> Iterator[LayerMap]:
    """Yield each layer as `rank` sees it; only one whole layer is held at a time.

    Parameters
    ----------
    network
        Where the weights come from.
    owners
        The rank of each neuron.
    rank
        The rank whose rows are kept.
    """
    ranks = int(owners.max()) + 1
    held = [np.flatnonzero(owners == owner).astype(np.int32) for owner in range(ranks)]
    for layer, matrix in enumerate(network.matrices()):
        needs = _needs(matrix, owners, ranks)
        inputs = np.flatnonzero(needs[rank]).astype(np.int32)
        mine = _narrow(matrix, held[rank], inputs)
        if layer == 0:  # every rank has the samples themselves
            yield LayerMap(mine, inputs, (), {})
            continue
        sendings = tuple(_sendings(needs[:, held[rank]], rank))
        receipts = {}
        for source, rows in enumerate(held):
            if needs[rank, rows].any():
                receipts[source] = _receipt(
                    needs[:, rows], rows, inputs, (source, rank)
                )
        yield LayerMap(mine, inputs, sendings, receipts)


def _needs(matrix: Matrix, owners: Owners, ranks: int) -> NDArray[np.bool_]:
    """Return for each rank and input whether one of its neurons has that input."""
    needs = np.zeros((ranks, matrix.shape[1]), np.bool_)
    needs[np.repeat(owners, np.diff(matrix.indptr)), matrix.indices] = True
    return needs


def _narrow(matrix: Matrix, rows: Places, inputs: Places) -> Matrix:
    """Return some rows, with only the columns `inputs`, which are all that they use."""
    chosen = matrix[rows]
    places = np.zeros(matrix.shape[1], np.int32)
    places[inputs] = np.arange(inputs.size, dtype=np.int32)
    return csr_array(
        (chosen.data, places[chosen.indices], chosen.indptr),
        shape=(rows.size, inputs.size),
    )


def _shared(needs: NDArray[np.bool_], source: int) -> Places | None:
    """Return the rows that `source` sends to all in one multicast, if that is better.

    `needs` tells for each rank which rows of `source` it needs.
    """
    others = needs.copy()
    others[source] = False
    counts = np.count_nonzero(others, axis=1)
    dests = np.count_nonzero(counts)
    union = np.flatnonzero(others.any(axis=0)).astype(np.int32)
    return union if dests > 1 and dests * union.size <= WASTE * counts.sum() else None


def _sendings(needs: NDArray[np.bool_], source: int) -> Iterator[Sending]:
    """Yield what `source` sends, given which of its rows each rank needs."""
    dests = [
        dest for dest in np.flatnonzero(needs.any(axis=1)).tolist() if dest != source
    ]
    shared = _shared(needs, source)
    if shared is not None:
        yield Sending(tuple(dests), shared)
        return
    for dest in dests:
        yield Sending((dest,), np.flatnonzero(needs[dest]).astype(np.int32))


def _receipt(
    needs: NDArray[np.bool_], rows: Places, inputs: Places, way: tuple[int, int]
) -> Receipt:
    """Return what the message along `way` (source, dest) brings of `rows`."""
    source, dest = way
    sent = np.arange(rows.size, dtype=np.int32)
    if source != dest:
        shared = _shared(needs, source)
        sent = (
            np.flatnonzero(needs[dest]).astype(np.int32) if shared is None else shared
        )
    taken = np.flatnonzero(needs[dest, sent]).astype(np.int32)
    places = np.searchsorted(inputs, rows[sent[taken]]).astype(np.int32)
    return Receipt(sent.size, taken, places)
