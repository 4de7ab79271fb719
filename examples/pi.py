"""Compute pi as the integral of 4 / (1 + x^2) from 0 to 1, split over the ranks.

    serverless-dist run -n 4 examples/pi.py [STEPS]

It shows the three calls that many programs need no more than: `bcast` gives everybody
the problem, each rank works on its share, `Reduce` adds up the results at rank 0.
STEPS is the number of rectangles.
"""

import math
import sys

import numpy as np
from mpi4py import MPI


def integrate(start: int, stop: int, steps: int) -> float:
    """Return the area of the rectangles from `start` to `stop`, by the midpoint."""
    x = (np.arange(start, stop) + 0.5) / steps
    return float((4.0 / (1.0 + x * x)).sum() / steps)


def main() -> None:
    """Integrate a share on each rank and add up."""
    comm = MPI.COMM_WORLD
    rank, size = comm.rank, comm.size

    # Only rank 0 looks at the arguments; the others learn from it.
    steps = None
    if rank == 0:
        steps = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    steps = comm.bcast(steps, root=0)

    area = integrate(rank * steps // size, (rank + 1) * steps // size, steps)
    share = np.array([area])
    total = np.empty(1)
    comm.Reduce(share, total, op=MPI.SUM, root=0)

    if rank == 0:
        error = abs(total[0] - math.pi)
        # The midpoint rule is off by 1 / (12 steps^2) here; sums add some rounding.
        if error > 1 / (10 * steps**2) + 1e-12:
            sys.exit(f"pi: wrong: {total[0]} is {error:.1e} away from pi")
        print(f"pi: {total[0]:.12f} from {steps:,} rectangles")


if __name__ == "__main__":
    main()
