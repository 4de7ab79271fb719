"""Collectives between two groups of ranks: each gets what the other gives.

Ranks are numbered jointly, those of the first group from 0, those of the second from
``first`` on; `rank` and `root` are such numbers. Where there is a root, one group has
it, and the ranks of the other take part; the rest of the root's group do nothing.
Messages are those of the collective of the same name among one group.

Where all exchange with all, the leaders of the groups, their first ranks, speak for
them: the rounds are those of both halves and one, the messages between the groups two.
"""

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from serverless_dist.comm.algorithms import (
    barrier as barriers,
    bcast as bcasts,
    gather as gathers,
    reduce as reduces,
    scatter as scatters,
)
from serverless_dist.comm.algorithms.among import among
from serverless_dist.comm.algorithms.blocks import bounds_of, cut
from serverless_dist.comm.algorithms.halving import Combine
from serverless_dist.comm.steps import Exchange, Recv, Send, Steps


def _groups(rank: int, first: int, second: int) -> tuple[range, range]:
    """Return the ranks of the group that `rank` is in, and those of the other."""
    groups = range(first), range(first, first + second)
    return groups if rank < first else groups[::-1]


def _circle(root: int, first: int, second: int) -> tuple[int, ...]:
    """Return the root and the ranks of the group that it is not in."""
    return (root, *_groups(root, first, second)[1])


def barrier(rank: int, first: int, second: int) -> Steps[None]:
    """Return once every rank of both groups has entered."""
    yield from barriers.dissemination(rank, first + second)


def bcast(rank: int, first: int, second: int, data: Any, *, root: int) -> Steps[Any]:
    """Return the root's `data` to the other group; None to the root's.

    Parameters
    ----------
    rank, first, second
        This rank, and the sizes of the groups.
    data
        What the root sends; that of others is not looked at.
    root
        Whose data the other group gets.
    """
    members = _circle(root, first, second)
    if rank not in members:
        return None
    steps = bcasts.binomial(members.index(rank), len(members), data)
    received = yield from among(members, steps)
    return None if rank == root else received


def gather(
    rank: int, first: int, second: int, data: Any, *, root: int
) -> Steps[list[Any] | None]:
    """Return what the other group gave, by rank, at the root; None elsewhere.

    Parameters
    ----------
    rank, first, second
        This rank, and the sizes of the groups.
    data
        What this rank gives, unless it is in the root's group.
    root
        The rank that gets the data.
    """
    members = _circle(root, first, second)
    if rank not in members:
        return None
    steps = gathers.binomial(members.index(rank), len(members), data)
    items = yield from among(members, steps)
    return None if items is None else items[1:]


def scatter(
    rank: int, first: int, second: int, items: Sequence[Any], *, root: int
) -> Steps[Any]:
    """Return item i of the root's `items` to rank i of the other group.

    Parameters
    ----------
    rank, first, second
        This rank, and the sizes of the groups.
    items
        One for each rank of the other group; those of others are not looked at.
    root
        The rank whose items are dealt out.

    Returns
    -------
    object
        The item; None to the root and the others of its group.
    """
    members = _circle(root, first, second)
    if rank not in members:
        return None
    place = members.index(rank)
    dealt = (None, *items) if rank == root else ()
    steps = scatters.binomial(place, len(members), dealt)
    return (yield from among(members, steps))


def allgather(rank: int, first: int, second: int, data: Any) -> Steps[list[Any]]:
    """Return what every rank of the other group gave, by rank."""
    mine, others = _groups(rank, first, second)
    place = mine.index(rank)
    items = yield from among(mine, gathers.binomial(place, len(mine), data))
    theirs = yield from _swap(rank, mine, others, items)
    spread = bcasts.binomial(place, len(mine), theirs)
    result: list[Any] = yield from among(mine, spread)
    return result


def alltoall(
    rank: int, first: int, second: int, items: Sequence[Any]
) -> Steps[list[Any]]:
    """Return the item for this rank of every rank of the other group, by rank.

    Parameters
    ----------
    rank, first, second
        This rank, and the sizes of the groups.
    items
        One for each rank of the other group.
    """
    _, others = _groups(rank, first, second)
    sends = [Send(dest, [item]) for dest, item in zip(others, items, strict=True)]
    bundles = yield Exchange(tuple(sends), tuple(others))
    return [item for bundle in bundles for item in bundle]


def reduce(
    rank: int, first: int, second: int, data: Any, op: Combine, *, root: int
) -> Steps[Any]:
    """Return the fold of the other group's data at the root; None elsewhere.

    Parameters
    ----------
    rank, first, second
        This rank, and the sizes of the groups.
    data
        What this rank contributes, unless it is in the root's group; never changed.
    op
        Associative; called with the fold of lower ranks first.
    root
        The rank that gets the result.
    """
    _, others = _groups(root, first, second)
    if rank == root:
        return (yield Recv(others[0]))
    if rank in others:
        steps = reduces.binomial(others.index(rank), len(others), data, op)
        value = yield from among(others, steps)
        if rank == others[0]:
            yield Send(root, value)
    return None


def allreduce(rank: int, first: int, second: int, data: Any, op: Combine) -> Steps[Any]:
    """Return the fold of the other group's data, in rank order.

    Parameters
    ----------
    rank, first, second
        This rank, and the sizes of the groups.
    data
        What this rank contributes to the other group's result; never changed.
    op
        Associative; called with the fold of lower ranks first.
    """
    mine, others = _groups(rank, first, second)
    place = mine.index(rank)
    value = yield from among(mine, reduces.binomial(place, len(mine), data, op))
    theirs = yield from _swap(rank, mine, others, value)
    return (yield from among(mine, bcasts.binomial(place, len(mine), theirs)))


def reduce_scatter(
    rank: int,
    first: int,
    second: int,
    data: NDArray[Any],
    counts: Sequence[int],
    op: Combine,
) -> Steps[NDArray[Any]]:
    """Return this rank's block of the fold of the other group's data.

    Parameters
    ----------
    rank, first, second
        This rank, and the sizes of the groups.
    data
        A vector, of the same length on every rank of both groups; never changed.
    counts
        The elements that each rank of this rank's group gets.
    op
        Associative; combines two vectors element by element, that of lower ranks first.
    """
    mine, others = _groups(rank, first, second)
    place = mine.index(rank)
    value = yield from among(mine, reduces.binomial(place, len(mine), data, op))
    theirs = yield from _swap(rank, mine, others, value)
    if place:
        block: NDArray[Any] = yield Recv(mine[0])
        return block
    own, *blocks = cut(theirs, bounds_of(counts))
    if blocks:
        sends = (Send(d, b) for d, b in zip(mine[1:], blocks, strict=True))
        yield Exchange(tuple(sends), ())
    return own


def _swap(rank: int, mine: range, others: range, value: Any) -> Steps[Any]:
    """Return to the leader what the other leader has; None to the others."""
    if rank != mine[0]:
        return None
    (theirs,) = yield Exchange((Send(others[0], value),), (others[0],))
    return theirs
