"""Count what the challenge's networks do to their inputs, for plans to reckon with.

    python benchmarks/challenge_activity.py 1024 10000
    python benchmarks/challenge_activity.py 65536 2000

Runs the package's own network on its own inputs with its own code, layer by layer, and
writes ``serverless_dist/inference/data/activity-<N>.json``: for each layer, until
nothing changes any more, the share of the samples alive behind it, the share of their
activations that are not zero, the share of rows that are distinct, and the bytes that
`rows.pack` makes of blocks of neighbouring rows, as a fixed part and one per sample.
Then, for some numbers of ranks, what each sends before a layer: messages, the ranks
that each is for, its rows.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from serverless_dist.inference import GeneratedNetwork, load_inputs
from serverless_dist.inference.activity import count_traffic
from serverless_dist.inference.layer import Block, first_layer, next_layer
from serverless_dist.inference.maps import map_layers
from serverless_dist.inference.network import BIASES
from serverless_dist.inference.rows import Rows, pack

FOLDER = Path(__file__).parent.parent / "serverless_dist" / "inference" / "data"
PARTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # blocks are 1/1 to 1/256 of the rows
BLOCKS = 8  # looked at of each size, at most
LAYERS = 120
RANKS = (2, 4, 8, 16, 20, 32, 42, 62, 128, 256, 512, 1_000)


@dataclass(frozen=True, slots=True)
class Activity:
    """What is there behind a layer."""

    live: float
    distinct: float
    fixed: tuple[int, ...]
    per_sample: tuple[float, ...]


def describe(block: Block, samples: int) -> Activity:
    """Return the activity of a block of all neurons."""
    values = block.values
    rows = len(values)
    distinct = len({row.tobytes() for row in values})
    lines = [packed_sizes(block, samples, rows // part) for part in PARTS]
    return Activity(
        live=round(block.samples.size / samples, 6),
        distinct=round(distinct / rows, 6),
        fixed=tuple(round(fixed) for fixed, _ in lines),
        per_sample=tuple(float(f"{slope:.4g}") for _, slope in lines),
    )


def packed_sizes(block: Block, samples: int, rows: int) -> tuple[float, float]:
    """Return the bytes of a packed block of so many rows: fixed, and per sample."""
    numbers = np.linspace(0, len(block.values) // rows - 1, BLOCKS).astype(int)
    half = samples // 2
    early = int(np.searchsorted(block.samples, half))
    wholes, halves = [], []
    for start in sorted({number * rows for number in numbers.tolist()}):
        some = np.ascontiguousarray(block.values[start : start + rows])
        wholes.append(len(pack(some, block.samples, samples)))
        less = np.ascontiguousarray(some[:, :early])
        halves.append(len(pack(less, block.samples[:early], half)))
    whole, part = float(np.mean(wholes)), float(np.mean(halves))
    # A block whose size does not grow with the samples is told by its size alone.
    slope = min(whole / samples, max(0.0, (whole - part) / (samples - half)))
    return whole - slope * samples, slope


def measure(neurons: int, samples: int) -> list[Activity]:
    """Return the activity behind each layer, up to where it stays the same."""
    network = GeneratedNetwork(neurons, LAYERS)
    owners = np.zeros(neurons, np.int32)
    block = None
    found: list[Activity] = []
    for layer in map_layers(network, owners, 0):
        if block is None:
            block = first_layer(layer, load_inputs(neurons, samples), BIASES[neurons])
        else:
            own = Rows(block.samples, block.values, np.arange(neurons))
            block = next_layer(layer, [(layer.receipts[0], own)], BIASES[neurons])
        found.append(describe(block, samples))
        print(len(found), found[-1], flush=True)
        if len(found) > 3 and found[-1] == found[-2] == found[-3]:
            return found[:-2]
    return found


def counted(neurons: int, ranks: int) -> list[list[tuple[float, ...]]]:
    """Return what each kind of rank sends before each layer."""
    return [
        [(kind.share, kind.messages, kind.dests, kind.rows) for kind in kinds]
        for kinds in count_traffic(neurons, ranks)
    ]


def compact(values: dict[str, object]) -> str:
    """Return JSON with a line for each layer and each number of ranks."""
    lines = []
    for name, value in values.items():
        if isinstance(value, list) and isinstance(value[0], dict):
            inner = ",\n".join("  " + json.dumps(each) for each in value)
            lines.append(f" {json.dumps(name)}: [\n{inner}\n ]")
        elif isinstance(value, dict):
            inner = ",\n".join(
                f'  "{key}": {json.dumps(each)}' for key, each in value.items()
            )
            lines.append(f" {json.dumps(name)}: {{\n{inner}\n }}")
        else:
            lines.append(f" {json.dumps(name)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> None:
    """Measure one network and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("neurons", type=int)
    parser.add_argument("samples", type=int)
    arguments = parser.parse_args()
    found = measure(arguments.neurons, arguments.samples)
    values = {
        "neurons": arguments.neurons,
        "samples": arguments.samples,
        "parts": PARTS,
        "layers": [asdict(each) for each in found],
        "traffic": {ranks: counted(arguments.neurons, ranks) for ranks in RANKS},
    }
    path = FOLDER / f"activity-{arguments.neurons}.json"
    path.write_text(compact(values))
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
