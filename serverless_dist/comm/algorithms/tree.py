"""The binomial tree over the places 0 to n - 1, rooted at 0.

The parent of a place is the place without its lowest one bit. So the places below
and including v are the contiguous range from v up to v + (lowest bit of v), which is
what lets trees scatter, gather and fold in order. The depth of v is its number of one
bits; the tree is floor(log2 n) deep, and its root has ceil(log2 n) children.
"""


def parent(place: int) -> int:
    """Return the parent of a place other than 0.

    >>> [parent(place) for place in range(1, 8)]
    [0, 0, 2, 0, 4, 4, 6]
    """
    return place & (place - 1)


def children(place: int, count: int) -> list[int]:
    """Return the children of `place` among `count` places, ascending.

    >>> children(0, 6), children(4, 6), children(3, 6)
    ([1, 2, 4], [5], [])
    """
    result = []
    bit = 1
    while not place & bit and place + bit < count:
        result.append(place + bit)
        bit *= 2
    return result


def span(place: int, count: int) -> int:
    """Return how many of `count` places are at or below a place other than 0.

    >>> span(4, 8), span(4, 6), span(3, 6)
    (4, 2, 1)
    """
    return min(place & -place, count - place)
