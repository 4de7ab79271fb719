"""A cloud in front of another, which answers for whatever is not replaced."""

from collections.abc import Sequence

from serverless_dist.cloud.services import Blobs, Clock, Cloud, Queue, Topic


class WrappedCloud:
    """The cloud underneath, with some of its services replaced; see `Cloud`.

    Parameters
    ----------
    cloud
        The cloud underneath.
    mailboxes, topic, blobs
        What to answer with instead of its own; None: its own.
    """

    def __init__(
        self,
        cloud: Cloud,
        *,
        mailboxes: Sequence[Queue] | None = None,
        topic: Topic | None = None,
        blobs: Blobs | None = None,
    ) -> None:
        self._cloud = cloud
        self._mailboxes = cloud.mailboxes if mailboxes is None else mailboxes
        self._topic = cloud.topic if topic is None else topic
        self._blobs = cloud.blobs if blobs is None else blobs

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._cloud!r}>"

    @property
    def clock(self) -> Clock:
        """The time that its services go by."""
        return self._cloud.clock

    @property
    def mailboxes(self) -> Sequence[Queue]:
        """The queues, by index."""
        return self._mailboxes

    @property
    def topic(self) -> Topic:
        """The topic that reaches all mailboxes."""
        return self._topic

    @property
    def blobs(self) -> Blobs:
        """The object store."""
        return self._blobs

    def close(self) -> None:
        """Close the cloud underneath."""
        self._cloud.close()
