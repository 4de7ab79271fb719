"""Inputs that come with the package: MNIST digits in the challenge's form.

``data/README.md`` tells where they come from and how the files are laid out.
"""

import lzma
from importlib.resources import files

import numpy as np

from serverless_dist.errors import UsageError
from serverless_dist.inference.challenge import Bits
from serverless_dist.inference.network import check_sizes

SHIPPED = 10_000
"""The inputs that the package has for each number of neurons."""


def load_inputs(neurons: int, samples: int = SHIPPED) -> Bits:
    """Return the first `samples` of the inputs that come with the package.

    >>> load_inputs(1024, samples=5).shape
    (5, 128)
    """
    check_sizes(neurons, layers=1)
    if not 1 <= samples <= SHIPPED:
        msg = f"{samples} samples are not there: ask for 1 to {SHIPPED}, or give files"
        raise UsageError(msg)
    side = int(neurons**0.5)
    resource = files("serverless_dist.inference") / "data" / f"inputs-{neurons}.xz"
    with resource.open("rb") as packed, lzma.open(packed) as unpacked:
        data = unpacked.read(samples * neurons // 8)
    planes = np.frombuffer(data, np.uint8).reshape(samples, side // 8, side)
    columns = np.bitwise_xor.accumulate(planes, axis=2).transpose(0, 2, 1)
    return columns.reshape(samples, -1)
