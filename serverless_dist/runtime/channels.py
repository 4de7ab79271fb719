"""The channels by name."""

from collections.abc import Callable, Mapping
from pathlib import Path

from serverless_dist.cloud import Cloud, Meter
from serverless_dist.errors import UsageError
from serverless_dist.transport import Channel
from serverless_dist.transport.blobs import BlobTransport
from serverless_dist.transport.direct import DirectTransport
from serverless_dist.transport.hybrid import HybridTransport
from serverless_dist.transport.queues import QueueTransport
from serverless_dist.wire import JobKey

DIRECT = "direct"  # the one channel that is not a cloud's
_CLOUD_CHANNELS: Mapping[str, Callable[[int, int, Cloud, JobKey], Channel]] = {
    "queue": QueueTransport,
    "object": BlobTransport,
    "hybrid": HybridTransport,
}
CHANNELS = (DIRECT, *_CLOUD_CHANNELS)


def check_channel(name: str) -> str:
    """Return `name` if there is such a channel, else raise a `UsageError`."""
    if name not in CHANNELS:
        msg = f"there is no channel {name!r}: use one of {', '.join(CHANNELS)}"
        raise UsageError(msg)
    return name


def open_channel(
    name: str,
    rank: int,
    size: int,
    *,
    cloud: Cloud,
    key: JobKey,
    sockets: Path,
    meter: Meter,
) -> Channel:
    """Return a rank's transport.

    Parameters
    ----------
    name
        One of `CHANNELS`.
    rank, size
        The rank and the number of ranks.
    cloud
        The fabric whose services carry the messages.
    key
        The job's key.
    sockets
        The private directory that the direct channel uses instead.
    meter
        Counts the bytes of the direct channel; a metered cloud counts the others'.
    """
    if name == DIRECT:
        return DirectTransport(rank, size, sockets, key, meter)
    return _CLOUD_CHANNELS[name](rank, size, cloud, key)
