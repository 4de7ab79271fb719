"""The networks of the Sparse DNN Graph Challenge: sizes, rules and an exact generator.

A network has N neurons per layer, each with 32 inputs of weight 1/16. A layer maps the
activations y (one column per sample) to ``min(max(W y + bias, 0), 32)``, where the bias
counts only where ``W y`` is not zero.

Source: Kepner et al., "Sparse Deep Neural Network Graph Challenge", HPEC 2019.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from serverless_dist.errors import UsageError

Matrix: TypeAlias = "csr_array[np.float32, tuple[int, int]]"
"""The weights of one layer: outputs x inputs."""

BIASES = MappingProxyType({1024: -0.3, 4096: -0.35, 16384: -0.4, 65536: -0.45})
"""The bias of every neuron, by neurons per layer."""

LIMIT = 32.0  # activations are cut off here
WEIGHT = 1 / 16
FAN_IN = 32  # weights per output, and per input
MAX_LAYERS = 1920  # the deepest official network
_COPIES = 16  # each input of the small graph behind a layer stands for so many


class Network(Protocol):
    """A network whose layers can be read in order."""

    @property
    def neurons(self) -> int:
        """The neurons per layer."""
        ...

    @property
    def layers(self) -> int:
        """The number of layers."""
        ...

    def matrices(self) -> Iterator[Matrix]:
        """Yield the weights of each layer, the first one first."""
        ...


def check_sizes(neurons: int, layers: int) -> None:
    """Raise a `UsageError` unless the challenge has such networks."""
    if neurons not in BIASES:
        known = ", ".join(map(str, BIASES))
        msg = f"there is no network of {neurons} neurons: choose one of {known}"
        raise UsageError(msg)
    if not 1 <= layers <= MAX_LAYERS:
        msg = f"a network of {layers} layers is not offered: choose 1 to {MAX_LAYERS}"
        raise UsageError(msg)


@dataclass(frozen=True, slots=True)
class GeneratedNetwork:
    """A network made by the challenge's construction, layer by layer as it is read.

    With n = N/16 and b = log2 n, layer k of the first b layers is the Kronecker product
    of ones (16 x 16) and ``I + roll(I, -2**(k - 1), axis=1)`` (n x n). All later layers
    repeat those, with inputs and outputs renumbered at random. The renumbering decides
    nothing: every seed gives the categories of the official network.

    Parameters
    ----------
    neurons
        One of 1024, 4096, 16384, 65536.
    layers
        From 1 to 1920; the official ones have 120, 480 or 1920.
    seed
        Chooses the renumbering of each layer.

    Examples
    --------
    >>> first, second = GeneratedNetwork(1024, layers=2).matrices()
    >>> first.shape, first.nnz, float(first.max())
    ((1024, 1024), 32768, 0.0625)
    """

    neurons: int
    layers: int
    seed: int = 0

    def __post_init__(self) -> None:
        check_sizes(self.neurons, self.layers)

    def matrices(self) -> Iterator[Matrix]:
        """Yield the weights of each layer; equal seeds give equal layers."""
        count = self.neurons * FAN_IN
        weights = np.full(count, WEIGHT, np.float32)  # shared by all layers
        starts = np.arange(0, count + 1, FAN_IN, dtype=np.int32)
        shape = (self.neurons, self.neurons)
        for layer in range(self.layers):
            inputs = self._inputs(layer)
            yield csr_array((weights, inputs.ravel(), starts), shape=shape)

    def _inputs(self, layer: int) -> NDArray[np.int32]:
        """Return the inputs of each output: an array N x 32."""
        small = self.neurons // _COPIES
        depth = small.bit_length() - 1  # small is a power of two
        outputs = np.arange(self.neurons, dtype=np.int32)
        renumber = outputs
        if layer >= depth:
            random = np.random.default_rng((self.seed, layer))
            outputs, renumber = random.permutation(outputs), random.permutation(outputs)
        step = 1 << (layer % depth)
        pair = np.stack([outputs % small, (outputs + step) % small], axis=1)
        copies = np.arange(0, self.neurons, small, dtype=np.int32)
        inputs: NDArray[np.int32] = pair[:, :, np.newaxis] + copies
        return renumber[inputs.reshape(-1, FAN_IN)]
