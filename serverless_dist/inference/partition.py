"""Which rank computes which neurons: the same neurons in every layer."""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from serverless_dist.errors import UsageError

Owners = NDArray[np.int32]
"""The rank of each neuron."""


class Partition(StrEnum):
    """A way to deal the neurons out; all ranks get equally many, or one more."""

    CONTIGUOUS = "contiguous"
    RANDOM = "random"

    def owners(self, neurons: int, ranks: int, seed: int = 0) -> Owners:
        """Return the rank of each neuron.

        Parameters
        ----------
        neurons
            The number of neurons.
        ranks
            The number of ranks; each gets at least one neuron.
        seed
            Chooses the random partition; others do not depend on it.

        Examples
        --------
        >>> Partition.CONTIGUOUS.owners(5, ranks=2).tolist()
        [0, 0, 0, 1, 1]
        """
        if self is Partition.RANDOM:
            return random(neurons, ranks, seed)
        return contiguous(neurons, ranks)


def contiguous(neurons: int, ranks: int) -> Owners:
    """Give each rank neighbouring neurons."""
    if not 1 <= ranks <= neurons:
        msg = (
            f"{neurons} neurons cannot be split over {ranks} ranks: use 1 to {neurons}"
        )
        raise UsageError(msg)
    shares = np.full(ranks, neurons // ranks)
    shares[: neurons % ranks] += 1
    return np.repeat(np.arange(ranks, dtype=np.int32), shares)


def random(neurons: int, ranks: int, seed: int) -> Owners:
    """Give each rank neurons drawn at random."""
    return np.random.default_rng(seed).permutation(contiguous(neurons, ranks))
