"""``serverless-dist calibrate``: measure how long a cloud takes, for simulations."""

import argparse
from dataclasses import fields
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from serverless_dist.cli.display import progress_bar
from serverless_dist.cli.options import check_writable, config_of, write_json
from serverless_dist.cli.places import add_place_options
from serverless_dist.cloud.latency import US_EAST_1, Latency, Profile
from serverless_dist.runtime.bill import DEFAULT_REGION, prices_near
from serverless_dist.runtime.calibrate import (
    CLOUDS,
    calibrate,
    check_samples,
    cost,
    expected,
)
from serverless_dist.runtime.calibration import Calibration

_SAMPLES = 100
_FILE = Path("calibration.json")
_NAMES = [field.name for field in fields(Profile)]


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser the command's options."""
    parser.description = (
        "Measure how long the services of a deployment take, by two ranks in its"
        " functions, and write a profile for simulate and plan. What it costs, about"
        " a cent with the default samples, is said before and after."
    )
    add = parser.add_argument
    add("--cloud", choices=CLOUDS, default=CLOUDS[0], help="what (default: aws)")
    add(
        "--samples",
        type=int,
        default=_SAMPLES,
        metavar="N",
        help=f"how often each of the two ranks times a request (default: {_SAMPLES})",
    )
    add(
        "--output",
        type=Path,
        default=_FILE,
        metavar="FILE",
        help=f"where to write the profile (default: {_FILE})",
    )
    add_place_options(parser)
    parser.set_defaults(command=run_command)


def run_command(options: argparse.Namespace) -> None:
    """Measure, print what was found, and write it."""
    check_samples(options.samples)
    check_writable(options.output)
    config = config_of(options)
    if options.cloud == "aws":
        prices = prices_near(config.region or DEFAULT_REGION)
        dollars = cost(*expected(options.samples, config), prices)
        Console(highlight=False).print(f"This costs about ${dollars:.4f}.")
    with progress_bar("Measuring") as watch:
        found = calibrate(options.cloud, config, options.samples, on_progress=watch)
    write_json(options.output, found.to_dict())
    _print(found, options.output)


def _print(found: Calibration, file: Path) -> None:
    console = Console(highlight=False)
    console.print(_table(found))
    for line in (_kept(found), _bill(found), f"Written: {file}"):
        console.print(line, soft_wrap=True)


def _kept(found: Calibration) -> str:
    """Say what the measured times are, and which are not measured."""
    kept = [
        name
        for name in _NAMES
        if name not in found.fields and isinstance(getattr(US_EAST_1, name), Latency)
    ]
    return (
        "Times of a request in a function, less the processor time that it takes"
        f" there. As published: {', '.join(kept)}."
    )


def _bill(found: Calibration) -> str:
    prices = prices_near(found.region)
    dollars = f"${cost(found.usage, found.gb_seconds, prices):.4f}"
    if found.cloud == "aws":
        return f"It cost {dollars} at the prices of {prices.region}."
    return (
        "These are the times of emulators on this machine, not of AWS, where it would"
        f" have cost {dollars}."
    )


def _table(found: Calibration) -> Table:
    table = Table(
        title=f"{found.name}, {found.memory_mb:,} MB",
        title_justify="left",
        box=SIMPLE_HEAD,
        collapse_padding=True,
    )
    table.add_column("field", min_width=13, overflow="fold")
    for heading in ("p50", "p99", "published p50", "p99", "samples"):
        table.add_column(heading, justify="right", overflow="fold")
    for name in _NAMES:
        got = found.fields.get(name)
        if got is not None:
            both = (got.value, getattr(US_EAST_1, name))
            cells = [cell for value in both for cell in _shown(name, value)]
            table.add_row(name, *cells, f"{got.samples:,}")
    return table


def _shown(name: str, value: Latency | float) -> tuple[str, str]:
    """Return the median and the 99th percentile of a field, with units.

    >>> _shown("s3_get", Latency(0.010, 0.005, 1.0)), _shown("stream_rate", 9e7)
    (('15.0 ms', '61.2 ms'), ('90.0 MB/s', ''))
    """
    if isinstance(value, Latency):
        return _time(value.typical), _time(value.quantile(0.99))
    if name.endswith("_rate"):
        return f"{value / 1e6:.1f} MB/s", ""
    return _time(value), ""


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"
