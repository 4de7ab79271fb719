"""mpi4py's module, as far as we have it: ``from serverless_dist import MPI``.

>>> from serverless_dist.comm import mpi as MPI
>>> MPI.COMM_WORLD.allreduce(7, op=MPI.SUM)
7
"""

import platform
import time
from typing import Any

from serverless_dist.comm.communicator import Communicator
from serverless_dist.comm.ops import (
    BAND,
    BOR,
    BXOR,
    LAND,
    LOR,
    LXOR,
    MAX,
    MAXLOC,
    MIN,
    MINLOC,
    PROD,
    SUM,
    Op,
)
from serverless_dist.comm.status import ANY_SOURCE, ANY_TAG, PROC_NULL, Status
from serverless_dist.comm.world import get_self, get_world

__all__ = [
    "ANY_SOURCE",
    "ANY_TAG",
    "BAND",
    "BOR",
    "BXOR",
    "COMM_SELF",
    "COMM_WORLD",
    "LAND",
    "LOR",
    "LXOR",
    "MAX",
    "MAXLOC",
    "MIN",
    "MINLOC",
    "PROC_NULL",
    "PROD",
    "SUM",
    "Comm",
    "Get_processor_name",
    "Op",
    "Status",
    "Wtime",
]

Comm = Communicator

COMM_WORLD: Communicator
"""All ranks of the job; this process alone if it was not started as a rank."""

COMM_SELF: Communicator
"""This process alone."""


def __getattr__(name: str) -> Any:
    # Looked up at each use: a module may import this one before the rank starts.
    match name:
        case "COMM_WORLD":
            return get_world()
        case "COMM_SELF":
            return get_self()
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def Wtime() -> float:
    """Return the time in seconds from an arbitrary point in the past."""
    return time.perf_counter()


def Get_processor_name() -> str:
    """Return the name of the machine."""
    return platform.node()
