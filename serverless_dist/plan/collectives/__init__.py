"""What one call of a collective takes, by every algorithm on every channel.

`estimate` runs a call's steps in virtual time on the clocks of the services; `plan`
puts all ways beside each other.
"""

from serverless_dist.plan.collectives.estimate import (
    Circumstances,
    Estimate,
    Method,
    estimate,
    is_simulated,
    predict_collective,
    simulate_collective,
)
from serverless_dist.plan.collectives.plan import (
    SERVICES,
    collective_options,
    plan_collective,
)

__all__ = [
    "SERVICES",
    "Circumstances",
    "Estimate",
    "Method",
    "collective_options",
    "estimate",
    "is_simulated",
    "plan_collective",
    "predict_collective",
    "simulate_collective",
]
