"""Find the largest eigenvalue of a matrix whose rows are split over the ranks.

    serverless-dist run -n 4 examples/matrix_vector.py [SIZE]

It shows collective calls with parts of unequal length: `Scatterv` deals out the rows,
and each matrix-vector product ends with `Allgatherv`, after which every rank has the
whole vector again. SIZE is the number of rows.
"""

import sys

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

Array = NDArray[np.float64]
STEPS = 20


def make_matrix(size: int) -> Array:
    """Return a symmetric matrix with one eigenvalue far above the others."""
    half = np.random.default_rng(seed=1).random((size, size))
    return half + half.T


def deal(matrix: Array | None, comm: MPI.Comm, size: int) -> tuple[Array, list[int]]:
    """Return this rank's rows of rank 0's `matrix`, and how many each rank has."""
    counts = [
        (rank + 1) * size // comm.size - rank * size // comm.size
        for rank in range(comm.size)
    ]
    rows = np.empty((counts[comm.rank], size))
    # Lengths are in items; without displacements the parts follow one another.
    lengths = [count * size for count in counts]
    comm.Scatterv([matrix, lengths, MPI.DOUBLE], rows, root=0)
    return rows, counts


def iterate(rows: Array, counts: list[int], comm: MPI.Comm) -> float:
    """Return the largest eigenvalue, by power iteration on all ranks."""
    vector = np.ones(rows.shape[1])
    norm = 0.0
    for _ in range(STEPS):
        product = np.empty_like(vector)
        comm.Allgatherv(rows @ vector, [product, counts, MPI.DOUBLE])
        norm = float(np.linalg.norm(product))
        vector = product / norm
    return norm


def main() -> None:
    """Find the eigenvalue on all ranks, and on rank 0 once more by itself."""
    comm = MPI.COMM_WORLD
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 203

    matrix = make_matrix(size) if comm.rank == 0 else None
    rows, counts = deal(matrix, comm, size)
    found = iterate(rows, counts, comm)

    if matrix is not None:
        expected = np.linalg.eigvalsh(matrix)[-1]
        if not np.isclose(found, expected):
            sys.exit(f"matrix_vector: wrong: {found} instead of {expected}")
        print(f"matrix_vector: the largest eigenvalue of {size} rows is {found:.6f}")


if __name__ == "__main__":
    main()
