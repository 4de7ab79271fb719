"""What the published code costs a processor, and how its cloud differs from ours.

None of it was published. Each number is one for all experiments, fitted by
`validation_fit` to half of them.
"""

from dataclasses import dataclass

from serverless_dist.cloud.latency import US_EAST_1

# Edges times values a second of a vCPU that scipy 1.16's CSR product takes at these
# shapes: 116 to 295 million, measured 2026-11.
PRODUCT_RATE = 150e6
# Processor seconds for a byte of SNS's query protocol with text that is quoted: 150 ms
# for 1 MiB, boto3 1.44, measured 2026-11.
PUBLISHED_BYTE = 0.15e-6
EDGE_BYTES = 12  # of a model file, in memory: three arrays of a CSR matrix


@dataclass(frozen=True, slots=True)
class Effort:
    """What the published code costs a worker's processor: seconds of one vCPU.

    Attributes
    ----------
    request
        For a request of boto3, with its thread, TLS and answer.
    message
        For a message from a queue, to be taken apart and handed to a thread.
    value
        For a value to be packed and sent, and again to be received and unpacked: to
        slice, stack and shrink it, and to write and read it as text.
    edge
        For an edge of the model to be read.
    seen
        No effort: the share of the messages in a queue that a poll sees.
    jitter
        No effort: how unequally fast processors are from layer to layer, as the
        standard deviation of a logarithm.
    """

    request: float
    message: float
    value: float
    edge: float
    seen: float
    jitter: float


FITTED = Effort(
    request=4.4e-3, message=8.9e-3, value=0.178e-6, edge=4.5e-6, seen=0.52, jitter=0.27
)
"""Fitted to half of the experiments; see `validation_fit`."""

BARE = Effort(
    request=US_EAST_1.request_cpu,
    message=0.0,
    value=0.0,
    edge=0.0,
    seen=1.0,
    jitter=0.0,
)
"""What is known without a fit: our own SDK's request, and nothing else."""
