"""Runs in virtual time, on a simulated cloud."""

from serverless_dist.runtime.simulated.calls import SimulationWarning
from serverless_dist.runtime.simulated.job import Compute
from serverless_dist.runtime.simulated.scripts import run_as_main
from serverless_dist.runtime.simulated.simulate import simulate

__all__ = ["Compute", "SimulationWarning", "run_as_main", "simulate"]
