"""`Group`, and the arithmetic of groups."""

import pickle
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, strategies as st

from serverless_dist.comm.constants import (
    IDENT,
    PROC_NULL,
    SIMILAR,
    UNDEFINED,
    UNEQUAL,
)
from serverless_dist.comm.exceptions import ERR_ARG, ERR_GROUP, ERR_RANK, MPIError
from serverless_dist.comm.group import (
    GROUP_EMPTY,
    GROUP_NULL,
    Group,
    compare,
    difference,
    exclude,
    expand,
    include,
    intersection,
    translate,
    union,
)

members = st.lists(st.integers(0, 20), unique=True, max_size=12).map(tuple)


@given(members, members)
def test_groups_obey_the_laws_of_sets(
    one: tuple[int, ...], two: tuple[int, ...]
) -> None:
    assert set(union(one, two)) == set(one) | set(two)
    assert union(one, two)[: len(one)] == one
    both = intersection(one, two)
    assert set(both) == set(one) & set(two)
    assert set(difference(one, two)) == set(one) - set(two)
    for part in (both, difference(one, two)):
        assert all(one.index(a) < one.index(b) for a, b in pairwise(part))


@given(members, st.randoms(use_true_random=False))
def test_order_alone_makes_groups_similar(one: tuple[int, ...], random: Random) -> None:
    two = tuple(random.sample(one, len(one)))
    assert compare(one, two) == (IDENT if one == two else SIMILAR)
    assert compare(one, (*two, 99)) == UNEQUAL


@given(members, st.data())
def test_included_and_excluded_ranks_make_up_the_group(
    one: tuple[int, ...], data: st.DataObject
) -> None:
    places = st.integers(0, len(one) - 1) if one else st.nothing()
    ranks = data.draw(st.lists(places, unique=True))
    assert include(one, ranks) == tuple(one[rank] for rank in ranks)
    rest = exclude(one, ranks)
    assert compare(union(include(one, ranks), rest), one) in (IDENT, SIMILAR)
    assert not set(rest) & set(include(one, ranks))


@given(members, members)
def test_translated_ranks_name_the_same_members(
    one: tuple[int, ...], two: tuple[int, ...]
) -> None:
    for rank, there in enumerate(translate(range(len(one)), one, two)):
        assert (one[rank] not in two) if there == UNDEFINED else two[there] == one[rank]


@pytest.mark.parametrize("ranks", [[0, 0], [4], [-1]])
def test_ranks_that_are_none_are_refused(ranks: list[int]) -> None:
    group = Group.of((3, 2, 1, 0), 3)
    for take in (group.Incl, group.Excl):
        with pytest.raises(MPIError) as caught:
            take(ranks)
        assert caught.value == ERR_RANK


@pytest.mark.parametrize(
    "triple", [(0, 3, -1), (0, 3, 0), (3, 0, 1), (0, 4, 1), (-1, 2, 1)]
)
def test_ranges_that_lead_nowhere_are_refused(triple: tuple[int, int, int]) -> None:
    with pytest.raises(MPIError) as caught:
        expand([triple], 4)
    assert caught.value == ERR_ARG


def test_ranges_include_their_ends() -> None:
    group = Group.of((10, 11, 12, 13, 14), 12)
    assert group.Range_incl([(0, 4, 2), (3, 1, -2)]).members == (10, 12, 14, 13, 11)
    assert group.Range_excl([(4, 0, -2)]).members == (11, 13)
    assert group.Range_incl([(2, 2, 1)]).members == (12,)


def test_a_group_knows_its_own_rank() -> None:
    group = Group.of((10, 12, 14), 12)
    assert (group.Get_size(), group.size) == (3, 3)
    assert (group.Get_rank(), group.rank) == (1, 1)
    assert group.Incl([1]).rank == 0
    assert group.Excl([1]).rank == UNDEFINED
    assert GROUP_EMPTY.rank == UNDEFINED
    assert Group.Union(GROUP_EMPTY, group).rank == 1


def test_groups_are_made_of_groups() -> None:
    one, two = Group.of((0, 1, 2), 1), Group.of((2, 3, 1), 1)
    assert Group.Union(one, two).members == (0, 1, 2, 3)
    assert Group.Intersection(one, two).members == (1, 2)
    assert Group.Intersect(two, one).members == (2, 1)
    assert Group.Difference(one, two).members == (0,)
    assert Group.Difference(one, one) == GROUP_EMPTY
    assert Group.Compare(one, one.Dup()) == IDENT
    assert one != one.Dup()


def test_ranks_are_translated_to_those_of_the_job_by_default() -> None:
    group = Group.of((5, 3), 3)
    assert group.Translate_ranks() == [5, 3]
    assert group.Translate_ranks([1, PROC_NULL]) == [3, PROC_NULL]
    assert group.Translate_ranks([0, 0], GROUP_EMPTY) == [UNDEFINED, UNDEFINED]
    assert GROUP_EMPTY.Translate_ranks() == []
    with pytest.raises(MPIError, match="rank is 2"):
        group.Translate_ranks([2])


def test_a_null_group_answers_nothing() -> None:
    group = Group.of((0,), 0)
    group.Free()
    assert group == Group() == GROUP_NULL
    assert not group
    for call in (
        group.Get_size,
        group.Get_rank,
        group.Free,
        lambda: Group.Compare(GROUP_EMPTY, group),
        lambda: Group.Union(group, GROUP_EMPTY),
    ):
        with pytest.raises(MPIError) as caught:
            call()
        assert caught.value == ERR_GROUP


def test_the_empty_group_cannot_be_freed() -> None:
    GROUP_EMPTY.Free()
    assert GROUP_EMPTY
    other = Group(GROUP_EMPTY)
    other.Free()
    assert not other


def test_only_predefined_groups_travel() -> None:
    with pytest.raises(ValueError, match="pickled"):
        pickle.dumps(Group.of((0,), 0))


def test_there_are_no_groups_of_sessions() -> None:
    with pytest.raises(NotImplementedError, match="sessions"):
        Group.Create_from_session_pset(None, "mpi://WORLD")
