"""Try step sizes of a descent until three have arrived, and call off the others.

    python examples/parameter_sweep.py [ROWS] [--cloud local|emulated]

`as_completed` tells who is done as they are done. Steps that are too long fail, and the
error is both a `RemoteError` and the `FloatingPointError` that was raised; steps that
are very short would take for ever: those are cancelled. The data come from a service
that refuses at first, so the task that fetches them asks for retries. ROWS is how many
equations are solved.
"""

import argparse
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

import serverless_dist as sd

Array = NDArray[np.float64]
COLUMNS, WINNERS, REFUSALS = 12, 3, 2
# In units of the longest step that still arrives.
STEPS = (8.0, 1.5, 1.0, 0.5, 0.25, 0.1, 1e-9, 1e-10, 1e-11, 1e-12)
SHORT = 1e-6
TOLERANCE = 1e-9


def make_equations(rows: int) -> tuple[Array, Array]:
    """Return equations that are solved by the numbers from 1 on."""
    rng = np.random.default_rng(seed=6)
    matrix = rng.normal(size=(rows, COLUMNS))
    return matrix, matrix @ np.arange(1.0, COLUMNS + 1)


class Service:
    """Has the equations, but refuses to give them at first."""

    def __init__(self) -> None:
        self.asked = 0

    def fetch(self, rows: int) -> tuple[Array, Array]:
        """Return the equations."""
        self.asked += 1
        if self.asked <= REFUSALS:
            msg = "try again later"
            raise ConnectionError(msg)
        return make_equations(rows)

    def times_asked(self) -> int:
        """Return how often somebody has tried to fetch."""
        return self.asked


# Without `retry_exceptions` only the crash of a worker would be a reason to try again.
@sd.remote(retries=REFUSALS, retry_exceptions=[ConnectionError])
def fetch(service: Any, rows: int) -> tuple[Array, Array]:
    """Return the equations; what the service raises is raised here."""
    equations: tuple[Array, Array] = sd.get(service.fetch.remote(rows))
    return equations


@sd.remote
def descend(step: float, equations: tuple[Array, Array]) -> tuple[float, Array]:
    """Return the step and the solution that steepest descent has reached with it."""
    matrix, right = equations
    step_size = step / np.linalg.norm(matrix, ord=2) ** 2
    solution = np.zeros(COLUMNS)
    while np.linalg.norm(error := matrix @ solution - right) > TOLERANCE:
        solution -= step_size * (matrix.T @ error)
        if not np.abs(solution).max() < 1e9:
            msg = f"step {step} is too long"
            raise FloatingPointError(msg)
    return step, solution


def sweep(refs: list[Any]) -> dict[float, Array]:
    """Return the first solutions by step; when this returns, nothing runs any more."""
    solutions: dict[float, Array] = {}
    for ref in sd.as_completed(refs):
        try:
            step, solution = sd.get(ref)
        except FloatingPointError:
            continue
        solutions[step] = solution
        if len(solutions) == WINNERS:
            break
    for ref in refs:  # those that are done stay as they are
        sd.cancel(ref)
    sd.wait(refs, num_returns=len(refs))
    return solutions


def outcome(ref: Any) -> str:
    """Return how the task of this ref has ended."""
    try:
        sd.get(ref)
    except (sd.TaskCancelledError, sd.RemoteError) as error:
        is_cancelled = isinstance(error, sd.TaskCancelledError)
        return "cancelled" if is_cancelled else "failed"
    return "arrived"


def main() -> None:
    """Sweep, and compare with what numpy says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="?", type=int, default=200)
    parser.add_argument("--cloud", choices=["local", "emulated"], default="local")
    arguments = parser.parse_args()

    with sd.init(arguments.cloud):
        service = sd.remote(Service).remote()
        equations = fetch.remote(service, arguments.rows)
        refs = [descend.remote(step, equations) for step in STEPS]
        solutions = sweep(refs)
        outcomes = dict(zip(STEPS, map(outcome, refs), strict=True))
        asked = sd.get(service.times_asked.remote())

    expected = np.linalg.lstsq(*make_equations(arguments.rows))[0]
    if not all(np.allclose(each, expected) for each in solutions.values()):
        sys.exit("parameter_sweep: wrong: a solution differs from numpy's")
    short = {outcomes[step] for step in STEPS if step < SHORT}
    if asked != REFUSALS + 1 or short != {"cancelled"}:
        sys.exit(f"parameter_sweep: wrong: asked {asked} times, ended as {outcomes}")
    print(
        f"parameter_sweep: {len(solutions)} steps arrived, the short ones were"
        f" cancelled, the data came when asked {asked} times"
    )


if __name__ == "__main__":
    main()
