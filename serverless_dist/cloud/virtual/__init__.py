"""Virtual time: real code whose waits take no time of ours."""

from serverless_dist.errors import UsageError

try:
    from serverless_dist.cloud.virtual.time import VirtualTime
except ModuleNotFoundError as error:
    if error.name != "greenlet":
        raise
    msg = "simulations need greenlet: pip install 'serverless_dist[plan]'"
    raise UsageError(msg) from error

__all__ = ["VirtualTime"]
