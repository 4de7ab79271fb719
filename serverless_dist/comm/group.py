"""`Group`: an ordered set of the job's ranks.

A rank of a group is a place in it. The functions below are the arithmetic on plain
tuples of the job's ranks; the class gives it mpi4py's names.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn, Self

from serverless_dist.comm.checks import check_distinct, check_rank
from serverless_dist.comm.constants import (
    IDENT,
    PROC_NULL,
    SIMILAR,
    UNDEFINED,
    UNEQUAL,
)
from serverless_dist.comm.exceptions import ERR_ARG, ERR_GROUP, MPIError
from serverless_dist.comm.handle import Handle

Members = tuple[int, ...]
Range = tuple[int, int, int]


def compare(one: Members, other: Members) -> int:
    """Return IDENT for the same order, SIMILAR for the same ranks, or UNEQUAL.

    >>> compare((1, 2), (1, 2)), compare((1, 2), (2, 1)), compare((1, 2), (1, 3))
    (0, 2, 3)
    """
    if one == other:
        return IDENT
    return SIMILAR if sorted(one) == sorted(other) else UNEQUAL


def union(one: Members, other: Members) -> Members:
    """Return those in `one`, then those only in `other`.

    >>> union((2, 0), (1, 2, 3))
    (2, 0, 1, 3)
    """
    return one + difference(other, one)


def intersection(one: Members, other: Members) -> Members:
    """Return those in both, in the order of `one`.

    >>> intersection((3, 2, 0), (0, 1, 3))
    (3, 0)
    """
    kept = set(other)
    return tuple(member for member in one if member in kept)


def difference(one: Members, other: Members) -> Members:
    """Return those of `one` that are not in `other`.

    >>> difference((3, 2, 0), (0, 1, 3))
    (2,)
    """
    dropped = set(other)
    return tuple(member for member in one if member not in dropped)


def include(members: Members, ranks: Iterable[int]) -> Members:
    """Return the members at these places, in that order.

    >>> include((10, 20, 30), [2, 0])
    (30, 10)
    """
    return tuple(members[r] for r in check_distinct("rank", ranks, len(members)))


def exclude(members: Members, ranks: Iterable[int]) -> Members:
    """Return the members at all other places.

    >>> exclude((10, 20, 30), [2, 0])
    (20,)
    """
    return difference(members, include(members, ranks))


def expand(ranges: Iterable[Range], size: int) -> Members:
    """Return the ranks that ranges of (first, last, stride) name, the last included.

    Raises
    ------
    MPIError
        `ERR_ARG` if a stride is 0 or leads away from the last rank, or if the first or
        last is no rank.

    >>> expand([(0, 3, 2), (5, 4, -1)], 6)
    (0, 2, 5, 4)
    """
    ranks: list[int] = []
    for first, last, stride in ranges:
        if not (0 <= first < size and 0 <= last < size):
            msg = f"the range from {first} to {last} is not within 0 to {size - 1}"
            raise MPIError(ERR_ARG, msg)
        if stride == 0 or (last - first) * stride < 0:
            msg = f"a stride of {stride} does not lead from {first} to {last}"
            raise MPIError(ERR_ARG, msg)
        ranks += range(first, last + (1 if stride > 0 else -1), stride)
    return tuple(ranks)


def translate(ranks: Iterable[int], members: Members, others: Members) -> list[int]:
    """Return the places in `others` of those at `ranks` in `members`.

    Parameters
    ----------
    ranks
        Places in `members`, or `PROC_NULL`, which stays what it is.
    members
        The ranks of the job to translate from.
    others
        Those to translate to: `UNDEFINED` where a member is not among them.

    >>> translate([0, 1, 0], (7, 5), (5, 6))
    [-32766, 0, -32766]
    """
    places = {member: place for place, member in enumerate(others)}
    result = []
    for given in ranks:
        rank = check_rank("rank", given, len(members), (PROC_NULL,))
        known = rank == PROC_NULL
        result.append(rank if known else places.get(members[rank], UNDEFINED))
    return result


@dataclass(frozen=True, slots=True, eq=False)
class _Ranks:
    """The members of a group, and which rank of the job this process is."""

    members: Members
    here: int


class Group(Handle):
    """A handle of some ranks of the job in some order, seen from one of its ranks."""

    __slots__ = ()

    @classmethod
    def of(cls, members: Members, here: int) -> Self:
        """Return the group of these ranks of the job, `here` being this process's."""
        return cls._wrap(_Ranks(members, here)) if members else cls(GROUP_EMPTY)

    @property
    def members(self) -> Members:
        """The ranks of the job that are in it, by their rank in the group.

        Raises
        ------
        MPIError
            The handle is null: `ERR_GROUP`.
        """
        return self._ranks.members

    @property
    def here(self) -> int:
        """Which rank of the job this process is."""
        return self._ranks.here

    @property
    def size(self) -> int:
        """How many ranks are in it."""
        return len(self.members)

    @property
    def rank(self) -> int:
        """The rank of this process in it; `UNDEFINED` if it is not in it."""
        members = self.members
        return members.index(self.here) if self.here in members else UNDEFINED

    def Get_size(self) -> int:
        """Return how many ranks are in it."""
        return self.size

    def Get_rank(self) -> int:
        """Return this process's rank in it; `UNDEFINED` if it is not in it."""
        return self.rank

    def Translate_ranks(
        self, ranks: Sequence[int] | None = None, group: "Group | None" = None
    ) -> list[int]:
        """Return which ranks of another group are these ranks of this one.

        Parameters
        ----------
        ranks
            Ranks of this group, or `PROC_NULL`; all by default.
        group
            The other group; by default that of `COMM_WORLD`.

        Returns
        -------
        list
            Ranks of the other group, `UNDEFINED` where it has no such member.
        """
        members = self.members
        asked = range(len(members)) if ranks is None else ranks
        # Among all ranks of the job, each has its own number as its place.
        world = tuple(range(max(members, default=-1) + 1))
        return translate(asked, members, world if group is None else group.members)

    def Compare(self, group: "Group") -> int:
        """Return `IDENT`, `SIMILAR` (another order), or `UNEQUAL`."""
        return compare(self.members, group.members)

    def Dup(self) -> Self:
        """Return a new group of the same ranks."""
        return self._with(self.members)

    @classmethod
    def Union(cls, group1: "Group", group2: "Group") -> Self:
        """Return those in the first, then those only in the second."""
        members = union(group1.members, group2.members)
        return cls.of(members, (group1 if group1.members else group2).here)

    @classmethod
    def Intersection(cls, group1: "Group", group2: "Group") -> Self:
        """Return those in both, in the order of the first."""
        members = intersection(group1.members, group2.members)
        return cls.of(members, group1.here)

    @classmethod
    def Intersect(cls, group1: "Group", group2: "Group") -> Self:
        """Return what `Intersection` does: mpi4py has both names."""
        return cls.Intersection(group1, group2)

    @classmethod
    def Difference(cls, group1: "Group", group2: "Group") -> Self:
        """Return those of the first that are not in the second."""
        members = difference(group1.members, group2.members)
        return cls.of(members, group1.here)

    def Incl(self, ranks: Sequence[int]) -> Self:
        """Return the group of these ranks, in that order."""
        return self._with(include(self.members, ranks))

    def Excl(self, ranks: Sequence[int]) -> Self:
        """Return the group of all ranks but these."""
        return self._with(exclude(self.members, ranks))

    def Range_incl(self, ranks: Sequence[Range]) -> Self:
        """Return the group of the ranks in ranges of (first, last, stride)."""
        return self.Incl(expand(ranks, self.size))

    def Range_excl(self, ranks: Sequence[Range]) -> Self:
        """Return the group of all ranks but those in the ranges."""
        return self.Excl(expand(ranks, self.size))

    @classmethod
    def Create_from_session_pset(cls, session: object, pset_name: str) -> NoReturn:
        """Not available: there are no sessions."""
        msg = "sessions are not available: take the group of COMM_WORLD"
        raise NotImplementedError(msg)

    def Free(self) -> None:
        """Make this handle null."""
        if self.members or self._constant:
            self._forget()

    @property
    def _ranks(self) -> _Ranks:
        if self._target is None:
            msg = "the group is null: it was never created, or was freed"
            raise MPIError(ERR_GROUP, msg)
        ranks: _Ranks = self._target
        return ranks

    def _with(self, members: Members) -> Self:
        return self.of(members, self.here)


def _predefined(name: str, ranks: _Ranks | None) -> Group:
    return Group._wrap(ranks, name)


GROUP_NULL = _predefined("GROUP_NULL", None)
"""No group."""

GROUP_EMPTY = _predefined("GROUP_EMPTY", _Ranks((), UNDEFINED))
"""The group without ranks."""
