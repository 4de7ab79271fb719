"""Messages between ranks: exactly once, in order per sender."""

from serverless_dist.transport.message import Channel, Message, Transport

__all__ = ["Channel", "Message", "Transport"]
