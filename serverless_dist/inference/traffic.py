"""What the ranks of a rows split send each other: the sums of what `maps` works out.

A rank's map has every row of every message. A plan asks for the averages alone, and for
many numbers of ranks, so they are counted here for all ranks at once.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from serverless_dist.inference.maps import WASTE
from serverless_dist.inference.network import Matrix, Network
from serverless_dist.inference.partition import contiguous
from serverless_dist.plan.inference import Traffic


def layer_traffic(network: Network, ranks: int) -> Iterator[tuple[Traffic, ...]]:
    """Yield what each kind of rank sends before each layer from the second on.

    Parameters
    ----------
    network
        Where the weights come from.
    ranks
        How many ranks have neighbouring rows each.

    Examples
    --------
    >>> from serverless_dist.inference.network import GeneratedNetwork
    >>> next(layer_traffic(GeneratedNetwork(1024, layers=2), ranks=8))
    (Traffic(share=1.0, messages=1.0, dests=7.0, rows=128.0),)
    """
    owners = contiguous(network.neurons, ranks)
    starts = np.searchsorted(owners, np.arange(ranks))
    matrices = network.matrices()
    next(matrices)  # every rank has the samples themselves
    for matrix in matrices:
        yield _traffic(_needs(matrix, owners, ranks), owners, starts)


def _needs(matrix: Matrix, owners: NDArray[np.int32], ranks: int) -> NDArray[np.bool_]:
    """Return for each rank and input whether others' neurons are its inputs."""
    needs = np.zeros((ranks, matrix.shape[1]), np.bool_)
    needs[np.repeat(owners, np.diff(matrix.indptr)), matrix.indices] = True
    needs[owners, np.arange(owners.size)] = False  # its own it has
    return needs


def _traffic(
    needs: NDArray[np.bool_], owners: NDArray[np.int32], starts: NDArray[np.intp]
) -> tuple[Traffic, ...]:
    """Tell ranks that send one message to all from those that send one to each."""
    rows = np.add.reduceat(needs, starts, axis=1, dtype=np.int32)  # dests x sources
    dests = np.count_nonzero(rows, axis=0)
    union = np.add.reduceat(needs.any(axis=0), starts, dtype=np.int32)
    needed = rows.sum(axis=0)
    is_shared = (dests > 1) & (dests * union <= WASTE * needed)
    messages = np.where(is_shared, 1, dests)
    sent = np.where(is_shared, union, needed)
    kinds = []
    for mine in (is_shared & (messages > 0), ~is_shared & (messages > 0)):
        if mine.any():
            total = int(messages[mine].sum())
            kinds.append(
                Traffic(
                    share=round(float(mine.mean()), 6),
                    messages=round(float(messages[mine].mean()), 3),
                    dests=round(int(dests[mine].sum()) / total, 3),
                    rows=round(int(sent[mine].sum()) / total, 3),
                )
            )
    return tuple(kinds)
