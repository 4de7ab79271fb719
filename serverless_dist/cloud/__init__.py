"""The cloud seams and their implementations."""

from serverless_dist.cloud.chaotic import (
    Chaos,
    ChaoticBlobs,
    ChaoticCloud,
    ChaoticQueue,
    ChaoticTopic,
)
from serverless_dist.cloud.clock import SystemClock
from serverless_dist.cloud.memory import (
    MemoryBlobs,
    MemoryCloud,
    MemoryFunctions,
    MemoryTopic,
)
from serverless_dist.cloud.memory_queue import MemoryQueue
from serverless_dist.cloud.meter import Meter, Usage
from serverless_dist.cloud.metered import (
    MeteredBlobs,
    MeteredCloud,
    MeteredFunctions,
    MeteredQueue,
    MeteredTopic,
)
from serverless_dist.cloud.services import (
    Blobs,
    Buffer,
    Clock,
    Cloud,
    Delivery,
    Entry,
    Functions,
    Queue,
    Topic,
)

__all__ = [
    "Blobs",
    "Buffer",
    "Chaos",
    "ChaoticBlobs",
    "ChaoticCloud",
    "ChaoticQueue",
    "ChaoticTopic",
    "Clock",
    "Cloud",
    "Delivery",
    "Entry",
    "Functions",
    "MemoryBlobs",
    "MemoryCloud",
    "MemoryFunctions",
    "MemoryQueue",
    "MemoryTopic",
    "Meter",
    "MeteredBlobs",
    "MeteredCloud",
    "MeteredFunctions",
    "MeteredQueue",
    "MeteredTopic",
    "Queue",
    "SystemClock",
    "Topic",
    "Usage",
]
