"""Replay published systems on the simulated cloud and say how far off it is.

    python benchmarks/validation.py                      # all; some minutes
    python benchmarks/validation.py --workers 8 --no-store

FSD-Inference (ICDE 2024): 17 experiments, on SNS and SQS and on S3, up to 62 functions;
FMI (ICS 2023): sends and allreduces over S3. Prints predicted against published
requests, dollars and seconds, and writes ``benchmarks/results/validation.json`` and
``.md``. The same seed gives the same files. See ``docs/validation.md``.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from statistics import median

from validation_compare import Comparison, Kind, compare, median_error
from validation_effort import BARE, FITTED
from validation_fmi import INTERVALS, load_measured, replay
from validation_fsd import Replay
from validation_rows import Row, load_rows
from validation_sensitivity import Shift, shift_fmi, shift_queue_and_object
from validation_tables import experiments, shifts, summary, table

RESULTS = Path(__file__).parent / "results"
SWEPT = "1024 x 20"
BARE_WORKERS = (8, 20)
INTRODUCTION = """\
Written by `python benchmarks/validation.py`; read
[docs/validation.md](../../docs/validation.md) first. A cell is predicted / published
(error). The constants are fitted to the experiments without a star: `{constants}`.
"""


def replay_rows(rows: list[Row], seed: int) -> list[Comparison]:
    """Replay experiments on each channel that was measured."""
    found: list[Comparison] = []
    for row in rows:
        for channel in ("queue", "object"):
            if row.has(channel):
                outcome = Replay(row, channel, seed=seed).run()
                compared = compare(row, channel, outcome)
                found += compared
                time = compared[0]
                print(
                    f"{row.name:18} {channel:7} {time.predicted:7.1f} s,"
                    f" published {time.published:7.1f} s ({time.error:+.0%})",
                    flush=True,
                )
    return found


def replay_bare(rows: list[Row], seed: int) -> str:
    """Say how far off the seconds are without any fitted constant."""
    found = [
        compared
        for row in rows
        for channel in ("queue", "object")
        if row.has(channel) and row.workers in BARE_WORKERS
        for compared in compare(
            row, channel, Replay(row, channel, effort=BARE, seed=seed).run()
        )
        if compared.kind is Kind.SECONDS
    ]
    if not found:
        return "Without the fitted constants: not replayed.\n"
    share = median(each.predicted / each.published for each in found)
    return (
        f"Without any of the fitted constants the seconds of {len(found)} batches (8"
        f" and 20 workers) come out at {share:.0%} of those published, in the median;"
        f" the median error is {median_error(found):.0%}.\n"
    )


def replay_fmi(seed: int) -> list[dict[str, str | float]]:
    """Replay FMI's operations with each interval between questions."""
    return [
        {
            "operation": measured.name,
            "interval": interval,
            "published": measured.seconds,
            "predicted": round(seconds, 6),
            "error": round(seconds / measured.seconds - 1, 4),
        }
        for interval in INTERVALS
        for measured in load_measured()
        for seconds in [replay(measured, interval, seed=seed)]
    ]


def write_text(
    found: list[Comparison],
    bare: str,
    fmi: list[dict[str, str | float]],
    moved: list[Shift],
) -> str:
    """Return all tables as Markdown."""
    fmi_rows = [
        [
            str(line["operation"]),
            f"{float(line['interval']) * 1_000:.0f} ms",
            f"{float(line['predicted']) * 1_000:,.0f} ms",
            f"{float(line['published']) * 1_000:,.0f} ms",
            f"{float(line['error']):+.0%}",
        ]
        for line in fmi
    ]
    heads = ["operation", "asks every", "predicted", "published", "error"]
    parts = [
        "# The simulated cloud against published systems\n",
        INTRODUCTION.format(constants=FITTED),
        "## Errors\n",
        summary(found),
        bare,
        "## FSD-Inference over SNS and SQS\n",
        experiments(found, "queue"),
        "## FSD-Inference over S3\n",
        experiments(found, "object"),
        "## FMI over S3\n",
        table(heads, fmi_rows),
        f"## What the seconds hang on ({SWEPT}, and FMI with S3's latencies)\n",
        shifts(moved),
    ]
    return "\n".join(parts)


def main() -> None:
    """Replay, print and store."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", help="only with so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-store", action="store_true", help="write no files")
    arguments = parser.parse_args()
    rows = [
        row
        for row in load_rows()
        if not arguments.workers or row.workers in arguments.workers
    ]
    found = replay_rows(rows, arguments.seed)
    bare = replay_bare(rows, arguments.seed)
    fmi = replay_fmi(arguments.seed)
    swept = next(row for row in load_rows() if row.name == SWEPT)
    moved = [*shift_queue_and_object(swept), *shift_fmi(INTERVALS[-1])]
    text = write_text(found, bare, fmi, moved)
    print(text)
    if arguments.no_store:
        return
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "validation.md").write_text(text)
    values = {
        "seed": arguments.seed,
        "constants": asdict(FITTED),
        "fsd_inference": [each.to_dict() for each in found],
        "fmi": fmi,
        "sensitivity": [asdict(each) for each in moved],
    }
    (RESULTS / "validation.json").write_text(json.dumps(values, indent=1) + "\n")


if __name__ == "__main__":
    main()
