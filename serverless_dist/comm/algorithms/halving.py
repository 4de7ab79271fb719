"""Recursive halving and doubling over a power of two places, in rank order.

n ranks have p places, the largest power of two up to n. The first 2 r ranks, r = n - p,
share places in pairs of neighbours: one of the two gives its data to the other, which
leads, and steps aside. So every place stands for a contiguous range of ranks.

Then, in round k, places that differ in bit k exchange: first neighbours, then
neighbouring pairs, and so on (distance doubling). What a place has is always the fold
of a contiguous range of places, so operators need not be commutative. With vectors,
each of the two keeps half of what they have (vector halving; Rabenseifner 2004); at the
end place i has the block whose number is i with its bits reversed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serverless_dist.comm.steps import Exchange, Recv, Send, Steps

Combine = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Places:
    """Which rank has which place.

    Attributes
    ----------
    power
        The number of places.
    extra
        How many of them, the first ones, two ranks share.
    root
        Leads at its place.

    Examples
    --------
    >>> places = Places.of(6, root=3)
    >>> [places.leader(place) for place in range(places.power)]
    [0, 3, 4, 5]
    """

    power: int
    extra: int
    root: int

    @classmethod
    def of(cls, size: int, root: int = 0) -> "Places":
        """Return the places of `size` ranks."""
        power = 1 << (size.bit_length() - 1)
        return cls(power, size - power, root)

    def place(self, rank: int) -> int:
        """Return the place that a rank has or shares."""
        return rank // 2 if rank < 2 * self.extra else rank - self.extra

    def leader(self, place: int) -> int:
        """Return the rank that acts at a place."""
        if place >= self.extra:
            return place + self.extra
        return 2 * place + (self.root == 2 * place + 1)

    def partner(self, rank: int) -> int | None:
        """Return the rank that shares the place of `rank`, if any does."""
        return rank ^ 1 if rank < 2 * self.extra else None

    def leads(self, rank: int) -> bool:
        """Tell whether this rank acts at its place."""
        return self.leader(self.place(rank)) == rank


def fold_pair(places: Places, rank: int, data: Any, op: Combine) -> Steps[Any]:
    """Return what the place of `rank` has; to a rank that steps aside, its data."""
    partner = places.partner(rank)
    if partner is None:
        return data
    if not places.leads(rank):
        yield Send(partner, data)
        return data
    theirs = yield Recv(partner)
    return op(data, theirs) if rank < partner else op(theirs, data)


def double(places: Places, place: int, value: Any, op: Combine) -> Steps[Any]:
    """Return the fold of what all places have."""
    bit = 1
    while bit < places.power:
        peer = places.leader(place ^ bit)
        (theirs,) = yield Exchange((Send(peer, value),), (peer,))
        value = op(theirs, value) if place & bit else op(value, theirs)
        bit *= 2
    return value


def halve(
    places: Places,
    place: int,
    vector: NDArray[Any],
    bounds: Sequence[int],
    op: Combine,
) -> Steps[NDArray[Any]]:
    """Return one block of the fold of the vectors that all places have.

    Parameters
    ----------
    places, place
        Who takes part, and where this rank stands.
    vector
        What this place has; never changed.
    bounds
        Where each of as many blocks as places begins, and where the last one ends.
    op
        Combines two vectors element by element.

    Returns
    -------
    array
        The block with the number ``reversed_bits(place, places.power)``.
    """
    low, high = 0, places.power
    bit = 1
    while bit < places.power:
        middle = (low + high) // 2
        border = bounds[middle] - bounds[low]
        below, above = vector[:border], vector[border:]
        peer = places.leader(place ^ bit)
        if place & bit:
            (theirs,) = yield Exchange((Send(peer, below),), (peer,))
            vector, low = op(theirs, above), middle
        else:
            (theirs,) = yield Exchange((Send(peer, above),), (peer,))
            vector, high = op(below, theirs), middle
        bit *= 2
    return vector


class Assembly:
    """The blocks that a place has after `halve`, as they become one vector again.

    Parameters
    ----------
    place, power
        The place and the number of places.
    block
        The block that `halve` returned.
    bounds
        The bounds that it was given.
    """

    def __init__(
        self, place: int, power: int, block: NDArray[Any], bounds: Sequence[int]
    ) -> None:
        self._bounds = bounds
        self._low = reversed_bits(place, power)
        self._high = self._low + 1
        self._vector = np.empty(bounds[-1], block.dtype)
        self._vector[self._slice(self._low, self._high)] = block

    @property
    def held(self) -> NDArray[Any]:
        """What is there, as a view."""
        return self._vector[self._slice(self._low, self._high)]

    def add(self, part: NDArray[Any], *, below: bool) -> None:
        """Put as many blocks more before or after those that are there."""
        width = self._high - self._low
        if below:
            self._vector[self._slice(self._low - width, self._low)] = part
            self._low -= width
        else:
            self._vector[self._slice(self._high, self._high + width)] = part
            self._high += width

    def _slice(self, low: int, high: int) -> slice:
        return slice(self._bounds[low], self._bounds[high])


def reversed_bits(number: int, power: int) -> int:
    """Return a number below `power`, a power of two, with its bits reversed.

    >>> [reversed_bits(number, 8) for number in range(8)]
    [0, 4, 2, 6, 1, 5, 3, 7]
    """
    bits = power.bit_length() - 1
    return int(f"{number:0{bits}b}"[::-1], 2) if bits else 0
