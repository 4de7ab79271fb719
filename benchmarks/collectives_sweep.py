"""Every algorithm of every collective, on every channel, from 64 to 16,384 ranks.

Each row is a simulation in virtual time or, where that would be too much, the closed
form, which is named. The files are the same for the same seed, on any machine::

    python benchmarks/collectives_sweep.py
    python benchmarks/collectives_sweep.py --sweep-estimates   # what if a guess is off?
"""

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

from serverless_dist.cloud.latency import SOURCES, US_EAST_1, Latency, Profile
from serverless_dist.comm.algorithms import CANDIDATES
from serverless_dist.errors import UsageError
from serverless_dist.plan.collectives import (
    Circumstances,
    collective_options,
    plan_collective,
    predict_collective,
)
from serverless_dist.plan.options import Mark, Option

RANKS = (64, 1_024, 16_384)
SIZES = (8, 1_000_000)
FACTORS = (0.5, 2.0)
_SPAWN = get_context("spawn")  # of a process each, so that no memory adds up
ESTIMATES_AT = 64  # ranks at which estimates are varied
SERVICES = ("s3_", "sqs_", "sns_")  # what a call of a collective has to do with
NOTABLE = 1.05
RESULTS = Path(__file__).parent / "results"

Row = dict[str, Any]


Call = tuple[str, int, int]
"""A collective, how many ranks, and how many bytes."""


def calls(ranks: int, sizes: Sequence[int]) -> list[Call]:
    """Return each collective with each size; a barrier has none."""
    return [
        (collective, ranks, nbytes)
        for collective in CANDIDATES
        for nbytes in (sizes[:1] if collective == "barrier" else sizes)
    ]


def options_of(call: Call, given: Circumstances) -> Sequence[Option]:
    """Return the options of a call, judged if any can be done."""
    try:
        return plan_collective(*call, given).options
    except UsageError:
        return collective_options(*call, given)


def row_of(collective: str, nbytes: int, option: Option, given: Circumstances) -> Row:
    """Return what an option takes, and how the closed form is related to that."""
    here = replace(given, channel=str(option.channel))
    closed = predict_collective(collective, option.strategy, option.ranks, nbytes, here)
    is_simulated = option.choices["method"] == "simulation"
    return {
        "collective": collective,
        "algorithm": option.strategy,
        "channel": option.channel,
        "ranks": option.ranks,
        "bytes": nbytes,
        "method": option.choices["method"],
        "seconds": option.seconds,
        "dollars": option.dollars,
        "requests": sum(option.requests.values()),
        "seconds_to_closed_form": option.seconds / closed.seconds
        if is_simulated
        else None,
        "dollars_to_closed_form": option.dollars / closed.dollars
        if is_simulated
        else None,
        "reason": option.reason,
        "marks": [mark.value for mark in option.marks],
    }


def rows_of(call: Call, given: Circumstances) -> list[Row]:
    """Return the rows of a call, saying on standard error what they took."""
    started = time.process_time()
    collective, ranks, nbytes = call
    options = options_of(call, given)
    rows = [row_of(collective, nbytes, each, given) for each in options]
    took = time.process_time() - started
    print(f"{ranks} ranks: {collective}, {nbytes} B: {took:.0f} s", file=sys.stderr)
    return rows


def sweep(every: Sequence[Call], given: Circumstances, jobs: int) -> list[Row]:
    """Return the rows of all calls, `jobs` of them at a time."""
    with ProcessPoolExecutor(jobs, max_tasks_per_child=1, mp_context=_SPAWN) as pool:
        parts = pool.map(rows_of, every, [given] * len(every))
        return [row for part in parts for row in part]


def check(rows: Sequence[Row], file: Path) -> None:
    """Exit unless each row is in the file, which the same seed has made."""
    stored = json.loads(file.read_text())
    strange = [row for row in json.loads(json.dumps(rows)) if row not in stored]
    if strange:
        msg = f"{len(strange)} rows are not those of {file}, as {strange[0]}"
        raise SystemExit(msg)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Return the rows as a table in Markdown."""
    yield "| collective | algorithm | channel | ranks | bytes | seconds | dollars | |"
    yield "|---|---|---|--:|--:|--:|--:|---|"
    for row in rows:
        remarks = [*row["marks"]]
        remarks += [row["method"]] if row["method"] == "closed form" else []
        remarks += [f"cannot be: {row['reason']}"] if row["reason"] else []
        yield (
            f"| {row['collective']} | {row['algorithm']} | {row['channel']}"
            f" | {row['ranks']:,} | {row['bytes']:,} | {row['seconds']:.3g}"
            f" | {row['dollars']:.3g} | {'; '.join(remarks)} |"
        )


def ratios(rows: Sequence[Row]) -> Iterator[str]:
    """Return how the simulation is related to the closed form, by channel and ranks."""
    found = defaultdict(list)
    for row in rows:
        if row["seconds_to_closed_form"] is not None:
            pair = row["seconds_to_closed_form"], row["dollars_to_closed_form"]
            found[row["channel"], row["ranks"]].append(pair)
    for (channel, ranks), pairs in found.items():
        seconds, dollars = zip(*pairs, strict=True)
        yield (
            f"- {channel}, {ranks:,} ranks, {len(pairs)} calls: simulated seconds are"
            f" {median(seconds):.2f} times those of the closed form (median;"
            f" {min(seconds):.2f} to {max(seconds):.2f}), dollars {median(dollars):.2f}"
            f" times ({min(dollars):.2f} to {max(dollars):.2f})"
        )


def contradictions(rows: Sequence[Row]) -> Iterator[str]:
    """Return what a run would choose although another way is a fifth cheaper."""
    for row in rows:
        rivals = [
            each
            for each in rows
            if all(
                each[k] == row[k] for k in ("collective", "channel", "ranks", "bytes")
            )
            and each["reason"] is None
        ]
        if Mark.CHOSEN in row["marks"] and rivals:
            best = min(rivals, key=lambda each: each["dollars"])
            ratio = row["dollars"] / best["dollars"]
            if row["reason"] or ratio > 1.2:
                told = "cannot be" if row["reason"] else f"is {ratio:.2f} times as dear"
                yield (
                    f"- {row['collective']}, {row['channel']}, {row['ranks']:,} ranks,"
                    f" {row['bytes']:,} B: {row['algorithm']} is chosen, and {told}"
                    f" as {best['algorithm']}"
                )


def estimated() -> Iterator[tuple[str, float, Profile]]:
    """Return each profile in which one unpublished number is scaled."""
    for name, source in SOURCES.items():
        matters = source.is_estimate and name.startswith(SERVICES)
        for factor in FACTORS if matters else ():
            value = getattr(US_EAST_1, name)
            is_latency = isinstance(value, Latency)
            changes: dict[str, Any] = {
                name: value.scaled(factor) if is_latency else value * factor
            }
            yield name, factor, replace(US_EAST_1, **changes)


def sensitivity(given: Circumstances) -> Iterator[str]:
    """Return which recommendation is no longer right when an estimate is off.

    What is but a twentieth dearer than the best is right: that much is chance.
    """
    base = _dollars(given)
    for name, factor, profile in estimated():
        there = _dollars(replace(given, profile=profile))
        changes = []
        for call, options in there.items():
            before = min(base[call], key=base[call].__getitem__)
            after = min(options, key=options.__getitem__)
            if options[before] > NOTABLE * options[after]:
                changes.append(f"{call[0]}, {call[1]:,} B: {before} -> {after}")
        yield f"- {name} x {factor:g}: {'; '.join(changes) or 'nothing changes'}"


def _dollars(given: Circumstances) -> dict[tuple[str, int], dict[str, float]]:
    """Return the dollars of what can be done, by call and name."""
    return {
        (call[0], call[2]): {
            o.name: o.dollars for o in options_of(call, given) if o.is_feasible
        }
        for call in calls(ESTIMATES_AT, SIZES)
    }


def document(rows: Sequence[Row], given: Circumstances) -> str:
    """Return the results as Markdown."""
    assumed = (
        f"Profile {given.profile.name}, prices of {given.prices.region},"
        f" {given.memory_mb} MB, seed {given.seed}. Dollars include the seconds of all"
        " ranks."
    )
    return _text(
        "# Collectives, simulated",
        assumed,
        "## Against the closed form",
        "\n".join(ratios(rows)),
        "## Where a run's choice is not the best",
        "\n".join(contradictions(rows)),
        "## All",
        "\n".join(table(rows)),
    )


def document_estimates(given: Circumstances) -> str:
    """Return what estimates matter to, as Markdown."""
    return _text(
        "# Which choices hang on what nobody has published",
        f"{ESTIMATES_AT} ranks, seed {given.seed}; each estimate halved and doubled.",
        "\n".join(sensitivity(given)),
    )


def _text(*parts: str) -> str:
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Sweep, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, nargs="+", default=RANKS)
    parser.add_argument("--bytes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--check",
        action="store_true",
        help="compare with what is stored, store nothing",
    )
    parser.add_argument("--sweep-estimates", action="store_true")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    given = Circumstances(seed=options.seed)
    options.output.mkdir(parents=True, exist_ok=True)
    if options.sweep_estimates:
        text = document_estimates(given)
        print(text)
        (options.output / "collectives-estimates.md").write_text(text)
        return
    every = [call for ranks in options.ranks for call in calls(ranks, options.bytes)]
    rows = sweep(every, given, options.jobs)
    text = document(rows, given)
    print(text)
    if options.check:
        check(rows, options.output / "collectives-sweep.json")
        return
    lines = ",\n".join(json.dumps(row) for row in rows)
    (options.output / "collectives-sweep.json").write_text(f"[\n{lines}\n]\n")
    (options.output / "collectives-sweep.md").write_text(text)


if __name__ == "__main__":
    main()
