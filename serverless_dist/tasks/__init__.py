"""Remote tasks: functions and classes that run elsewhere, and refs of their results."""

from serverless_dist.tasks.api import as_completed, cancel, get, put, wait
from serverless_dist.tasks.handles import ActorHandle, get_actor, kill
from serverless_dist.tasks.mapping import map, starmap  # noqa: A004
from serverless_dist.tasks.refs import ObjectRef, ObjectRefGenerator
from serverless_dist.tasks.remote import ranks, remote
from serverless_dist.tasks.session import Session, init, is_initialized, shutdown

__all__ = [
    "ActorHandle",
    "ObjectRef",
    "ObjectRefGenerator",
    "Session",
    "as_completed",
    "cancel",
    "get",
    "get_actor",
    "init",
    "is_initialized",
    "kill",
    "map",
    "put",
    "ranks",
    "remote",
    "shutdown",
    "starmap",
    "wait",
]
