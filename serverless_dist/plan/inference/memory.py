"""What a function of an inference holds, and why it may not do.

The sizes are those of `serverless_dist.inference`: the weights of all its layers as
CSR, the inputs as bits, and activations as float32 without the samples that have died.
Nothing lies in /tmp, so its 10,240 MB do not matter.
"""

from dataclasses import dataclass

from serverless_dist.cloud.limits import (
    LAMBDA_CONCURRENCY,
    LAMBDA_MEMORY_MB,
    LAMBDA_TIMEOUT,
)
from serverless_dist.plan.inference.kernels import Kernel
from serverless_dist.plan.inference.shapes import Shape

_MB = 2**20
_FLOAT = 4
_CHUNKS = 3.3  # arrays of a chunk that a product takes at a time; measured: 2.7 to 3.3


@dataclass(frozen=True, slots=True)
class Held:
    """What one function holds at most, in MB.

    Attributes
    ----------
    base, weights, inputs, activations
        The parts.
    """

    base: float
    weights: float
    inputs: float
    activations: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.base + self.weights + self.inputs + self.activations

    def __str__(self) -> str:
        return (
            f"{self.total:,.0f} MB of memory (weights {self.weights:,.0f}, activations"
            f" {self.activations:,.0f}, inputs {self.inputs:,.0f}, Python and libraries"
            f" {self.base:,.0f})"
        )


def held(
    shape: Shape,
    kernel: Kernel,
    *,
    rows: float,
    layers: float,
    samples: float,
    batch: float,
) -> Held:
    """Return what a function holds that has some rows of some layers.

    Parameters
    ----------
    shape, kernel
        The network, and how it is computed.
    rows
        Neurons of each layer.
    layers
        Layers.
    samples
        Those whose inputs it has; 0 if it has none.
    batch
        Those that it computes at a time.
    """
    weights = rows * layers * (shape.edges_per_row * shape.bytes_per_edge + 4)
    living = shape.behind(0).live
    blocks = rows * batch * (1 + living)
    chunks = _CHUNKS * shape.neurons * min(batch, kernel.chunk)
    come = 0.0
    if rows < shape.neurons:  # what others send, unpacked and then one below the other
        ranks = shape.neurons / rows
        distinct = ranks * shape.behind(0).distinct_rows(rows, shape.neurons)
        come = 2 * min(float(shape.neurons), distinct) * batch * living
    return Held(
        base=kernel.base_mb,
        weights=weights / _MB,
        inputs=samples * shape.neurons / 8 / _MB,
        activations=_FLOAT * (blocks + chunks + come) / _MB,
    )


def refusal(holds: Held, memory_mb: int, *, ranks: int, seconds: float) -> str | None:
    """Return why functions of that size cannot do it, and what would be needed.

    Parameters
    ----------
    holds
        What one of them holds.
    memory_mb
        Their size.
    ranks
        How many run at a time.
    seconds
        How long the one runs that runs longest.
    """
    most = LAMBDA_MEMORY_MB[1]
    if holds.total > memory_mb:
        limit = f"a function has at most {most:,}" if memory_mb == most else ""
        return f"needs {holds}: {limit or f'it has {memory_mb:,}'}"
    if ranks > LAMBDA_CONCURRENCY:
        return (
            f"needs {ranks:,} functions at a time: an account has"
            f" {LAMBDA_CONCURRENCY:,} unless its quota is raised"
        )
    if seconds > LAMBDA_TIMEOUT:
        return (
            f"runs for {seconds:,.0f} s: a function is ended after"
            f" {LAMBDA_TIMEOUT:.0f}; use more of them"
        )
    return None
