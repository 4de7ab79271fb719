"""Make the inputs that come with the package from 10,000 MNIST digits.

    python benchmarks/make_inputs.py mnist10k.npz serverless_dist/inference/data

The archive has ``images``, uint8, 10,000 x 28 x 28. Each digit is enlarged by Fourier
(sinc) interpolation to sqrt(N) x sqrt(N) pixels, and a pixel is 1 where the result is
over 184.65 of 255. The challenge's own inputs seem to have been made so: for N = 1024,
99.95 % of the pixels are equal. ``data/README.md`` describes the files.
"""

import lzma
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

NEURONS = (1024, 4096, 16384, 65536)
THRESHOLD = 184.65
_SCALE = 1 << 16
_STEP = 100  # images at a time


def interpolation(old: int, new: int) -> NDArray[np.float64]:
    """Return the matrix (new x old) that enlarges a signal of even length `old`."""
    spectrum = np.fft.fft(np.eye(old), axis=0)
    half = old // 2
    larger = np.zeros((new, old), np.complex128)
    larger[:half] = spectrum[:half]
    larger[new - half + 1 :] = spectrum[half + 1 :]
    # The highest frequency of the old signal is both +half and -half of the new one.
    larger[half] = larger[new - half] = spectrum[half] / 2
    result: NDArray[np.float64] = (np.fft.ifft(larger, axis=0) * (new / old)).real
    return result


def enlarge(images: NDArray[np.uint8], neurons: int) -> NDArray[np.uint8]:
    """Return the images as packed bits, each column by column: images x neurons/8."""
    side = int(neurons**0.5)
    # Whole numbers, so that the sums are exact and every machine makes the same bits.
    matrix = np.rint(interpolation(images.shape[1], side) * _SCALE)
    packed = np.empty((len(images), side, side // 8), np.uint8)
    for start in range(0, len(images), _STEP):
        digits = images[start : start + _STEP].astype(np.float64)
        bright = matrix @ digits @ matrix.T > THRESHOLD * _SCALE**2
        packed[start : start + _STEP] = np.packbits(bright.transpose(0, 2, 1), axis=2)
    return packed.reshape(len(images), -1)


def compress(bits: NDArray[np.uint8], neurons: int) -> bytes:
    """Return the bits as the package keeps them."""
    side = int(neurons**0.5)
    columns = bits.reshape(len(bits), side, side // 8)
    changes = columns.copy()
    changes[:, 1:] ^= columns[:, :-1]
    return lzma.compress(changes.transpose(0, 2, 1).tobytes(), preset=9)


def main(archive: Path, target: Path) -> None:
    """Write one file per number of neurons."""
    images = np.load(archive, allow_pickle=False)["images"]
    for neurons in NEURONS:
        data = compress(enlarge(images, neurons), neurons)
        path = target / f"inputs-{neurons}.xz"
        path.write_bytes(data)
        print(f"{path}: {len(data):,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
