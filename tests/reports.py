"""Reports of runs that never were."""

from typing import Any

from serverless_dist import Report
from serverless_dist.cloud import Usage
from serverless_dist.cloud.prices import US_EAST_1
from serverless_dist.runtime.bill import unit_prices


def made_up(**values: Any) -> Report:
    """Return a report with these values, and of an empty run with all others."""
    given = {
        "job": "f00",
        "ranks": 1,
        "channel": "queue",
        "cloud": "local",
        "seconds": 9.0,
        "usage": Usage(),
        "memory_mb": 1_769,
        "phases": [],
        "started": 0.0,
        "region": "us-east-1",
        "priced_in": "us-east-1",
        "prices": unit_prices(US_EAST_1),
        "dropped": {},
        "traffic": [],
        "timelines": {},
        "simulation": None,
    }
    return Report(**{**given, **values})
