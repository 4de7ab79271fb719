"""Count what the published system had to send in each layer, for the validation.

    python benchmarks/validation_activity.py 1024 --part 10000
    python benchmarks/validation_activity.py 65536 --part 500     # some minutes, 4 GB

Runs 10,000 of the package's inputs through the package's own network and looks at what
goes into each layer: how many values of a row are not zero, and how many bytes of text
a message becomes as the published system encodes it: row, column and value, in single
precision for queues and in double precision for objects, zlib level 3, written out as
Python writes bytes. The first row of a message takes more than the others, which
mostly repeat its columns. Writes ``benchmarks/published/activity-<N>.json``, up to the
layer from which on every value is the limit and nothing changes any more.
"""

import argparse
import json
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from serverless_dist.inference import GeneratedNetwork, load_inputs
from serverless_dist.inference.layer import Block, first_layer, next_layer
from serverless_dist.inference.maps import LayerMap, map_layers
from serverless_dist.inference.network import BIASES
from serverless_dist.inference.rows import Rows

FOLDER = Path(__file__).parent / "published"
SAMPLES = 10_000
LAYERS = 40  # looked at; nothing changes after 26
ROWS = 64  # of a message whose size is measured
SINGLES = 8  # of them are measured alone, too
LIMIT = np.float32(32)

Values = NDArray[np.float32]


def text_size(values: Values, start: int, kind: DTypeLike) -> int:
    """Return how many bytes of text a block of rows becomes."""
    rows, columns = np.nonzero(values)
    triples = np.vstack(
        [array.astype(kind) for array in (rows + start, columns, values[rows, columns])]
    )
    return len(repr(zlib.compress(triples.tobytes(), 3)))


class Tally:
    """What goes into one layer, added up over parts of the samples."""

    def __init__(self, neurons: int) -> None:
        self._starts = (0, neurons // 2 - ROWS // 2, neurons - ROWS)
        self._neurons = neurons
        self._nonzeros = 0
        self._blocks: list[list[Values]] = [[] for _ in self._starts]
        self.is_settled = True

    def add(self, values: Values, samples: NDArray[np.integer], part: int) -> None:
        """Take in the values of `part` more samples, of which some are alive."""
        self._nonzeros += int(np.count_nonzero(values))
        self.is_settled &= bool((values == LIMIT).all())
        for start, blocks in zip(self._starts, self._blocks, strict=True):
            block = np.zeros((ROWS, part), np.float32)
            block[:, samples] = values[start : start + ROWS]
            blocks.append(block)

    def describe(self) -> dict[str, float]:
        """Return the values of a row, and the bytes of a first and a further one."""
        blocks = [np.hstack(parts) for parts in self._blocks]
        described = {"nonzeros": round(self._nonzeros / self._neurons, 2)}
        # The rows that are looked at may have more values than others.
        seen = sum(int(np.count_nonzero(block)) for block in blocks)
        scale = described["nonzeros"] * ROWS * len(blocks) / seen
        for channel, kind in (("queue", np.float32), ("object", np.float64)):
            first, whole = 0.0, 0.0
            for start, block in zip(self._starts, blocks, strict=True):
                whole += text_size(block, start, kind)
                singles = range(0, ROWS, ROWS // SINGLES)
                sizes = [text_size(block[[k]], start + k, kind) for k in singles]
                first += sum(sizes) / len(sizes)
            more = (whole - first) / (ROWS - 1)
            described[f"{channel}_first"] = round(scale * first / len(blocks), 1)
            described[f"{channel}_more"] = round(scale * more / len(blocks), 1)
        return described


def run_part(
    maps: list[LayerMap], bits: NDArray[np.uint8], tallies: list[Tally]
) -> None:
    """Let some samples go through the network."""
    neurons, part = bits.shape[1] * 8, len(bits)
    pixels = np.ascontiguousarray(np.unpackbits(bits, axis=1).T, np.float32)
    tallies[0].add(pixels, np.arange(part), part)
    block: Block | None = None
    for layer, tally in zip(maps, tallies[1:], strict=False):
        if block is None:
            block = first_layer(layer, bits, BIASES[neurons])
        else:
            own = Rows(block.samples, block.values, np.arange(neurons))
            block = next_layer(layer, [(layer.receipts[0], own)], BIASES[neurons])
        tally.add(block.values, block.samples, part)


def measure(neurons: int, part: int) -> list[dict[str, float]]:
    """Return what goes into each layer, up to where it stays the same."""
    owners = np.zeros(neurons, np.int32)
    maps = list(map_layers(GeneratedNetwork(neurons, LAYERS), owners, 0))
    tallies = [Tally(neurons) for _ in range(LAYERS)]
    inputs = load_inputs(neurons, SAMPLES)
    for start in range(0, SAMPLES, part):
        run_part(maps, inputs[start : start + part], tallies)
        print(f"{start + part} samples", flush=True)
    settled = next(k for k in range(1, LAYERS) if tallies[k].is_settled)
    return [tally.describe() for tally in tallies[: settled + 1]]


def main() -> None:
    """Measure one network and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("neurons", type=int)
    parser.add_argument("--part", type=int, default=SAMPLES, help="samples at a time")
    arguments = parser.parse_args()
    layers = measure(arguments.neurons, arguments.part)
    path = FOLDER / f"activity-{arguments.neurons}.json"
    lines = ",\n ".join(json.dumps(layer) for layer in layers)
    path.write_text(f"[{lines}]\n")
    print(f"wrote {path}: {len(layers)} layers")


if __name__ == "__main__":
    main()
