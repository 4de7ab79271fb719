"""MPI-like communication, with the names of mpi4py."""

from serverless_dist.comm.communicator import Communicator
from serverless_dist.comm.endpoint import Endpoint
from serverless_dist.comm.ops import Op
from serverless_dist.comm.status import ANY_SOURCE, ANY_TAG, PROC_NULL, Status
from serverless_dist.comm.steps import Exchange, Recv, Send, Step, Steps
from serverless_dist.comm.times import PhaseTimes
from serverless_dist.comm.world import get_self, get_world, set_world

__all__ = [
    "ANY_SOURCE",
    "ANY_TAG",
    "PROC_NULL",
    "Communicator",
    "Endpoint",
    "Exchange",
    "Op",
    "PhaseTimes",
    "Recv",
    "Send",
    "Status",
    "Step",
    "Steps",
    "get_self",
    "get_world",
    "set_world",
]
