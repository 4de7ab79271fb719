"""Which of the messages that have arrived a receive gets.

The laws:

1. A receive names a context, and a source or any, and a tag or any.
2. It gets the first message to have arrived of those that fit; so messages of one
   source and tag never overtake each other.
3. No call takes longer because many unexpected messages are held.

Each message is filed under the four patterns that fit it (its source or any, its tag
or any), in order of arrival, and removed from all four when it is taken.
"""

from collections import OrderedDict
from itertools import count

from serverless_dist.comm.status import ANY_SOURCE, ANY_TAG
from serverless_dist.transport import Message

_Pattern = tuple[int, int, int]  # context, source, tag


class Matching:
    """The messages that have arrived and that nobody has taken yet."""

    def __init__(self) -> None:
        self._arrivals = count()
        self._files: dict[_Pattern, OrderedDict[int, Message]] = {}
        self._length = 0

    def add(self, message: Message) -> None:
        """File a message that has arrived."""
        arrival = next(self._arrivals)
        for pattern in _patterns(message):
            file = self._files.get(pattern)
            if file is None:
                file = self._files[pattern] = OrderedDict()
            file[arrival] = message
        self._length += 1

    def take(self, context: int, source: int, tag: int) -> Message | None:
        """Remove and return the first message that fits, or None.

        `source` may be `ANY_SOURCE`, `tag` may be `ANY_TAG`.
        """
        file = self._files.get((context, source, tag))
        if file is None:
            return None
        arrival, message = next(iter(file.items()))
        for pattern in _patterns(message):
            file = self._files[pattern]
            del file[arrival]
            if not file:
                del self._files[pattern]
        self._length -= 1
        return message

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<Matching {self._length} waiting>"


def _patterns(message: Message) -> tuple[_Pattern, ...]:
    context, source, tag = message.context, message.source, message.tag
    return (
        (context, source, tag),
        (context, source, ANY_TAG),
        (context, ANY_SOURCE, tag),
        (context, ANY_SOURCE, ANY_TAG),
    )
