"""What is to be inferred, as numbers: a layered sparse network and what it does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np

from serverless_dist.errors import UsageError


@dataclass(frozen=True)
class LayerActivity:
    """What there is behind a layer.

    Attributes
    ----------
    live
        The share of the samples with an activation that is not zero.
    distinct
        The share of the neurons whose activations equal those of none before them.
    blocks
        Sizes of blocks of rows, descending.
    fixed, per_sample
        The bytes of a packed block of each size: those, and so many for each sample.
    """

    live: float
    distinct: float
    blocks: tuple[float, ...]
    fixed: tuple[float, ...]
    per_sample: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("live", "distinct"):
            share = getattr(self, name)
            if not 0 <= share <= 1:
                msg = f"the share {name} behind a layer is {share}: it is from 0 to 1"
                raise UsageError(msg)
        if not len(self.blocks) == len(self.fixed) == len(self.per_sample) > 0:
            msg = "the activity behind a layer needs two numbers for each size of block"
            raise UsageError(msg)

    def packed(self, rows: float, samples: float) -> float:
        """Return the bytes of so many rows of so many samples, packed."""
        least = self.blocks[-1]
        inside = max(rows, least)
        sizes = np.log(self.blocks[::-1])
        fixed = np.interp(np.log(inside), sizes, self.fixed[::-1])
        slopes = np.log(np.maximum(self.per_sample[::-1], 1e-9))
        slope = np.exp(np.interp(np.log(inside), sizes, slopes))
        return float(fixed + slope * samples * min(1.0, rows / least))

    def distinct_rows(self, rows: float, neurons: int) -> float:
        """Return how many of `rows` neurons, drawn at random, differ."""
        distinct = max(self.distinct, 1 / neurons)
        alike = 1 / distinct  # neurons that are equal to each other
        missing: float = (1 - rows / neurons) ** alike
        return max(1.0, min(rows, neurons * distinct * (1 - missing)))


@dataclass(frozen=True, slots=True)
class Traffic:
    """What ranks of a rows split that send alike send before a layer, on average.

    Attributes
    ----------
    share
        The share of all ranks that they are.
    messages
        How many different messages.
    dests
        The ranks that each is for.
    rows
        The rows in each.
    """

    share: float
    messages: float
    dests: float
    rows: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """Layers that follow each other and are alike.

    Attributes
    ----------
    first, count
        The first of them, from 0, and how many.
    before, behind
        What there is before and behind each; None before the first of all.
    """

    first: int
    count: int
    before: LayerActivity | None
    behind: LayerActivity

    @property
    def live(self) -> float:
        """The share of the samples that go into a layer."""
        return 1.0 if self.before is None else self.before.live


@dataclass(frozen=True)
class Shape:
    """A layered sparse network, and how many samples go through it.

    Attributes
    ----------
    neurons, layers, samples
        Its sizes.
    edges_per_row
        Weights of each neuron.
    bytes_per_edge
        A weight in memory and in S3: value and place.
    activity
        What there is behind each layer; behind those not listed as behind the last.
    traffic
        Given a number of ranks, what each kind of them sends before each layer from
        the second on; later layers are like the last.
    """

    neurons: int
    layers: int
    samples: int
    activity: tuple[LayerActivity, ...]
    traffic: Callable[[int], Sequence[Sequence[Traffic]]]
    edges_per_row: int = 32
    bytes_per_edge: int = 8

    def __post_init__(self) -> None:
        for name in ("neurons", "layers", "samples", "edges_per_row", "bytes_per_edge"):
            number = getattr(self, name)
            if number < 1:
                msg = f"{number} {name.replace('_', ' ')} cannot be: use 1 or more"
                raise UsageError(msg)
        if not self.activity:
            msg = "a network needs the activity behind at least one layer"
            raise UsageError(msg)

    @property
    def edges(self) -> int:
        """The weights of one layer."""
        return self.neurons * self.edges_per_row

    def behind(self, layer: int) -> LayerActivity:
        """Return what there is behind a layer, counted from 0."""
        return self.activity[min(layer, len(self.activity) - 1)]

    @cached_property
    def stretches(self) -> tuple[Stretch, ...]:
        """All layers in order, those that are alike together."""
        last = len(self.activity)
        found = []
        for _, group in groupby(range(self.layers), key=lambda k: min(k, last)):
            layers = list(group)
            first = layers[0]
            before = self.behind(first - 1) if first else None
            found.append(Stretch(first, len(layers), before, self.behind(first)))
        return tuple(found)
