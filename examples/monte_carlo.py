"""Estimate volumes of balls by throwing points: many small tasks, then few large ones.

    python examples/monte_carlo.py [POINTS] [--cloud local|emulated]

`map` makes 400 small calls travel together, since one alone is over before it has
travelled. The dimension that is known worst is then given large tasks of its own, each
called with `.remote()`. POINTS is how many points a small call throws.
"""

import argparse
import math
import sys

import numpy as np

import serverless_dist as sd

DIMENSIONS, BATCHES = range(2, 10), 50  # calls of `map`: each batch of each dimension
TASKS, LARGER = 8, 100  # large tasks, and by how much they are larger


def count_hits(dimension: int, seed: int, points: int) -> int:
    """Return how many random points of the cube around the unit ball fall into it."""
    rng = np.random.default_rng([dimension, seed])
    cube = rng.uniform(-1, 1, (points, dimension))
    return int(((cube * cube).sum(axis=1) <= 1).sum())


count = sd.remote(count_hits)


def volume(dimension: int) -> float:
    """Return the volume of the unit ball."""
    return math.pow(math.pi, dimension / 2) / math.gamma(dimension / 2 + 1)


def deviation(dimension: int, points: int) -> float:
    """Return by what share of the volume an estimate from so many points is off."""
    share = math.ldexp(volume(dimension), -dimension)
    return math.sqrt((1 - share) / share / points)


def check(dimension: int, hits: int, points: int) -> float:
    """Return the estimate, or end the program if no chance explains how bad it is."""
    estimate = math.ldexp(hits / points, dimension)
    error = abs(estimate / volume(dimension) - 1)
    if error > 5 * deviation(dimension, points):
        sys.exit(f"monte_carlo: wrong: {estimate} instead of {volume(dimension)}")
    return estimate


def main() -> None:
    """Estimate all volumes a little, and the worst of them well."""
    parser = argparse.ArgumentParser()
    parser.add_argument("points", nargs="?", type=int, default=1_000)
    parser.add_argument("--cloud", choices=["local", "emulated"], default="local")
    arguments = parser.parse_args()
    points: int = arguments.points

    with sd.init(arguments.cloud):
        calls = [(d, seed, points) for d in DIMENSIONS for seed in range(BATCHES)]
        found = list(sd.starmap(count, calls))
        hits = dict.fromkeys(DIMENSIONS, 0)
        for (dimension, _, _), number in zip(calls, found, strict=True):
            hits[dimension] += number
        for dimension in DIMENSIONS:
            check(dimension, hits[dimension], BATCHES * points)

        worst = max(DIMENSIONS, key=lambda dimension: deviation(dimension, points))
        seeds = range(BATCHES, BATCHES + TASKS)
        refs = [count.remote(worst, seed, LARGER * points) for seed in seeds]
        more = sum(sd.get(refs))

    if found != [count_hits(*call) for call in calls]:
        sys.exit("monte_carlo: wrong: the hits differ from those of one process")
    total = (BATCHES + TASKS * LARGER) * points
    estimate = check(worst, hits[worst] + more, total)
    print(f"monte_carlo: the {worst}-ball's volume is {estimate:.3f}, {total:,} points")


if __name__ == "__main__":
    main()
