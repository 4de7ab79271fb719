"""What to infer: small enough to travel, and each rank loads its part by itself."""

from dataclasses import dataclass
from pathlib import Path

from serverless_dist.errors import UsageError
from serverless_dist.inference.challenge import Bits, ChallengeNetwork, read_inputs
from serverless_dist.inference.inputs import SHIPPED, load_inputs
from serverless_dist.inference.network import GeneratedNetwork, Network, check_sizes
from serverless_dist.inference.partition import Owners, Partition


@dataclass(frozen=True, slots=True)
class Job:
    """A network, its inputs and how the neurons are split over the ranks.

    Parameters
    ----------
    neurons
        Neurons per layer: 1024, 4096, 16384 or 65536.
    layers
        The number of layers, from 1 to 1920.
    samples
        The number of inputs.
    directory
        Where the challenge's files are, on every rank; without it the network is
        generated and the inputs are those of the package.
    partition
        How the neurons are split.
    seed
        For the generated network and the random partition.

    Raises
    ------
    UsageError
        There is no such network or number of inputs.
    """

    neurons: int
    layers: int
    samples: int = SHIPPED
    directory: Path | None = None
    partition: Partition = Partition.CONTIGUOUS
    seed: int = 0

    def __post_init__(self) -> None:
        check_sizes(self.neurons, self.layers)
        if self.seed < 0:
            msg = f"cannot start random numbers from {self.seed}: use a seed from 0"
            raise UsageError(msg)

    def network(self) -> Network:
        """Return the network."""
        if self.directory is None:
            return GeneratedNetwork(self.neurons, self.layers, self.seed)
        return ChallengeNetwork(self.directory, self.neurons, self.layers)

    def inputs(self) -> Bits:
        """Return the inputs as packed bits: samples x neurons/8."""
        if self.directory is None:
            return load_inputs(self.neurons, self.samples)
        return read_inputs(self.directory, self.neurons, self.samples)

    def owners(self, ranks: int) -> Owners:
        """Return the rank of each neuron; too many ranks are a `UsageError`."""
        return self.partition.owners(self.neurons, ranks, self.seed)
