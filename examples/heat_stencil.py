"""Let heat spread over a plate whose blocks belong to a grid of ranks.

    serverless-dist run -n 4 examples/heat_stencil.py [SIDE]

It shows a Cartesian topology: `Create_cart` lays the ranks out, `Shift` names the
neighbours, and `Sendrecv` exchanges the edges of the blocks. The columns of an array do
not lie together in memory: a vector datatype describes them, and nothing is copied by
hand. SIDE is the number of cells along one side of the plate.
"""

import sys

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

Array = NDArray[np.float64]
STEPS = 40


def make_plate(side: int) -> Array:
    """Return a cold plate with a hot edge, and a border that keeps its heat."""
    plate = np.zeros((side + 2, side + 2))
    plate[0] = 100.0
    return plate


def spread(plate: Array) -> None:
    """Give every inner cell the mean of its four neighbours."""
    vertical = plate[:-2, 1:-1] + plate[2:, 1:-1]
    horizontal = plate[1:-1, :-2] + plate[1:-1, 2:]
    plate[1:-1, 1:-1] = (vertical + horizontal) / 4


def exchange_edges(comm: MPI.Cartcomm, block: Array, column: MPI.Datatype) -> None:
    """Put the neighbours' edge cells into the border of this rank's block."""
    up, down = comm.Shift(direction=0, disp=1)
    left, right = comm.Shift(direction=1, disp=1)
    comm.Sendrecv(block[1], dest=up, recvbuf=block[-1], source=down)
    comm.Sendrecv(block[-2], dest=down, recvbuf=block[0], source=up)
    # A column starts at a cell and goes on with the cell below it.
    cells, width = block.reshape(-1), block.shape[1]
    first, last = [cells[1:], 1, column], [cells[width - 2 :], 1, column]
    before, after = [cells, 1, column], [cells[width - 1 :], 1, column]
    comm.Sendrecv(first, dest=left, recvbuf=after, source=right)
    comm.Sendrecv(last, dest=right, recvbuf=before, source=left)


def cut(side: int, comm: MPI.Cartcomm) -> tuple[slice, slice]:
    """Return which rows and columns of the plate this rank has, borders included."""
    bounds = [
        (place * side // parts, (place + 1) * side // parts)
        for place, parts in zip(comm.coords, comm.dims, strict=True)
    ]
    (top, bottom), (left, right) = bounds
    return slice(top, bottom + 2), slice(left, right + 2)


def main() -> None:
    """Let heat spread on all ranks, and on rank 0 over the whole plate."""
    world = MPI.COMM_WORLD
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    comm = world.Create_cart(MPI.Compute_dims(world.size, 2))
    if side < max(comm.dims):
        sys.exit(f"heat_stencil: {side} cells are too few for {comm.dims} ranks")

    mine = cut(side, comm)
    block = make_plate(side)[mine].copy()
    height, width = block.shape
    column = MPI.DOUBLE.Create_vector(height, 1, width).Commit()
    for _ in range(STEPS):
        exchange_edges(comm, block, column)
        spread(block)
    column.Free()
    blocks = comm.gather((mine, block[1:-1, 1:-1]), root=0)

    if blocks is not None:
        found, expected = np.zeros((side, side)), make_plate(side)
        for (rows, columns), cells in blocks:
            found[rows.start : rows.stop - 2, columns.start : columns.stop - 2] = cells
        for _ in range(STEPS):
            spread(expected)
        if not np.allclose(found, expected[1:-1, 1:-1]):
            sys.exit("heat_stencil: wrong: the plate differs from that of one process")
        print(f"heat_stencil: after {STEPS} steps the mean is {found.mean():.6f}")


if __name__ == "__main__":
    main()
