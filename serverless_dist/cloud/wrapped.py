"""A cloud in front of another, which answers for whatever is not replaced."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, overload

from serverless_dist.cloud.services import Blobs, Clock, Cloud, Queue, Topic

T = TypeVar("T")


class Each(Sequence[T]):
    """What `wrap` makes of each of `items`, when it is asked for.

    A fabric may have thousands of mailboxes, of which a rank uses a few.

    >>> each = Each([1, 2, 3], lambda number: print("made") or -number)
    >>> each[2], each[2]
    made
    (-3, -3)
    """

    def __init__(self, items: Sequence[Any], wrap: Callable[[Any], T]) -> None:
        self._items = items
        self._wrap = wrap
        self._made: dict[int, T] = {}

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, int) and index in self._made:
            return self._made[index]
        places = range(len(self._items))[index]
        if isinstance(places, range):
            return [self[place] for place in places]
        return self._made.setdefault(places, self._wrap(self._items[places]))


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
