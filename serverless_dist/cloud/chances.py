"""Random times and events, the same for the same seed."""

import math

import numpy as np

from serverless_dist.cloud.latency import Latency

_BLOCK = 4_096  # drawn at once: one at a time takes twenty times as long


class Chances:
    """What is left to chance in a simulated cloud.

    >>> Chances(7).draw(Latency(0.010, 0.005, 0.0))
    0.015
    """

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)
        self._normals: list[float] = []
        self._shares: list[float] = []

    def draw(self, latency: Latency) -> float:
        """Return the seconds of one case."""
        if not self._normals:
            self._normals = self._generator.standard_normal(_BLOCK).tolist()
        z = self._normals.pop()
        return latency.floor + latency.median * math.exp(latency.sigma * z)

    def happens(self, share: float) -> bool:
        """Return whether something happens that does in this share of cases."""
        if not self._shares:
            self._shares = self._generator.random(_BLOCK).tolist()
        return self._shares.pop() < share
