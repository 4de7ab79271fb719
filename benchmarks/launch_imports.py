"""How long a function takes to import its handler, beside boto3 alone."""

import os
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping

from serverless_dist.cloud.deployment import SECRET_VARIABLE

PLAIN = "boto3 and four clients"
HANDLER = "the handler"
WHOLE = "the handler and a rank"
_CLIENTS = """
import boto3
session = boto3.Session()
for name in ("sqs", "sns", "s3", "lambda"):
    session.client(name)
"""
_HANDLER = "import serverless_dist.runtime.handler\n"
CODES = {
    PLAIN: _CLIENTS,
    HANDLER: _HANDLER,
    # An invocation imports, by its name, the module of what it is invited to be.
    WHOLE: _HANDLER + "import serverless_dist.runtime.rank\n",
}
_TIMED = """
import time
began = time.perf_counter()
{code}
print(time.perf_counter() - began)
"""


def measure_imports(rounds: int) -> dict[str, float]:
    """Return the median seconds of each code, each time in a fresh interpreter."""
    took: dict[str, list[float]] = {name: [] for name in CODES}
    for _ in range(rounds + 1):
        for name, code in CODES.items():
            took[name].append(float(_python("-c", _TIMED.format(code=code)).stdout))
    # The first round has compiled what was not.
    return {name: statistics.median(seconds[1:]) for name, seconds in took.items()}


def measure_parts() -> dict[str, Mapping[str, float]]:
    """Return for each code the seconds of importing, by top-level package."""
    return {
        name: parts_of(_python("-X", "importtime", "-c", code).stderr)
        for name, code in CODES.items()
    }


def parts_of(report: str) -> Mapping[str, float]:
    """Return the seconds by top-level package of what `-X importtime` has written.

    >>> parts_of('''import time: self [us] | cumulative | imported package
    ... import time:       300 |        300 |   json.decoder
    ... import time:       200 |        500 | json
    ... ''')
    {'json': 0.0005}
    """
    parts: dict[str, int] = defaultdict(int)
    for line in report.splitlines():
        own, _, rest = line.removeprefix("import time:").partition("|")
        if line.startswith("import time:") and own.strip().isdigit():
            module = rest.partition("|")[2].strip()
            parts[module.partition(".")[0]] += int(own)
    return {name: micros / 1e6 for name, micros in parts.items()}


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python as the environment of a function does."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    here = {
        "AWS_LAMBDA_FUNCTION_NAME": "function",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "emulated",
        "AWS_SECRET_ACCESS_KEY": "emulated",
        SECRET_VARIABLE: bytes(32).hex(),
    }
    return subprocess.run(
        [sys.executable, *arguments],
        env=kept | here,
        capture_output=True,
        text=True,
        check=True,
    )
