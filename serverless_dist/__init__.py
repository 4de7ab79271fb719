"""Remote tasks and MPI-like ranks on serverless functions, queues and objects."""

import logging

# Ranks and what they use to talk.
from serverless_dist.comm import Communicator, Op, Status, mpi as MPI

# Settings.
from serverless_dist.config import Config

# Errors.
from serverless_dist.errors import (
    CloudError,
    CredentialsError,
    DataFileError,
    DeadlineError,
    ProtocolError,
    RankDiedError,
    RankError,
    ServerlessDistError,
    UnpicklableError,
    UsageError,
)

# Running functions as ranks.
from serverless_dist.runtime import Report, Results, report_progress, run

__all__ = [
    "MPI",
    "CloudError",
    "Communicator",
    "Config",
    "CredentialsError",
    "DataFileError",
    "DeadlineError",
    "Op",
    "ProtocolError",
    "RankDiedError",
    "RankError",
    "Report",
    "Results",
    "ServerlessDistError",
    "Status",
    "UnpicklableError",
    "UsageError",
    "report_progress",
    "run",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())
