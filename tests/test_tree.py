"""The launch tree starts every rank once, and soon."""

import pytest

from serverless_dist.runtime.envelope import Envelope
from serverless_dist.runtime.tree import (
    child_envelopes,
    children,
    choose_branching,
    last_start,
    parent,
    roots,
)
from serverless_dist.wire import JobKey

SIZES = (1, 2, 3, 7, 8, 9, 13, 16, 24, 33, 64, 1_000)
TREES = [(s, b) for s in SIZES for b in sorted({1, 2, 3, 8, choose_branching(s)})]


@pytest.mark.parametrize(("size", "branching"), TREES)
def test_every_rank_is_started_once_by_its_parent(size: int, branching: int) -> None:
    started = [
        (node, rank)
        for node in range(size + 1)
        for rank in children(node, size, branching)
    ]
    assert [rank for _, rank in started] == list(range(size))
    assert all(parent(rank, branching) == node for node, rank in started)
    # The driver and whoever has children: at most 1 + 1 / branching for each rank.
    assert len(started) <= size * (1 + 1 / branching)


@pytest.mark.parametrize("size", [3, 8, 16, 33])
@pytest.mark.parametrize("branching", [1, 2, 3])
def test_to_invite_the_roots_starts_all_that_are_missing(
    size: int, branching: int
) -> None:
    for first in range(size):
        missing = set(range(first, size, 2)) | {first}
        reached, invited = set[int](), roots(sorted(missing), branching)
        while invited:
            rank = invited.pop()
            reached.add(rank)
            # One that has started already starts nobody again.
            below = children(rank + 1, size, branching)
            invited += [child for child in below if child in missing]
        assert reached == missing


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("start", [0.05, 0.5])
def test_the_branching_is_nearly_the_best_whatever_a_start_takes(
    size: int, start: float
) -> None:
    best = min(last_start(size, b, start=start) for b in range(1, size + 1))
    chosen = last_start(size, choose_branching(size), start=start)
    assert chosen <= 1.5 * best


def test_children_are_invited_in_the_name_of_their_job_to_places_of_their_own() -> None:
    key = JobKey.derive(b"secret", bytes(16))
    fields = {"rank": 0, "size": 6, "branching": 2, "started": 3.0}
    invited = child_envelopes(Envelope(key, "rank", fields))
    assert [e.fields["rank"] for e in invited] == [2, 3]
    assert all(e.key == key and e.kind == "rank" for e in invited)
    assert all(e.fields == {**fields, "rank": e.fields["rank"]} for e in invited)
    assert child_envelopes(Envelope(key, "worker", {"started": 3.0})) == []
