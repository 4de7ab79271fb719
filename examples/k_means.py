"""Find clusters of points that are split over the ranks, from two starts at a time.

    serverless-dist run -n 4 examples/k_means.py [POINTS]

`Split` makes two teams, each of which tries half the starting centres on all the
points, and `MINLOC` picks the best. Within a team, `Iallreduce` adds up how many points
each centre has while the rank still adds up where they are. POINTS is how many points
there are in all.
"""

import sys

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

Array = NDArray[np.float64]
CLUSTERS, STEPS, STARTS, TEAMS = 5, 10, 4, 2


def make_points(points: int) -> Array:
    """Return points in the plane round five places."""
    rng = np.random.default_rng(seed=4)
    places = rng.uniform(-20, 20, (CLUSTERS, 2))
    return places[rng.integers(CLUSTERS, size=points)] + rng.normal(size=(points, 2))


def cluster(comm: MPI.Comm, points: Array, centres: Array) -> float:
    """Move the centres to the means of their points, until the steps are over.

    Returns the mean squared distance of a point from its centre, before the last step.
    """
    for _ in range(STEPS):
        squares = ((points[:, None] - centres) ** 2).sum(axis=2)
        nearest = squares.argmin(axis=1)
        counts = np.bincount(nearest, minlength=CLUSTERS)
        request = comm.Iallreduce(MPI.IN_PLACE, counts, op=MPI.SUM)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, points)
        request.Wait()
        comm.Allreduce(MPI.IN_PLACE, sums, op=MPI.SUM)
        # A centre that has lost all its points waits at the origin for others.
        centres = sums / np.maximum(counts, 1)[:, None]
    distance: float = comm.allreduce(squares.min(axis=1).sum()) / counts.sum()
    return distance


def search(world: MPI.Comm, points: Array) -> tuple[float, int]:
    """Return the least mean squared distance, and from which start it was found."""
    teams = min(TEAMS, world.size)
    team = world.rank % teams
    comm = world.Split(color=team, key=world.rank)
    # Centres come from all points, so that the answer depends on no number of ranks.
    share = points[comm.rank :: comm.size]
    best = (np.inf, STARTS)
    for start in range(team, STARTS, teams):
        first = points[start * CLUSTERS : (start + 1) * CLUSTERS]
        best = min(best, (cluster(comm, share, first), start))
    comm.Free()
    found: tuple[float, int] = world.allreduce(best, op=MPI.MINLOC)
    return found


def main() -> None:
    """Search with all ranks, and on rank 0 once more with one."""
    comm = MPI.COMM_WORLD
    points = make_points(int(sys.argv[1]) if len(sys.argv) > 1 else 3_000)

    distance, start = search(comm, points)

    if comm.rank == 0:
        expected, its_start = search(MPI.COMM_SELF, points)
        if start != its_start or not np.isclose(distance, expected):
            sys.exit(f"k_means: wrong: {distance} instead of {expected}")
        print(f"k_means: start {start} is best, mean squared distance {distance:.6f}")


if __name__ == "__main__":
    main()
