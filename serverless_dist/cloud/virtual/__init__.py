"""Virtual time: real code whose waits take no time of ours."""

from serverless_dist.cloud.virtual.time import VirtualTime

__all__ = ["VirtualTime"]
