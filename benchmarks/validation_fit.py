"""Fit what is not published of FSD-Inference: six numbers, for all experiments alike.

    python benchmarks/validation_fit.py            # some minutes

Of the experiments, those on 8 and 20 workers are fitted to: the times of their
batches, which three of the numbers decide, and the shares of loading, the polls and the
LISTs, which one decides each. Those on 42 and 62 workers are left for the test.
Prints `validation_effort.FITTED`.
"""

from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray
from validation_effort import FITTED, Effort
from validation_fsd import Replay
from validation_rows import Row, load_rows

FITTED_WORKERS = (8, 20)
ROUNDS = 3
STEP = 0.25  # of the logarithm of a number, for slopes


def is_fitted(row: Row) -> bool:
    """Return whether the constants are fitted to this experiment."""
    return row.workers in FITTED_WORKERS


def find_errors(effort: Effort, rows: list[Row]) -> NDArray[np.float64]:
    """Return the logarithms of predicted over published, for all that is fitted to."""
    ratios = []
    for row in rows:
        for channel in ("queue", "object"):
            if not row.has(channel):
                continue
            outcome = Replay(row, channel, effort=effort).run()
            ratios.append(outcome.seconds / row.seconds(channel))
            requests = outcome.usage.requests
            if channel == "object":
                lists = requests["s3:ListObjectsV2"]
                ratios.append(lists / row.value("object_lists"))
            else:
                share = row.value("queue_load_launch_share_pct") / 100
                loading = row.seconds(channel) * share / (1 - share)
                ratios.append(outcome.loading / loading)
                polls = requests["sqs:ReceiveMessage"]
                ratios.append(polls / row.value("queue_polls"))
    return np.log(ratios)


def fit(effort: Effort, rows: list[Row]) -> Effort:
    """Return the numbers with which the errors are least, by Gauss and Newton."""
    logs = np.log(astuple(effort))
    for _ in range(ROUNDS):
        errors = find_errors(Effort(*np.exp(logs)), rows)
        slopes = []
        for k in range(len(logs)):
            moved = logs.copy()
            moved[k] += STEP
            slopes.append((find_errors(Effort(*np.exp(moved)), rows) - errors) / STEP)
        jacobian = np.array(slopes).T
        change, *_ = np.linalg.lstsq(jacobian, -errors, rcond=None)
        logs += np.clip(change, -0.7, 0.7)
        rms = float(np.sqrt(np.mean(errors**2)))
        print(f"rms of the logarithms {rms:.3f}, next {np.exp(logs)}", flush=True)
    return Effort(*np.exp(logs).tolist())


if __name__ == "__main__":
    print(fit(FITTED, [row for row in load_rows() if is_fitted(row)]))
