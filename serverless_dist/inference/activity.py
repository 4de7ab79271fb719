"""What the challenge's networks do to their inputs, counted by running them.

``benchmarks/challenge_activity.py`` has made the files: this package's own network on
its own inputs, with its own code. The network of 65,536 neurons was run on 2,000
samples, the smaller ones on 4,000 or 10,000.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from serverless_dist.errors import DataFileError
from serverless_dist.inference.network import FAN_IN, GeneratedNetwork, check_sizes
from serverless_dist.inference.traffic import layer_traffic
from serverless_dist.plan.inference import LayerActivity, Shape, Traffic


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
    known = _traffic_of(values)

    @cache
    def traffic(ranks: int) -> Sequence[Sequence[Traffic]]:
        return known.get(ranks) or count_traffic(neurons, ranks)

    return Shape(
        neurons, layers, samples, _activity_of(values), traffic, edges_per_row=FAN_IN
    )


def read_shape(path: Path, layers: int, samples: int) -> Shape:
    """Return a network of which a file says what its layers do to samples.

    Parameters
    ----------
    path
        JSON like ``serverless_dist/inference/data/activity-1024.json``: ``neurons``,
        ``parts``, ``layers`` and, if the network has other than 32 edges a row,
        ``edges_per_row``. Without ``traffic`` each rank sends all its rows to all.
    layers, samples
        How many the network has, and how many go through it.

    Raises
    ------
    DataFileError
        The file is missing or malformed.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        neurons = int(values["neurons"])
        activity = _activity_of(values)
        known = _traffic_of(values)
        edges = int(values.get("edges_per_row", FAN_IN))
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}"
        raise DataFileError(msg) from error
    except KeyError as error:
        msg = f"{path} does not say what layers do to samples: it has no {error}"
        raise DataFileError(msg) from error
    except (AttributeError, TypeError, ValueError, ZeroDivisionError) as error:
        msg = f"{path} does not say what layers do to samples: {error}"
        raise DataFileError(msg) from error

    def traffic(ranks: int) -> Sequence[Sequence[Traffic]]:
        return known.get(ranks) or ((Traffic(1.0, 1.0, ranks - 1.0, neurons / ranks),),)

    return Shape(neurons, layers, samples, activity, traffic, edges_per_row=edges)


def _activity_of(values: Mapping[str, Any]) -> tuple[LayerActivity, ...]:
    blocks = tuple(values["neurons"] / part for part in values["parts"])
    return tuple(
        LayerActivity(
            live=float(each["live"]),
            distinct=float(each["distinct"]),
            blocks=blocks,
            fixed=tuple(each["fixed"]),
            per_sample=tuple(each["per_sample"]),
        )
        for each in values["layers"]
    )


def _traffic_of(
    values: Mapping[str, Any],
) -> dict[int, tuple[tuple[Traffic, ...], ...]]:
    return {
        int(ranks): tuple(
            tuple(Traffic(*map(float, kind)) for kind in kinds) for kinds in layers
        )
        for ranks, layers in values.get("traffic", {}).items()
    }


def count_traffic(neurons: int, ranks: int) -> Sequence[Sequence[Traffic]]:
    """Return what ranks send before each layer, up to the first renumbered one.

    The layers behind that one are like it: all of them are renumbered at random.
    """
    ordered = (neurons // 16).bit_length() - 1  # layers that are not renumbered
    return tuple(layer_traffic(GeneratedNetwork(neurons, ordered + 1), ranks))


def _load(neurons: int) -> dict[str, Any]:
    name = f"activity-{neurons}.json"
    resource = files("serverless_dist.inference") / "data" / name
    values: dict[str, Any] = json.loads(resource.read_text())
    return values
