"""How fast the sparse-DNN application is, each claim as a ratio within one run.

    python benchmarks/inference.py [--rounds 3] [--data DIRECTORY]

Without `--data` the network is generated and the inputs are those of the package. Every
contender computes the whole job from files or seed to categories, and its answer is
checked.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from serverless_dist.comm import get_self
from serverless_dist.inference import Job, infer

Categories = NDArray[np.int64]

BIAS = np.float32(-0.3)
LIMIT = np.float32(32)
REQUIRED = 5.0  # times as fast as the plain loop


def multiply_plainly(job: Job) -> Categories:
    """Run the job as the challenge defines it: every layer for every sample."""
    pixels = np.unpackbits(job.inputs(), axis=1)
    values = np.ascontiguousarray(pixels.T, np.float32)
    for matrix in job.network().matrices():
        values = matrix @ values
        # As the bias is negative, a zero stays zero, with or without it.
        values += BIAS
        np.clip(values, 0, LIMIT, out=values)
    return np.flatnonzero(values.any(axis=0)) + 1


def infer_alone(job: Job) -> Categories:
    """Run the job with one rank."""
    categories = infer(get_self(), job).categories
    assert categories is not None
    return categories


def measure(
    contenders: list[Callable[[Job], Categories]], job: Job, rounds: int
) -> list[float]:
    """Return the median seconds of each contender; they take turns."""
    seconds: list[list[float]] = [[] for _ in contenders]
    answers = set()
    for _ in range(rounds):
        for contender, times in zip(contenders, seconds, strict=True):
            started = time.perf_counter()
            answer = contender(job)
            times.append(time.perf_counter() - started)
            answers.add(tuple(answer.tolist()))
    if len(answers) != 1:
        msg = "the contenders disagree on the categories"
        raise RuntimeError(msg)
    return [statistics.median(times) for times in seconds]


def compare_with_plain_loop(job: Job, rounds: int) -> None:
    """Print how much faster one rank is than the plain loop."""
    plain, alone = measure([multiply_plainly, infer_alone], job, rounds)
    ratio = plain / alone
    verdict = "holds" if ratio >= REQUIRED else "MISSED"
    print(
        f"One rank, {job.neurons} x {job.layers} x {job.samples}, median of {rounds}:"
    )
    print(f"  plain scipy loop, no sample dropped  {plain:8.2f} s")
    print(f"  infer with one rank                  {alone:8.2f} s")
    print(
        f"  {ratio:.1f} times as fast; at least {REQUIRED:.0f} is required: {verdict}"
    )


def main() -> None:
    """Run all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, help="the challenge's files")
    arguments = parser.parse_args()
    job = Job(1024, 120, 10_000, directory=arguments.data)
    compare_with_plain_loop(job, arguments.rounds)


if __name__ == "__main__":
    main()
