"""Fit a model to data that are split over workers, with an actor that has the weights.

    python examples/actor_parameter_server.py [ROWS] [--cloud local|emulated]

The actor's handle is an argument of the workers' tasks: they call it directly, and the
order of their calls is the order in which the weights change. Nobody waits for all
others, as in Hogwild (Recht, Re, Wright, Niu 2011), yet all ends up at one solution,
since the data fit it without an error. ROWS is how many rows each worker has.
"""

import argparse
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

import serverless_dist as sd

Array = NDArray[np.float64]
WORKERS, ROUNDS, COLUMNS = 2, 20, 6
RATE = 0.4


def make_shard(worker: int, rows: int) -> tuple[Array, Array]:
    """Return the rows of one worker and what the model has to say to them."""
    rng = np.random.default_rng([7, worker])
    matrix = rng.normal(size=(rows, COLUMNS))
    return matrix, matrix @ np.linspace(-1, 1, COLUMNS)


# `@sd.remote` above a class makes it a remote one as well, but type checkers take no
# notice of what is above classes.
class ParameterServer:
    """Has the weights; who pushes a gradient gets the weights after it."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.weights = np.zeros(COLUMNS)
        self.pushes: dict[int, int] = {}

    def pull(self) -> Array:
        """Return the weights as they are."""
        return self.weights

    def push(self, worker: int, gradient: Array) -> Array:
        """Go against the gradient and return the weights."""
        self.weights = self.weights - self.rate * gradient
        self.pushes[worker] = self.pushes.get(worker, 0) + 1
        return self.weights

    def count(self) -> dict[int, int]:
        """Return how many gradients came from each worker."""
        return self.pushes


@sd.remote
def train(server: Any, worker: int, rows: int) -> float:
    """Push gradients of this worker's rows; return the error they leave."""
    matrix, right = make_shard(worker, rows)
    weights = sd.get(server.pull.remote())
    for _ in range(ROUNDS):
        gradient = matrix.T @ (matrix @ weights - right) / rows
        weights = sd.get(server.push.remote(worker, gradient))
    return float(((matrix @ weights - right) ** 2).mean())


def main() -> None:
    """Train on all workers, and solve the whole in this process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="?", type=int, default=500)
    parser.add_argument("--cloud", choices=["local", "emulated"], default="local")
    arguments = parser.parse_args()
    rows: int = arguments.rows

    with sd.init(arguments.cloud):
        server = sd.remote(ParameterServer).remote(RATE)
        trained = [train.remote(server, worker, rows) for worker in range(WORKERS)]
        errors = sd.get(trained)
        weights, pushes = sd.get([server.pull.remote(), server.count.remote()])

    shards = [make_shard(worker, rows) for worker in range(WORKERS)]
    matrix, right = (np.concatenate(parts) for parts in zip(*shards, strict=True))
    expected = np.linalg.lstsq(matrix, right)[0]
    if pushes != dict.fromkeys(range(WORKERS), ROUNDS):
        sys.exit(f"actor_parameter_server: wrong: the gradients that came: {pushes}")
    if max(errors) > 1e-3 or not np.allclose(weights, expected, atol=1e-3):
        sys.exit(f"actor_parameter_server: wrong: {weights} instead of {expected}")
    total = sum(pushes.values())
    print(f"actor_parameter_server: {total} gradients from {WORKERS} workers, all fits")


if __name__ == "__main__":
    main()
