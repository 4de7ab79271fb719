"""What each worker of the published system sends to whom in each layer.

From the network, which is public, and two published totals of each experiment: how
many pairs of workers talked, and how many bytes they sent. How they are spread over
layers and pairs was not published; the rules here are:

1. A base layer (the first log2(N / 16)) takes each row to its own class of 16 neurons
   and to one other, so that it is sent once. The published bytes of objects leave 3 to
   8 for each row of a later layer. With neurons dealt out at random it is sent equally
   often in all layers.
2. In a later layer all pairs talk, as far as the total allows; what is left of the
   total goes to base layers, evenly. Where it does not suffice, the workers of a base
   layer have `BASE_TARGETS` each.
3. All pairs that talk in a layer send equally many rows, and all rows of a layer have
   equally many values. So nothing is ever sent as "nothing".
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from validation_rows import FOLDER, LAYERS, Row

BASE_TARGETS = 3  # of each worker in a base layer: what the totals leave, 1.4 to 3.9
MAX_BYTES = 259_522  # of one PublishBatch: theirs
MAX_ENTRIES = 10
CAPS = (180_000, 120_000, 40_000)  # values in a message, by range of layers: theirs
SAFE_BYTES = 250_000  # of one message, so that it fits a request with its attributes

# Bytes of a further row of an object in a later layer, over what `validation_activity`
# finds: the rows of a class are equal, and those that a partition keeps together shrink
# each other. From the one experiment whose row transfers are known: N=1024, P=8 sent
# 430,258.
SHRUNK = 0.76


@dataclass(frozen=True, slots=True)
class Exchange:
    """One layer.

    Attributes
    ----------
    targets
        For each worker, to whom it sends.
    sources
        For each worker, from how many it receives.
    sizes
        The bytes of the messages from one worker to another.
    values
        How many values each of them has.
    held, received
        Products of the worker's own rows, and of those that it receives.
    """

    targets: tuple[tuple[int, ...], ...]
    sources: tuple[int, ...]
    sizes: tuple[int, ...]
    values: tuple[int, ...]
    held: float
    received: float


@dataclass(frozen=True, slots=True)
class _Flow:
    """All that is sent in a layer.

    Attributes
    ----------
    pairs, rows
        How many pairs talk, and how many rows they send in all.
    values
        Of a row, that are not zero.
    first, more
        The bytes of the first row of a message, and of a further one.
    """

    pairs: float
    rows: float
    values: float
    first: float
    more: float

    def size(self, rows: float) -> float:
        """Return the bytes of a message of so many rows."""
        return self.first * min(1.0, rows) + self.more * max(0.0, rows - 1)


def plan_exchanges(row: Row, channel: str, seed: int = 0) -> list[Exchange]:
    """Return what is sent in each layer of an experiment.

    How many rows are sent follows from the published bytes of objects. What a row takes
    in a message of a queue follows from the published bytes of queues.

    Parameters
    ----------
    row
        The experiment; its pairs and bytes are taken from what was published.
    channel
        ``"queue"`` or ``"object"``.
    seed
        Of which pairs do not talk in a later layer, if not all do.
    """
    traffic = _trace(row, channel)
    generator = np.random.default_rng(seed)
    exchanges = []
    for layer, flow in enumerate(traffic):
        targets = _targets(row, layer, flow.pairs, generator)
        count = sum(map(len, targets))
        pieces = _cut(flow, flow.rows / count, channel)
        products = 32 * row.neurons / row.workers * flow.values
        held = row.neurons / (row.neurons + flow.rows)
        exchanges.append(
            Exchange(
                targets=targets,
                sources=_sources(targets),
                sizes=tuple(max(1, round(flow.size(piece))) for piece in pieces),
                values=tuple(round(piece * flow.values) for piece in pieces),
                held=products * held,
                received=products * (1 - held),
            )
        )
    return exchanges


def settled_layers(row: Row) -> int:
    """Return after how many layers nothing changes any more: all are alike then."""
    return len(_load_activity(row.neurons))


def sent_rows(row: Row) -> float:
    """Return how many rows are sent in all."""
    return sum(flow.rows for flow in _trace(row, "object"))


def expected_pairs(row: Row) -> int:
    """Return how many pairs talk, from the structure of the network alone."""
    if row.is_random:
        return LAYERS * row.pairs
    base = row.base_layers
    return (LAYERS - base) * row.pairs + base * BASE_TARGETS * row.workers


def _trace(row: Row, channel: str) -> list[_Flow]:
    """Return what is sent in each layer, so that the bytes are those published."""
    base = 0 if row.is_random else row.base_layers
    shrunk = 1.0 if row.is_random else SHRUNK

    def scaled(channel: str, rows: float, more: float) -> list[_Flow]:
        """Let each row of a later layer be sent so often, and take so many bytes."""
        flows = _load_flows(row, channel)
        return flows[:base] + [
            replace(flow, rows=flow.rows * rows, more=flow.more * more)
            for flow in flows[base:]
        ]

    often = _fit(row, "object", lambda rows: scaled("object", rows, shrunk))
    if channel == "object":
        return scaled("object", often, shrunk)
    more = _fit(row, channel, lambda more: scaled(channel, often, more))
    return scaled(channel, often, more)


def _load_activity(neurons: int) -> list[dict[str, float]]:
    path = FOLDER / f"activity-{neurons}.json"
    layers: list[dict[str, float]] = json.loads(path.read_text())
    return layers


def _load_flows(row: Row, channel: str) -> list[_Flow]:
    """Return the layers as if each row was sent once."""
    layers = _load_activity(row.neurons)
    layers += layers[-1:] * (LAYERS - len(layers))
    return [
        _Flow(
            pairs=pairs,
            rows=float(row.neurons),
            values=layer["nonzeros"],
            first=layer[f"{channel}_first"],
            more=layer[f"{channel}_more"],
        )
        for pairs, layer in zip(_pairs(row), layers, strict=True)
    ]


def _pairs(row: Row) -> list[float]:
    """Return how many pairs talk in each layer."""
    total = row.value("object_puts")
    base = row.base_layers
    if row.is_random:
        return [total / LAYERS] * LAYERS
    spared = base * BASE_TARGETS * row.workers
    later = min(row.pairs, (total - spared) / (LAYERS - base))
    left = (total - later * (LAYERS - base)) / base
    return [left] * base + [later] * (LAYERS - base)


def _fit(row: Row, channel: str, flows: Callable[[float], list[_Flow]]) -> float:
    """Return the factor with which the published bytes are sent."""
    nbytes = row.value(f"{channel}_mb") * 1e6
    low, high = 0.0, float(row.workers)
    for _ in range(50):
        middle = (low + high) / 2
        sent = sum(
            flow.pairs
            * sum(map(flow.size, _cut(flow, flow.rows / flow.pairs, channel)))
            for flow in flows(middle)
        )
        low, high = (middle, high) if sent < nbytes else (low, middle)
    return low


def _sources(targets: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
    """Return from how many each worker receives."""
    heard = [target for each in targets for target in each]
    return tuple(np.bincount(heard, minlength=len(targets)).tolist())


def _targets(
    row: Row, layer: int, pairs: float, generator: np.random.Generator
) -> tuple[tuple[int, ...], ...]:
    """Choose to whom each worker sends in a layer."""
    size = row.workers
    # The fraction is made up for over the layers.
    count = round(pairs * (layer + 1)) - round(pairs * layer)
    if layer < row.base_layers and not row.is_random:
        ends = [round(count * (k + 1) / size) for k in range(size)]
        starts = [0, *ends[:-1]]
        return tuple(
            tuple((k + 1 + step) % size for step in range(stop - start))
            for k, (start, stop) in enumerate(zip(starts, ends, strict=True))
        )
    silent = generator.choice(row.pairs, row.pairs - count, replace=False)
    talks = np.ones(row.pairs, bool)
    talks[silent] = False
    # Worker k goes round the others, beginning with the next one.
    return tuple(
        tuple(((k + 1 + np.flatnonzero(steps)) % size).tolist())
        for k, steps in enumerate(talks.reshape(size, size - 1))
    )


def _cut(flow: _Flow, rows: float, channel: str) -> list[float]:
    """Return the rows of each message if so many go from one worker to another."""
    if channel == "object":
        return [rows]
    most = _most_rows(flow)
    full, rest = divmod(rows, most)
    return [most] * int(full) + ([rest] if rest or not full else [])


def _most_rows(flow: _Flow) -> float:
    """Return how many rows a message of a queue has at most.

    Which cap holds for which layers is not published: here it is the largest with
    which a message fits.
    """
    for cap in CAPS:
        rows = max(1.0, cap // flow.values)
        if flow.size(rows) <= SAFE_BYTES:
            return rows
    return max(1.0, (SAFE_BYTES - flow.first) // flow.more)
