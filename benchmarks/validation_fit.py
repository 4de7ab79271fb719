"""Fit what is not published of FSD-Inference: six numbers, for all experiments alike.

    python benchmarks/validation_fit.py            # a quarter of an hour

Every other experiment of the published table is fitted to: the seconds of its batch,
which three of the numbers decide, and the share of loading, the polls and the LISTs,
which one decides each. The others are left for the test. Prints
`validation_effort.FITTED`.
"""

import os
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import astuple
from functools import partial

import numpy as np
from numpy.typing import NDArray
from validation_effort import FITTED, Effort
from validation_fsd import Replay
from validation_rows import Row, load_rows

ROUNDS = 4
STEP = 0.25  # of the logarithm of a number, for slopes
ALIKE = 4  # layers that stand for all that are alike

Numbers = NDArray[np.float64]


def find_errors(effort: Effort, case: tuple[Row, str]) -> list[float]:
    """Return the logarithms of predicted over published of one experiment."""
    row, channel = case
    outcome = Replay(row, channel, effort=effort, alike=ALIKE).run()
    requests = outcome.usage.requests
    ratios = [outcome.seconds / row.seconds(channel)]
    if channel == "object":
        lists = requests["s3:ListObjectsV2"]
        ratios.append(lists / row.value("object_lists"))
    else:
        share = row.value("queue_load_launch_share_pct") / 100
        loading = row.seconds(channel) * share / (1 - share)
        ratios.append(outcome.loading / loading)
        ratios.append(requests["sqs:ReceiveMessage"] / row.value("queue_polls"))
    return [float(each) for each in np.log(ratios)]


def fit(effort: Effort, cases: list[tuple[Row, str]], pool: Executor) -> Effort:
    """Return the numbers with which the errors are least, by Gauss and Broyden."""

    def ask(logs: Numbers) -> Numbers:
        effort = Effort(*np.exp(logs).tolist())
        return np.concatenate(list(pool.map(partial(find_errors, effort), cases)))

    logs = np.log(astuple(effort))
    errors = ask(logs)
    steps = STEP * np.eye(len(logs))
    slopes = np.array([(ask(logs + step) - errors) / STEP for step in steps]).T
    for _ in range(ROUNDS):
        rms = float(np.sqrt(np.mean(errors**2)))
        print(f"rms of the logarithms {rms:.4f} with {np.exp(logs)}", flush=True)
        change, *_ = np.linalg.lstsq(slopes, -errors, rcond=None)
        change = np.clip(change, -0.5, 0.5)
        moved = ask(logs + change)
        off = moved - errors - slopes @ change
        slopes += np.outer(off, change) / (change @ change)
        if (moved**2).sum() < (errors**2).sum():
            logs, errors = logs + change, moved
    return Effort(*np.exp(logs).tolist())


def main() -> None:
    """Fit to the experiments that are fitted to, and print what comes out."""
    cases = [
        (row, channel)
        for row in load_rows()
        for channel in ("object", "queue")
        if row.is_fitted and row.has(channel)
    ]
    cases.sort(key=lambda case: -case[0].workers)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        print(fit(FITTED, cases, pool))


if __name__ == "__main__":
    main()
