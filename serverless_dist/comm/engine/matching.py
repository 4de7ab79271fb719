"""Which of the messages that have arrived a receive gets. Pure.

The laws:

1. A receive names a context, and a source or any, and a tag or any.
2. It gets the first message to have arrived of those that fit, and a message goes to
   the first receive posted of those that it fits; so messages of one source and tag
   never overtake each other.
3. No call takes longer because many messages or many receives are waiting.

A message that nobody has asked for is filed under the four patterns that fit it (its
source or any, its tag or any), in order of arrival, and removed from all four when it
is taken. A receive is filed under its own pattern; a message looks at four.

A tag's upper bits ask for an acknowledgement (see `TAG_BITS`); they match nothing.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection
from itertools import count

from serverless_dist.comm.constants import ANY_SOURCE, ANY_TAG
from serverless_dist.transport import Message

TAG_BITS = 40
"""The bits of a tag that are matched; those above number a synchronous send."""

TAG_MASK = (1 << TAG_BITS) - 1

_Pattern = tuple[int, int, int]  # context, source, tag


MOST_NAMED = 8  # peers that an error names before it only counts them


class Receive:
    """A posted receive: what it waits for and, once that is here, the message.

    Attributes
    ----------
    then
        Called, under the lock of the endpoint, when the message comes.
    """

    __slots__ = ("message", "number", "pattern", "then")

    def __init__(self, context: int, source: int, tag: int) -> None:
        self.pattern = (context, source, tag)
        self.number = -1
        self.message: Message | None = None
        self.then: Callable[[], None] | None = None

    @property
    def source(self) -> int:
        """The rank it waits for, or `ANY_SOURCE`."""
        return self.pattern[1]

    @property
    def is_done(self) -> bool:
        """Whether the message is here."""
        return self.message is not None

    def sources(self) -> Collection[int]:
        """Return the source, if it is one."""
        source = self.pattern[1]
        return () if source == ANY_SOURCE else (source,)

    def describe(self) -> str:
        """Return what it waits for."""
        _, source, tag = self.pattern
        what = "for any tag" if tag == ANY_TAG else f"for tag {tag}"
        return f"{what} from {name_ranks((source,))}"


class Matching:
    """The messages nobody has taken yet, and the receives without a message yet."""

    def __init__(self) -> None:
        self._numbers = count()
        self._messages: dict[_Pattern, OrderedDict[int, Message]] = {}
        self._receives: dict[_Pattern, OrderedDict[int, Receive]] = {}
        self._sources: dict[int, int] = {}  # how many receives wait for each
        self._length = 0

    @property
    def sources(self) -> Collection[int]:
        """Whom receives wait for; `ANY_SOURCE` is among them if one waits for any."""
        return self._sources.keys()

    def add(self, message: Message) -> Receive | None:
        """Give an arriving message to the receive it returns, or file it."""
        patterns = _patterns(message)
        first = self._first_receive(patterns) if self._receives else None
        if first is not None:
            first.message = message
            self.withdraw(first)
            return first
        number = next(self._numbers)
        for pattern in patterns:
            file = self._messages.get(pattern)
            if file is None:
                file = self._messages[pattern] = OrderedDict()
            file[number] = message
        self._length += 1
        return None

    def post(self, receive: Receive) -> bool:
        """Give the receive its message and return True, or file it."""
        receive.message = self.take(*receive.pattern)
        if receive.message is not None:
            return True
        receive.number = next(self._numbers)
        file = self._receives.get(receive.pattern)
        if file is None:
            file = self._receives[receive.pattern] = OrderedDict()
        file[receive.number] = receive
        source = receive.source
        self._sources[source] = self._sources.get(source, 0) + 1
        return False

    def withdraw(self, receive: Receive) -> bool:
        """Remove a receive; False: it is not waiting (any more)."""
        file = self._receives.get(receive.pattern)
        if file is None or file.pop(receive.number, None) is None:
            return False
        if not file:
            del self._receives[receive.pattern]
        source = receive.source
        self._sources[source] -= 1
        if not self._sources[source]:
            del self._sources[source]
        return True

    def find(self, context: int, source: int, tag: int) -> Message | None:
        """Return the first message that fits, or None; it stays."""
        file = self._messages.get((context, source, tag))
        return None if file is None else next(iter(file.values()))

    def take(self, context: int, source: int, tag: int) -> Message | None:
        """Remove and return the first message that fits, or None.

        `source` may be `ANY_SOURCE`, `tag` may be `ANY_TAG`.
        """
        file = self._messages.get((context, source, tag))
        if file is None:
            return None
        number, message = next(iter(file.items()))
        for pattern in _patterns(message):
            file = self._messages[pattern]
            del file[number]
            if not file:
                del self._messages[pattern]
        self._length -= 1
        return message

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        receives = sum(len(file) for file in self._receives.values())
        return f"<Matching {self._length} messages, {receives} receives waiting>"

    def _first_receive(self, patterns: tuple[_Pattern, ...]) -> Receive | None:
        first: Receive | None = None
        for pattern in patterns:
            file = self._receives.get(pattern)
            if file is not None:
                receive = next(iter(file.values()))
                if first is None or receive.number < first.number:
                    first = receive
        return first


def name_ranks(ranks: Collection[int]) -> str:
    """Return the ranks in words.

    >>> name_ranks([0]), name_ranks([0, 5, 7]), name_ranks([ANY_SOURCE])
    ('rank 0', 'ranks 0, 5 and 7', 'any rank')
    >>> name_ranks(range(20))
    'ranks 0, 1, 2, 3, 4, 5, 6, 7 and 12 more'
    """
    if not ranks or ANY_SOURCE in ranks:
        return "any rank"
    names = [str(rank) for rank in sorted(ranks)]
    if len(names) == 1:
        return f"rank {names[0]}"
    if len(names) > MOST_NAMED:
        names[MOST_NAMED:] = [f"{len(names) - MOST_NAMED} more"]
    return f"ranks {', '.join(names[:-1])} and {names[-1]}"


def _patterns(message: Message) -> tuple[_Pattern, ...]:
    context, source, tag = message.context, message.source, message.tag & TAG_MASK
    return (
        (context, source, tag),
        (context, source, ANY_TAG),
        (context, ANY_SOURCE, tag),
        (context, ANY_SOURCE, ANY_TAG),
    )
