"""Messages between ranks: exactly once, in order per sender."""

from serverless_dist.transport.message import Body, Message, Transport

__all__ = ["Body", "Message", "Transport"]
