"""What a receive says about the message it got."""

from dataclasses import dataclass

ANY_SOURCE = -1
"""Receive from whichever rank sent first."""

ANY_TAG = -1
"""Receive whatever the tag."""

PROC_NULL = -2
"""Nobody: sending to it does nothing, receiving from it gives None at once."""


@dataclass(slots=True)
class Status:
    """Filled in by a receive that it is passed to.

    Attributes
    ----------
    source
        The rank that sent the message.
    tag
        Its tag.
    count
        The bytes of the encoded object.
    """

    source: int = ANY_SOURCE
    tag: int = ANY_TAG
    count: int = 0

    def Get_source(self) -> int:
        """Return the rank that sent the message."""
        return self.source

    def Get_tag(self) -> int:
        """Return the tag of the message."""
        return self.tag

    def Get_count(self) -> int:
        """Return the bytes of the encoded object."""
        return self.count
