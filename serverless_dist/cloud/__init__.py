"""The cloud seams and their implementations."""

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
    "Clock",
    "Cloud",
    "Delivery",
    "Entry",
    "Functions",
    "Queue",
    "Topic",
]
