"""The official files of the challenge, and compact arrays of the same.

Official, numbers from 1: ``n<N>-l<k>.tsv`` with a line ``input output weight`` per
weight, in a folder ``neuron<N>`` or not; ``sparse-images-<N>.tsv`` with a line
``image pixel 1`` per bright pixel; ``neuron<N>-l<L>-categories.tsv`` with a line per
image that has a category.

Compact, numbers from 0: ``graphchallenge-<N>x<L>-weights.npz`` with arrays ``rows``
(inputs) and ``cols`` (outputs), layers x weights, every weight being 1/16;
``graphchallenge-<N>-images-<S>.npz`` with ``bits``, images x packed pixels;
``graphchallenge-<N>x<L>-categories.tsv``. Official files go first where both are.
"""

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from serverless_dist.errors import DataFileError, UsageError
from serverless_dist.inference.network import FAN_IN, WEIGHT, Matrix, check_sizes
from serverless_dist.inference.tables import read_table

Bits = NDArray[np.uint8]
"""Samples as packed bits: samples x neurons/8."""

_MANY = 1 << 31  # more images than any file has


@dataclass(frozen=True, slots=True)
class ChallengeNetwork:
    """A network in files, read again each time that its layers are.

    Parameters
    ----------
    directory
        Where the files are.
    neurons, layers
        Which network, and how many layers of it.
    """

    directory: Path
    neurons: int
    layers: int

    def __post_init__(self) -> None:
        check_sizes(self.neurons, self.layers)

    def matrices(self) -> Iterator[Matrix]:
        """Yield the weights of each layer, the first one first."""
        first = self._official(1)
        compact = _find(self.directory, f"graphchallenge-{self.neurons}x*-weights.npz")
        if first is None and compact is not None:
            return self._read_compact(compact)
        return self._read_official()

    def _official(self, layer: int) -> Path | None:
        name = f"n{self.neurons}-l{layer}.tsv"
        return _find(self.directory, f"neuron{self.neurons}/{name}", name)

    def _read_official(self) -> Iterator[Matrix]:
        most = (self.neurons, self.neurons)
        for layer in range(1, self.layers + 1):
            path = self._official(layer)
            if path is None:
                name = f"neuron{self.neurons}/n{self.neurons}-l{layer}.tsv"
                raise _missing(self.directory, name)
            table = np.concatenate([np.empty((0, 3)), *read_table(path, 3, most)])
            if not len(table) or not np.isfinite(table).all():
                msg = f"{path} holds no weights, or one that is not finite"
                raise DataFileError(msg)
            inputs, outputs = (table[:, :2] - 1).astype(np.int32).T
            yield _matrix(self.neurons, inputs, outputs, table[:, 2])

    def _read_compact(self, path: Path) -> Iterator[Matrix]:
        inputs, outputs = _load(path, "rows"), _load(path, "cols")
        shape = (len(inputs), self.neurons * FAN_IN)
        if inputs.shape != shape or outputs.shape != shape or len(inputs) < self.layers:
            msg = (
                f"{path} has arrays of shapes {inputs.shape} and {outputs.shape}:"
                f" {self.layers} layers or more of {shape[1]} weights were expected"
            )
            raise DataFileError(msg)
        if max(inputs.max(), outputs.max()) >= self.neurons:
            msg = f"{path} names neurons of {self.neurons} or more, counted from 0"
            raise DataFileError(msg)
        weights = np.full(shape[1], WEIGHT)
        for layer in range(self.layers):
            yield _matrix(self.neurons, inputs[layer], outputs[layer], weights)


def read_inputs(directory: Path, neurons: int, samples: int) -> Bits:
    """Return the first inputs of the files in `directory`.

    Parameters
    ----------
    directory
        Where the files are.
    neurons
        The pixels of an input.
    samples
        How many to return.

    Raises
    ------
    DataFileError
        A file is missing or malformed; the message names the line.
    UsageError
        The files have fewer inputs.
    """
    check_sizes(neurons, layers=1)
    official = _find(directory, f"sparse-images-{neurons}.tsv")
    compact = _find(directory, f"graphchallenge-{neurons}-images-*.npz")
    if official is not None:
        return _read_images(official, neurons, samples)
    if compact is None:
        raise _missing(directory, f"sparse-images-{neurons}.tsv")
    bits = _load(compact, "bits")
    if bits.ndim != 2 or bits.shape[1] * 8 != neurons or bits.dtype != np.uint8:
        msg = f"{compact}: bits is not an array of images x {neurons // 8} bytes"
        raise DataFileError(msg)
    _check_samples(compact, len(bits), samples)
    return bits[:samples]


def _read_images(path: Path, neurons: int, samples: int) -> Bits:
    pixels = np.zeros((samples, neurons), np.bool_)
    available = 0
    for table in read_table(path, 3, (_MANY, neurons, 1)):
        images, places = (table[:, :2] - 1).astype(np.int64).T
        available = max(available, int(images.max(initial=-1)) + 1)
        wanted = images < samples
        pixels[images[wanted], places[wanted]] = True
    _check_samples(path, available, samples)
    return np.packbits(pixels, axis=1)


def read_categories(directory: Path, neurons: int, layers: int) -> NDArray[np.int64]:
    """Return the official answer: the numbers of the images, from 1, ascending.

    Parameters
    ----------
    directory
        Where the files are.
    neurons, layers
        Of which network.
    """
    official = f"neuron{neurons}-l{layers}-categories.tsv"
    compact = f"graphchallenge-{neurons}x{layers}-categories.tsv"
    path = _find(directory, official, compact)
    if path is None:
        raise _missing(directory, official)
    pieces = [np.empty((0, 1)), *read_table(path, 1, (_MANY,))]
    return np.unique(np.concatenate(pieces).astype(np.int64))


def write_categories(path: Path, categories: Iterable[int]) -> None:
    """Write the numbers of the images, from 1, in the official format: one a line."""
    text = "".join(f"{category}\n" for category in categories)
    try:
        path.write_text(text, encoding="ascii")
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror}"
        raise DataFileError(msg) from error


def _matrix(
    neurons: int,
    inputs: NDArray[np.integer],
    outputs: NDArray[np.integer],
    weights: NDArray[np.float64],
) -> Matrix:
    places = (outputs.astype(np.int32), inputs.astype(np.int32))
    values = weights.astype(np.float32)
    return coo_array((values, places), shape=(neurons, neurons)).tocsr()


def _find(directory: Path, *patterns: str) -> Path | None:
    """Return the first file of one of these names, or None."""
    for pattern in patterns:
        for path in sorted(directory.glob(pattern)):
            return path
    return None


def _missing(directory: Path, name: str) -> DataFileError:
    return DataFileError(f"{directory / name} is missing: give the folder that has it")


def _check_samples(path: Path, available: int, samples: int) -> None:
    if not 1 <= samples <= available:
        msg = f"{path} has {available} inputs, not {samples}: ask for 1 to {available}"
        raise UsageError(msg)


def _load(path: Path, name: str) -> NDArray[np.uint8]:
    """Return an array of the archive; it may hold data only, never pickled objects."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            array: NDArray[np.uint8] = archive[name]
            return array
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        msg = f"{path} has no readable array {name!r}: {error}"
        raise DataFileError(msg) from error
