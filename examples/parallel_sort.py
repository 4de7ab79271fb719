"""Sort numbers that are spread over the ranks, by regular sampling.

    serverless-dist run -n 4 examples/parallel_sort.py [NUMBERS]

Every rank sorts its own numbers and offers a sample of them; from all samples rank 0
chooses the bounds of the ranges that the ranks will own; every rank sends each other
one its range. It shows objects for what is small (`gather`, `bcast`, `alltoall` of
counts) and buffers for what is large (`Alltoallv`, `Gatherv`). NUMBERS is how many
each rank starts with. (H. Shi and J. Schaeffer, Parallel Sorting by Regular Sampling,
1992.)
"""

import sys

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

Array = NDArray[np.int64]


def make_numbers(rank: int, numbers: int) -> Array:
    """Return what a rank starts with."""
    return np.random.default_rng(seed=rank).integers(1_000_000, size=numbers)


def choose_bounds(comm: MPI.Comm, ordered: Array) -> Array:
    """Return the numbers between the ranges: the same on every rank, one less."""
    samples = comm.gather(ordered[:: max(1, len(ordered) // comm.size)], root=0)
    bounds = None
    if samples is not None:
        pool = np.sort(np.concatenate(samples))
        places = len(pool) * np.arange(1, comm.size) // comm.size
        bounds = pool[places]
    chosen: Array = comm.bcast(bounds, root=0)
    return chosen


def exchange(comm: MPI.Comm, ordered: Array, bounds: Array) -> Array:
    """Send every rank the numbers of its range; return those of one's own."""
    places = [0, *np.searchsorted(ordered, bounds).tolist(), len(ordered)]
    sends = np.diff(places).tolist()
    receives = comm.alltoall(sends)
    mine = np.empty(sum(receives), dtype=np.int64)
    comm.Alltoallv([ordered, sends, MPI.INT64_T], [mine, receives, MPI.INT64_T])
    return np.sort(mine)


def collect(comm: MPI.Comm, mine: Array) -> Array | None:
    """Return the numbers of all ranks at rank 0, None at the others."""
    counts = comm.gather(len(mine), root=0)
    if counts is None:
        comm.Gatherv(mine, None, root=0)
        return None
    everything = np.empty(sum(counts), dtype=np.int64)
    comm.Gatherv(mine, [everything, counts, MPI.INT64_T], root=0)
    return everything


def main() -> None:
    """Sort, collect and compare with numpy."""
    comm = MPI.COMM_WORLD
    numbers = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000

    ordered = np.sort(make_numbers(comm.rank, numbers))
    mine = exchange(comm, ordered, choose_bounds(comm, ordered))
    everything = collect(comm, mine)

    if everything is not None:
        parts = [make_numbers(rank, numbers) for rank in range(comm.size)]
        if not np.array_equal(everything, np.sort(np.concatenate(parts))):
            sys.exit("parallel_sort: wrong: the numbers are not in order")
        print(f"parallel_sort: {len(everything):,} numbers are in order")


if __name__ == "__main__":
    main()
