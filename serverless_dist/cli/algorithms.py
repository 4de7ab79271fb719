"""``serverless-dist algorithms``: what each way to do a collective would take."""

import argparse
import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from serverless_dist.cli.options import check_writable, write_json
from serverless_dist.comm.algorithms import CANDIDATES, Algorithm, candidates, choose
from serverless_dist.errors import UsageError
from serverless_dist.runtime.channels import CHANNELS

_MAX_RANKS = 1_000_000
_SIZE = re.compile(r"(\d{1,15}|\d{0,15}\.\d{1,15}) ?(?:([KMGT]i?)?B?)", re.IGNORECASE)
_POWERS = "KMGT"


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser the command's options."""
    parser.description = (
        "Say what each algorithm of a collective asks of a network, what"
        " that would take on each channel, and which one is chosen there."
    )
    add = parser.add_argument
    add("collective", help=", ".join(CANDIDATES))
    add("--ranks", type=int, default=8, metavar="N", help="ranks (default: 8)")
    add(
        "--bytes",
        default="1KB",
        metavar="SIZE",
        help="of each rank's data, as 8, 64KiB or 1MB; of one item in scatter and"
        " alltoall (default: 1KB)",
    )
    add("--channel", choices=CHANNELS, help="only this one (default: all)")
    add(
        "--objects",
        action="store_true",
        help="data are objects, which cannot be cut, not arrays",
    )
    add(
        "--cores",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="that the ranks share on the direct channel (default: this machine's)",
    )
    add("--json", type=Path, metavar="FILE", help="write the numbers to FILE")
    add("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(command=run_command)


def run_command(options: argparse.Namespace) -> None:
    """Predict, and print or write what was predicted."""
    if not 1 <= options.ranks <= _MAX_RANKS:
        msg = f"--ranks is {options.ranks}: give a number from 1 to {_MAX_RANKS:,}"
        raise UsageError(msg)
    if options.cores < 1:
        msg = f"--cores is {options.cores}: give a number from 1 on"
        raise UsageError(msg)
    check_writable(options.json)
    summary = _summary(options, parse_size(options.bytes))
    if options.json:
        write_json(options.json, summary)
    _print(Console(), summary)


def parse_size(text: str) -> int:
    """Return how many bytes a text such as ``1MB`` or ``64KiB`` means.

    Raises
    ------
    UsageError
        It means none.

    Examples
    --------
    >>> parse_size("8"), parse_size("1.5 kB"), parse_size("64KiB"), parse_size("1M")
    (8, 1500, 65536, 1000000)
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        msg = f"--bytes is {text!r}: write a size as 8, 64KiB or 1MB"
        raise UsageError(msg)
    number, unit = match.groups(default="")
    base = 1_024 if unit[1:] else 1_000
    power = _POWERS.index(unit[0].upper()) + 1 if unit else 0
    return int(Decimal(number) * base**power)


def _summary(options: argparse.Namespace, nbytes: int) -> dict[str, Any]:
    found = candidates(options.collective)
    channels = [options.channel] if options.channel else list(CHANNELS)
    algorithms = []
    for algorithm in found:
        cost = algorithm.cost(options.ranks, nbytes)
        algorithms.append(
            {
                "name": algorithm.name,
                "rounds": cost.rounds,
                "messages": cost.messages,
                "bytes": cost.bytes,
                "posts": cost.posts,
            }
        )
    return {
        "collective": options.collective,
        "ranks": options.ranks,
        "bytes": nbytes,
        "cores": options.cores,
        "algorithms": algorithms,
        "channels": {
            channel: _predictions(options, nbytes, channel, found)
            for channel in channels
        },
    }


def _predictions(
    options: argparse.Namespace,
    nbytes: int,
    channel: str,
    found: tuple[Algorithm, ...],
) -> list[dict[str, Any]]:
    chosen = choose(
        options.collective,
        ranks=options.ranks,
        nbytes=nbytes,
        channel=channel,
        vector=not options.objects,
        cores=options.cores,
    )
    rows = []
    for algorithm in found:
        prediction = algorithm.predict(channel, options.ranks, nbytes, options.cores)
        rows.append(
            {
                "name": algorithm.name,
                "seconds": prediction.seconds,
                "request_dollars": prediction.requests,
                "dollars": prediction.dollars,
                "chosen": algorithm is chosen,
                "note": _obstacle(algorithm, options, channel),
            }
        )
    return rows


def _obstacle(algorithm: Algorithm, options: argparse.Namespace, channel: str) -> str:
    """Return why an algorithm is not chosen whatever it costs; empty if it may be."""
    if algorithm.needs_vector and options.objects:
        return "arrays only"
    if algorithm.needs_power and options.ranks & (options.ranks - 1):
        return "powers of two only"
    if algorithm.is_linear and channel != "direct":
        return "linear rounds"
    return ""


def _print(console: Console, summary: dict[str, Any]) -> None:
    ranks = "1 rank" if summary["ranks"] == 1 else f"{summary['ranks']:,} ranks"
    size = decimal(summary["bytes"])
    table = _table(f"{summary['collective']} among {ranks}, {size}")
    for heading in ("rounds", "messages", "bytes", "posts"):
        table.add_column(heading, justify="right")
    for row in summary["algorithms"]:
        counts = [f"{row[key]:,}" for key in ("rounds", "messages", "posts")]
        counts.insert(2, decimal(row["bytes"]))
        table.add_row(row["name"], *counts)
    console.print(table)
    for channel, rows in summary["channels"].items():
        table = _table(f"{channel} channel")
        for heading in ("time", "requests", "in all"):
            table.add_column(heading, justify="right")
        table.add_column("")
        for row in rows:
            prices = (f"${row[key]:.7f}" for key in ("request_dollars", "dollars"))
            note = "chosen" if row["chosen"] else row["note"]
            style = "bold" if row["chosen"] else ""
            table.add_row(
                row["name"], _time(row["seconds"]), *prices, note, style=style
            )
        console.print(table)
    console.print(
        "In all: requests, and the seconds of all ranks at Lambda's price of a vCPU.\n"
        "Linear rounds: chosen on the direct channel only; elsewhere used by name.\n"
        f"Direct: one machine of {summary['cores']} cores."
    )


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("algorithm", min_width=21)
    return table


def _time(seconds: float) -> str:
    """Return seconds in a unit that suits them.

    >>> _time(0.00012), _time(0.25), _time(12.0)
    ('120 us', '250.0 ms', '12.0 s')
    """
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1e3:.1f} ms" if seconds < 10 else f"{seconds:.1f} s"
