"""How fast a function computes, and what it needs besides its data: measured numbers.

All were measured in November 2026 on one core of an AMD EPYC with numpy 2, scipy 1.16
and CPython 3.11, running this package's own inference on the challenge's networks
(``benchmarks/inference.py`` measures the whole). A vCPU of Lambda may be slower: give
`edges_per_second` what your functions do.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kernel:
    """What one vCPU does, and what a function holds before it has any data.

    Attributes
    ----------
    edges_per_second
        Weights times samples multiplied in a second: 2.2e9 with 4,096 neurons or more;
        4.7e9 with 1,024, whose activations stay in the cache. Dense activations, scipy
        CSR, one thread.
    edge_seconds
        For each weight of a layer, once a batch: the matrix is pointed at the rows.
    layer_seconds
        For each layer, once a batch.
    prepare_seconds
        For each weight that is loaded.
    pack_values, unpack_values
        Activations packed and distinct activations unpacked in a second.
    base_mb
        Python, numpy, scipy, boto3 with three clients, this package: 80 MB; and what
        Lambda's own runtime takes, and air.
    chunk
        Samples that are multiplied at a time: what `inference.layer` takes.
    """

    edges_per_second: float = 2.2e9
    edge_seconds: float = 3e-9
    layer_seconds: float = 1.5e-4
    prepare_seconds: float = 17e-9
    pack_values: float = 5e7
    unpack_values: float = 1.3e8
    base_mb: float = 120.0
    chunk: int = 1_024
