"""What the challenge's networks do to their inputs, counted by running them.

``benchmarks/challenge_activity.py`` has made the files: this package's own network on
its own inputs, with its own code. The network of 65,536 neurons was run on 2,000
samples, the smaller ones on 4,000 or 10,000.
"""

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from serverless_dist.inference.network import FAN_IN, GeneratedNetwork, check_sizes
from serverless_dist.inference.traffic import layer_traffic
from serverless_dist.plan.shapes import LayerActivity, Shape, Traffic


def challenge_shape(neurons: int, layers: int, samples: int) -> Shape:
    """Return a network of the challenge as a plan wants to know it.

    Parameters
    ----------
    neurons, layers
        Its sizes; what is not in the challenge is a `UsageError`.
    samples
        How many go through it.

    Examples
    --------
    >>> shape = challenge_shape(1024, layers=120, samples=10_000)
    >>> round(shape.behind(119).live, 3)
    0.034
    """
    check_sizes(neurons, layers)
    values = _load(neurons)
    blocks = tuple(neurons // part for part in values["parts"])
    activity = tuple(
        LayerActivity(
            live=each["live"],
            nonzero=each["nonzero"],
            distinct=each["distinct"],
            blocks=blocks,
            fixed=tuple(each["fixed"]),
            per_sample=tuple(each["per_sample"]),
        )
        for each in values["layers"]
    )

    @cache
    def traffic(ranks: int) -> Sequence[Traffic]:
        known = values["traffic"].get(str(ranks))
        if known is not None:
            return tuple(Traffic(*each) for each in known)
        return count_traffic(neurons, ranks)

    return Shape(neurons, layers, samples, activity, traffic, edges_per_row=FAN_IN)


def count_traffic(neurons: int, ranks: int) -> Sequence[Traffic]:
    """Return what a rank sends before each layer, up to the first renumbered one.

    The layers behind that one are like it: all of them are renumbered at random.
    """
    ordered = (neurons // 16).bit_length() - 1  # layers that are not renumbered
    return tuple(layer_traffic(GeneratedNetwork(neurons, ordered + 1), ranks))


def _load(neurons: int) -> dict[str, Any]:
    name = f"activity-{neurons}.json"
    resource = files("serverless_dist.inference") / "data" / name
    values: dict[str, Any] = json.loads(resource.read_text())
    return values
