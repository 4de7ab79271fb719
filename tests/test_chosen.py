"""Whatever algorithm is chosen does the work, and costs what the model believes."""

import operator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from serverless_dist.comm.algorithms import CANDIDATES, Algorithm, choose
from serverless_dist.comm.algorithms.channels import CHANNELS
from serverless_dist.comm.steps import Steps
from serverless_dist.testing.simulate import simulate
from tests.simulated import counts, folded, words


def call(algorithm: Algorithm, collective: str, length: int) -> Any:
    """Return the steps of a rank whose data are `length` words."""

    def steps(rank: int, size: int) -> Steps[Any]:
        data: Any = words(rank, length)
        if collective == "barrier":
            return algorithm.function(rank, size)
        if collective in ("scatter", "alltoall"):
            data = [words(rank * size + dest, length) for dest in range(size)]
        if collective in ("bcast", "scatter", "gather", "allgather", "alltoall"):
            return algorithm.function(rank, size, data)
        if collective == "reduce_scatter":
            data = words(rank, length * size)
            return algorithm.function(rank, size, data, [length] * size, operator.add)
        return algorithm.function(rank, size, data, operator.add)

    return steps


def expected(collective: str, size: int, length: int) -> list[Any]:
    """Return the results of all ranks as text."""

    def text(rank: int) -> Any:
        return words(rank, length).tolist()

    ranks = range(size)
    nobody = [None] * size
    results: dict[str, Any] = {
        "barrier": lambda: nobody,
        "bcast": lambda: [text(0)] * size,
        "scatter": lambda: [text(rank) for rank in ranks],
        "gather": lambda: [[text(rank) for rank in ranks], *nobody[1:]],
        "allgather": lambda: [[text(rank) for rank in ranks]] * size,
        "alltoall": lambda: [
            [text(source * size + rank) for source in ranks] for rank in ranks
        ],
        "reduce": lambda: [folded(size, length), *nobody[1:]],
        "allreduce": lambda: [folded(size, length)] * size,
        "reduce_scatter": lambda: (
            np.array(folded(size, length * size), object).reshape(size, length).tolist()
        ),
        "scan": lambda: [folded(rank + 1, length) for rank in ranks],
        "exscan": lambda: [None, *(folded(rank, length) for rank in ranks[1:])],
    }
    computed: list[Any] = results[collective]()
    return computed


def plain(result: Any) -> Any:
    if isinstance(result, np.ndarray):
        return result.tolist()
    return [plain(item) for item in result] if isinstance(result, list) else result


@settings(max_examples=150, deadline=None)
@given(
    collective=st.sampled_from(sorted(CANDIDATES)),
    channel=st.sampled_from(sorted(CHANNELS)),
    ranks=st.integers(1, 34),
    magnitude=st.one_of(st.none(), st.integers(0, 28)),
    length=st.integers(0, 40),
)
def test_what_is_chosen_does_the_work(
    collective: str, channel: str, ranks: int, magnitude: int | None, length: int
) -> None:
    algorithm = choose(
        collective,
        ranks=ranks,
        nbytes=None if magnitude is None else 2**magnitude,
        channel=channel,
        vector=True,
        commutative=False,
    )
    result = simulate(call(algorithm, collective, length), ranks)
    assert plain(list(result.results)) == expected(collective, ranks, length)
    cost = algorithm.cost(ranks, 8 * length * (ranks if "_s" in collective else 1))
    rounds, messages, nbytes, posts = counts(result)
    assert (rounds, messages, posts) == (cost.rounds, cost.messages, cost.posts)
    assert nbytes == pytest.approx(cost.bytes, rel=0.25, abs=64 * ranks)
