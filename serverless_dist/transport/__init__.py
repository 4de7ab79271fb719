"""Messages between ranks: exactly once, in order per sender."""

from serverless_dist.transport.message import Message, Transport

__all__ = ["Message", "Transport"]
