"""The sparse-DNN application: inference over ranks that each hold some neurons."""

from serverless_dist.inference.challenge import (
    ChallengeNetwork,
    read_categories,
    read_inputs,
    write_categories,
)
from serverless_dist.inference.infer import Answer, infer
from serverless_dist.inference.inputs import load_inputs
from serverless_dist.inference.job import Job
from serverless_dist.inference.network import GeneratedNetwork, Network
from serverless_dist.inference.partition import Partition
from serverless_dist.inference.seconds import Phase

__all__ = [
    "Answer",
    "ChallengeNetwork",
    "GeneratedNetwork",
    "Job",
    "Network",
    "Partition",
    "Phase",
    "infer",
    "load_inputs",
    "read_categories",
    "read_inputs",
    "write_categories",
]
