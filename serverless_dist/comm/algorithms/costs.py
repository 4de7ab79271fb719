"""What an algorithm asks of a network, in closed form.

Every algorithm has a function beside it, ``<name>_cost(size, nbytes)``, that returns a
`Cost` without running anything. `rounds`, `messages`, `bytes` and `posts` are exactly
what a simulation counts where blocks come out even; the path is an estimate.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """So many messages and the bytes in them."""

    messages: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call of a collective asks of a network.

    Attributes
    ----------
    rounds
        The longest chain of messages that depend on each other.
    messages, bytes
        In all; a multicast counts once for each receiver.
    posts
        How often a rank hands messages over, several at once being one post.
    path
        What ranks send or receive one after the other on the longest way to the end,
        where a multicast is a message to each receiver. Of the message that a round
        waits for, only one end is counted.
    sent, sent_path
        In all and on the path, where a multicast is one message and what is posted
        at once is sent at once; None where that is the same.
    """

    rounds: int
    messages: int
    bytes: int
    posts: int
    path: Load
    sent: Load | None = None
    sent_path: Load | None = None

    @property
    def published(self) -> Load:
        """What ranks send in all, a multicast being one message."""
        return self.sent or Load(self.messages, self.bytes)

    @property
    def published_path(self) -> Load:
        """What the path carries, a multicast being one message."""
        return self.sent_path or self.path


NOTHING = Cost(0, 0, 0, 0, Load(0, 0))
"""What a collective among one rank costs."""


def floor_log2(size: int) -> int:
    """Return the depth of a binomial tree of `size` places.

    >>> [floor_log2(size) for size in (1, 2, 3, 4, 5)]
    [0, 1, 1, 2, 2]
    """
    return size.bit_length() - 1


def ceil_log2(size: int) -> int:
    """Return in how many doublings one becomes `size` or more.

    >>> [ceil_log2(size) for size in (1, 2, 3, 4, 5)]
    [0, 1, 2, 2, 3]
    """
    return (size - 1).bit_length()


def one_bits(size: int) -> int:
    """Return how many one bits the numbers below `size` have in all.

    >>> one_bits(8), one_bits(6)
    (12, 7)
    """
    total = 0
    bit = 1
    while bit < size:
        whole, rest = divmod(size, 2 * bit)
        total += whole * bit + max(0, rest - bit)
        bit *= 2
    return total
