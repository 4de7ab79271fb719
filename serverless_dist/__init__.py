"""Remote tasks and MPI-like ranks on serverless functions, queues and objects."""

import logging
from typing import TYPE_CHECKING

# Settings.
from serverless_dist.config import Config

# Errors.
from serverless_dist.errors import (
    ActorDiedError,
    CloudError,
    CredentialsError,
    DataFileError,
    DeadlineError,
    DeadlockError,
    GetTimeoutError,
    ObjectLostError,
    ProtocolError,
    RankDiedError,
    RankError,
    RemoteError,
    ServerlessDistError,
    TaskCancelledError,
    TaskError,
    TaskTimeoutError,
    UnpicklableError,
    UsageError,
    VersionMismatchError,
    WorkerCrashedError,
)
from serverless_dist.lazy import lazy_names

if TYPE_CHECKING:
    # Ranks and what they use to talk.
    from serverless_dist.comm import Communicator, Op, Status, mpi as MPI
    from serverless_dist.comm.place import compute_for

    # Running functions as ranks, in earnest or in virtual time.
    from serverless_dist.runtime import Report, Results, loading, report_progress, run
    from serverless_dist.runtime.simulated.simulate import simulate

    # Running functions and classes as remote tasks.
    from serverless_dist.tasks import (
        ActorHandle,
        ObjectRef,
        ObjectRefGenerator,
        Session,
        as_completed,
        cancel,
        get,
        get_actor,
        init,
        is_initialized,
        kill,
        map,  # noqa: A004 - as `Executor.map` is
        put,
        shutdown,
        starmap,
        wait,
    )
    from serverless_dist.tasks.remote import ranks, remote

__all__ = [
    "MPI",
    "ActorDiedError",
    "ActorHandle",
    "CloudError",
    "Communicator",
    "Config",
    "CredentialsError",
    "DataFileError",
    "DeadlineError",
    "DeadlockError",
    "GetTimeoutError",
    "ObjectLostError",
    "ObjectRef",
    "ObjectRefGenerator",
    "Op",
    "ProtocolError",
    "RankDiedError",
    "RankError",
    "RemoteError",
    "Report",
    "Results",
    "ServerlessDistError",
    "Session",
    "Status",
    "TaskCancelledError",
    "TaskError",
    "TaskTimeoutError",
    "UnpicklableError",
    "UsageError",
    "VersionMismatchError",
    "WorkerCrashedError",
    "as_completed",
    "cancel",
    "compute_for",
    "get",
    "get_actor",
    "init",
    "is_initialized",
    "kill",
    "loading",
    "map",
    "put",
    "ranks",
    "remote",
    "report_progress",
    "run",
    "shutdown",
    "simulate",
    "starmap",
    "wait",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())

_COMM = ("Communicator", "Op", "Status")
_RUNTIME = ("Report", "Results", "loading", "report_progress", "run")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__getattr__ = lazy_names(
    __name__,
    {name: "serverless_dist.tasks" for name in __all__ if name not in globals()}
    | dict.fromkeys(_RUNTIME, "serverless_dist.runtime")
    | dict.fromkeys(_COMM, "serverless_dist.comm")
    | {
        "MPI": "serverless_dist.comm.mpi:",
        "compute_for": "serverless_dist.comm.place",
        "simulate": "serverless_dist.runtime.simulated.simulate",
    },
)
