"""Solve -u'' = 1 with u = 0 at both ends, by conjugate gradients on a split grid.

    serverless-dist run -n 4 examples/conjugate_gradient.py [POINTS]

It shows what an iterative solver repeats: an exchange with the neighbours as persistent
requests, described once and started in every step, with the inner points computed while
the messages travel; and dot products with `Allreduce` in place. POINTS is the number of
grid points of each rank.
"""

import sys

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Laplacian:
    """The matrix with 2 on its diagonal and -1 beside it, its rows over the ranks."""

    def __init__(self, comm: MPI.Comm, points: int) -> None:
        # The first and last item are the neighbours' points; at the ends of the grid
        # they stay 0, since nothing comes from PROC_NULL.
        self._padded = np.zeros(points + 2)
        left = comm.rank - 1 if comm.rank > 0 else MPI.PROC_NULL
        right = comm.rank + 1 if comm.rank < comm.size - 1 else MPI.PROC_NULL
        self._halo = [
            comm.Recv_init(self._padded[:1], source=left),
            comm.Recv_init(self._padded[-1:], source=right),
            comm.Send_init(self._padded[1:2], dest=left),
            comm.Send_init(self._padded[-2:-1], dest=right),
        ]

    def __matmul__(self, vector: Array) -> Array:
        self._padded[1:-1] = vector
        MPI.Prequest.Startall(self._halo)
        product = 2 * vector
        product[1:] -= vector[:-1]
        product[:-1] -= vector[1:]
        MPI.Request.Waitall(self._halo)
        product[0] -= self._padded[0]
        product[-1] -= self._padded[-1]
        return product

    def free(self) -> None:
        """Give back the requests, which otherwise live until the end."""
        for request in self._halo:
            request.Free()


def dot(comm: MPI.Comm, one: Array, two: Array) -> float:
    """Return the dot product of two vectors that are split over the ranks."""
    total = np.array([one @ two])
    comm.Allreduce(MPI.IN_PLACE, total, op=MPI.SUM)
    return float(total[0])


def solve(comm: MPI.Comm, matrix: Laplacian, right_side: Array) -> tuple[Array, int]:
    """Return this rank's part of the solution, and how many steps it took."""
    solution, residual = np.zeros_like(right_side), right_side.copy()
    direction, square = residual.copy(), dot(comm, residual, residual)
    limit, steps = 1e-20 * square, 0
    while square > limit:
        product = matrix @ direction
        length = square / dot(comm, direction, product)
        solution += length * direction
        residual -= length * product
        before, square = square, dot(comm, residual, residual)
        direction = residual + square / before * direction
        steps += 1
    return solution, steps


def main() -> None:
    """Solve, and compare with the exact solution."""
    comm = MPI.COMM_WORLD
    points = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    everything = np.empty(points * comm.size) if comm.rank == 0 else None

    matrix = Laplacian(comm, points)
    solution, steps = solve(comm, matrix, np.ones(points))
    matrix.free()
    comm.Gather(solution, everything, root=0)

    if everything is not None:
        place = np.arange(1, len(everything) + 1)
        expected = place * (len(everything) + 1 - place) / 2
        if not np.allclose(everything, expected):
            sys.exit(f"conjugate_gradient: wrong: {everything}")
        print(f"conjugate_gradient: {len(everything)} points solved in {steps} steps")


if __name__ == "__main__":
    main()
