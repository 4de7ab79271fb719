"""A cloud in virtual time, whose requests take published times."""

from serverless_dist.cloud.simulated.cloud import Machine, SimulatedCloud

__all__ = ["Machine", "SimulatedCloud"]
