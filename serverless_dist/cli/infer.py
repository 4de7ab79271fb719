"""``serverless-dist infer``: the sparse-DNN benchmark on ranks."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from serverless_dist.cli.display import print_report, progress_bar
from serverless_dist.cli.options import (
    add_run_options,
    check_results,
    check_writable,
    config_of,
    write_results,
)
from serverless_dist.comm import get_self
from serverless_dist.errors import RankError, UsageError
from serverless_dist.inference import Answer, Job, Partition, infer, write_categories
from serverless_dist.runtime import Report, Results, run


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser the command's options."""
    parser.description = (
        "Run a network of the Sparse DNN Graph Challenge, its rows split"
        " over the ranks, and say what it took."
    )
    add = parser.add_argument
    add("--neurons", type=int, default=1_024, metavar="N", help="1024 to 65536")
    add("--layers", type=int, default=120, metavar="L", help="1 to 1920")
    add("--samples", type=int, default=10_000, metavar="S", help="inputs")
    add("--ranks", type=int, default=4, metavar="P", help="1 is serial (default: 4)")
    add_run_options(parser)
    add("--partition", choices=tuple(Partition), default=Partition.CONTIGUOUS)
    add("--seed", type=int, default=0, help="of the generated network and partition")
    add("--data", type=Path, metavar="DIR", help="official files to use instead")
    add("--output", type=Path, metavar="FILE", help="write the category numbers")
    add(
        "--no-check",
        action="store_true",
        help="do not compare with the answer of one process",
    )
    parser.set_defaults(command=run_command)


def run_command(options: argparse.Namespace) -> None:
    """Infer, compare, and report as asked."""
    check_results(options)
    check_writable(options.output)
    job = _job(options)
    results = _infer(job, options)
    categories = results[0].categories
    assert categories is not None
    matches = None if options.no_check else _matches_serial(categories, job, options)
    if options.output:
        write_categories(options.output, categories)
    summary = {**_summary(job, categories), "matches_serial": matches}
    write_results(options, results.report, more=summary)
    _print(Console(), summary, results.report)


def _job(options: argparse.Namespace) -> Job:
    data: Path | None = options.data
    if data is not None and not data.is_dir():
        msg = f"there is no directory {data}"
        raise UsageError(msg)
    job = Job(
        neurons=options.neurons,
        layers=options.layers,
        samples=options.samples,
        directory=None if data is None else data.absolute(),
        partition=Partition(options.partition),
        seed=options.seed,
    )
    job.owners(options.ranks)
    return job


def _infer(job: Job, options: argparse.Namespace) -> Results[Answer]:
    try:
        with progress_bar("Layers") as on_progress:
            return run(
                infer,
                job,
                ranks=options.ranks,
                cloud=options.cloud,
                channel=options.channel,
                timeout=options.timeout,
                config=config_of(options),
                on_progress=on_progress,
                trace=options.trace is not None,
            )
    except RankError as error:
        if isinstance(error.__cause__, UsageError):
            raise error.__cause__ from None  # the data's fault, not the rank's
        raise


def _matches_serial(
    categories: NDArray[np.int64], job: Job, options: argparse.Namespace
) -> bool:
    """Tell whether one process finds the same; one rank is one process."""
    if options.ranks == 1:
        return True
    serial = infer(get_self(), job).categories
    return serial is not None and np.array_equal(categories, serial)


def _summary(job: Job, categories: NDArray[np.int64]) -> dict[str, Any]:
    return {
        "neurons": job.neurons,
        "layers": job.layers,
        "samples": job.samples,
        "categories": len(categories),
    }


def _print(console: Console, summary: dict[str, Any], report: Report) -> None:
    agreement = {
        None: "not compared with one process",
        True: "the same as one process finds",
        False: "NOT the same as one process finds",
    }[summary["matches_serial"]]
    console.print(f"{summary['categories']} categories, {agreement}")
    per_sample = 1_000 * report.seconds / summary["samples"]
    console.print(
        f"{summary['neurons']} neurons, {summary['layers']} layers,"
        f" {summary['samples']:,} samples in {report.seconds:.2f} s,"
        f" {per_sample:.3f} ms per sample\n"
    )
    print_report(console, report)
