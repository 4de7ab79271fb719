"""What it takes to simulate: a real script with 100 collectives on 1,000 ranks.

``python benchmarks/simulation.py [--ranks N]`` prints seconds of this machine, its
memory, and what the simulated run took, and writes it to ``results/simulation.json``.
Bound: 60 s and 4 GB on two cores.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HERE = Path(__file__).parent
SCRIPT = HERE / "hundred_collectives.py"
CHANNELS = ("queue", "object", "hybrid")


def simulated(ranks: int, channel: str, directory: Path) -> dict[str, Any]:
    """Simulate in a process of its own; return what it took, here and there."""
    file = directory / f"{channel}.json"
    command = [sys.executable, "-m", "serverless_dist", "simulate", "-n", str(ranks)]
    options = ["--channel", channel, "--compute", "given", "--json", str(file)]
    options += ["--timeout", "3000"]  # virtual: objects take their time
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, *options, str(SCRIPT)], stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    if process.returncode:
        msg = f"{channel}: exit code {process.returncode}"
        raise SystemExit(msg)
    report = json.loads(file.read_text())
    return {
        "channel": channel,
        "ranks": ranks,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb": round(used.ru_maxrss / 1_024),
        "virtual_seconds": report["seconds"],
        "dollars": report["dollars"]["total"],
        "requests": sum(report["requests"].values()),
    }


def main() -> None:
    """Simulate on each channel, print and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, default=1_000)
    options = parser.parse_args()
    rows = []
    print("channel  real s   CPU s  peak MB  virtual s   dollars   requests")
    with TemporaryDirectory() as directory:
        for channel in CHANNELS:
            row = simulated(options.ranks, channel, Path(directory))
            rows.append(row)
            print(
                f"{channel:7} {row['seconds']:7.1f} {row['cpu_seconds']:7.1f}"
                f" {row['peak_mb']:8} {row['virtual_seconds']:10.2f}"
                f" {row['dollars']:9.4f} {row['requests']:10,}"
            )
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    text = json.dumps(rows, indent=2) + "\n"
    (results / "simulation.json").write_text(text)


if __name__ == "__main__":
    main()
