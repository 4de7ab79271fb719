"""MPI-like communication, with the names of mpi4py."""

from serverless_dist.comm.communicators import (
    Cartcomm,
    Comm,
    Distgraphcomm,
    Graphcomm,
    Intercomm,
    Intracomm,
    Topocomm,
)
from serverless_dist.comm.constants import ANY_SOURCE, ANY_TAG, PROC_NULL
from serverless_dist.comm.data.ops import Op
from serverless_dist.comm.engine.endpoint import Endpoint
from serverless_dist.comm.engine.spans import Phase, Span, Spans
from serverless_dist.comm.engine.status import Status
from serverless_dist.comm.engine.times import PhaseTimes, Stopwatch, TracingStopwatch
from serverless_dist.comm.steps import Exchange, Recv, Send, Step, Steps
from serverless_dist.comm.world import get_self, get_world, set_world

Communicator = Intracomm
"""What a rank function is called with: a communicator of one group."""

__all__ = [
    "ANY_SOURCE",
    "ANY_TAG",
    "PROC_NULL",
    "Cartcomm",
    "Comm",
    "Communicator",
    "Distgraphcomm",
    "Endpoint",
    "Exchange",
    "Graphcomm",
    "Intercomm",
    "Intracomm",
    "Op",
    "Phase",
    "PhaseTimes",
    "Recv",
    "Send",
    "Span",
    "Spans",
    "Status",
    "Step",
    "Steps",
    "Stopwatch",
    "Topocomm",
    "TracingStopwatch",
    "get_self",
    "get_world",
    "set_world",
]
