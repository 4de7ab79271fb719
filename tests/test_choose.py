"""The choice of an algorithm: the table, the model and what a user may override."""

from dataclasses import replace
from math import ceil, log2

import pytest

from serverless_dist.cloud.prices import US_EAST_1
from serverless_dist.comm.algorithms import CANDIDATES, choose, named
from serverless_dist.comm.algorithms.channels import CHANNELS, predict
from serverless_dist.errors import UsageError
from serverless_dist.runtime.channels import CHANNELS as RUN_CHANNELS

SERVICES = ["queue", "object", "hybrid"]  # where a request takes long and is billed
MEGABYTE = 1_000_000

each_collective = pytest.mark.parametrize("collective", CANDIDATES)
each_channel = pytest.mark.parametrize("channel", CHANNELS)
each_service = pytest.mark.parametrize("channel", SERVICES)


def chosen(collective: str, ranks: int, nbytes: int | None, channel: str) -> str:
    vector = nbytes is not None
    return choose(
        collective, ranks=ranks, nbytes=nbytes, channel=channel, vector=vector
    ).name


def test_the_model_knows_every_channel_that_a_run_may_use() -> None:
    assert set(CHANNELS) == set(RUN_CHANNELS)


@pytest.mark.parametrize("ranks", [2, 4, 8, 64, 256])
def test_few_bytes_are_doubled_on_the_direct_channel(ranks: int) -> None:
    assert chosen("allreduce", ranks, 8, "direct") == "recursive_doubling"
    assert chosen("allreduce", ranks, None, "direct") == "recursive_doubling"


@pytest.mark.parametrize("ranks", [4, 8, 64, 256])
def test_large_vectors_are_halved_on_the_direct_channel(ranks: int) -> None:
    assert chosen("allreduce", ranks, 16 * MEGABYTE, "direct") == "rabenseifner"


def test_two_ranks_need_but_one_exchange() -> None:
    for nbytes in (8, MEGABYTE, 100 * MEGABYTE):
        assert chosen("allreduce", 2, nbytes, "direct") == "recursive_doubling"


def test_a_ring_is_for_large_vectors_of_ranks_that_are_no_power_of_two() -> None:
    assert chosen("allreduce", 3, 64 * MEGABYTE, "direct") == "ring"
    ordered = choose(
        "allreduce",
        ranks=3,
        nbytes=64 * MEGABYTE,
        channel="direct",
        vector=True,
        commutative=False,
    )
    assert ordered.name != "ring"


@each_service
def test_many_ranks_with_few_bytes_take_the_fewest_posts(channel: str) -> None:
    for collective in ("allreduce", "barrier"):
        name = chosen(collective, 64, 8, channel)
        posts = {a.name: a.cost(64, 8).posts for a in CANDIDATES[collective]}
        assert posts[name] == min(posts.values())
    assert chosen("bcast", 64, 8, channel) == "multicast"
    assert chosen("gather", 64, 8, channel) == "direct"


@each_service
def test_few_ranks_take_the_fewest_rounds(channel: str) -> None:
    assert chosen("allgather", 4, 8, channel) == "multicast"
    assert chosen("alltoall", 4, 8, channel) == "posted"
    assert chosen("allreduce", 4, 8, channel) == "multicast"


@each_service
@each_collective
@pytest.mark.parametrize("nbytes", [8, 10_000, MEGABYTE, 64 * MEGABYTE])
def test_rounds_never_grow_linearly_where_a_round_is_a_request(
    collective: str, channel: str, nbytes: int
) -> None:
    for ranks in range(8, 257, 31):
        algorithm = choose(
            collective, ranks=ranks, nbytes=nbytes, channel=channel, vector=True
        )
        assert algorithm.cost(ranks, nbytes).rounds <= 2 * ceil(log2(ranks)) + 2


@each_collective
def test_linear_algorithms_are_marked(collective: str) -> None:
    for algorithm in CANDIDATES[collective]:
        is_linear = algorithm.cost(1_024, 8).rounds > 100
        assert algorithm.is_linear == is_linear


@each_collective
@each_channel
def test_no_candidate_is_predicted_to_be_cheaper(collective: str, channel: str) -> None:
    for ranks in (1, 2, 5, 8, 64):
        for nbytes in (8, 100_000, MEGABYTE):
            best = choose(
                collective, ranks=ranks, nbytes=nbytes, channel=channel, vector=True
            )
            assert best in CANDIDATES[collective]
            for other in CANDIDATES[collective]:
                may = other.suits(ranks, vector=True, commutative=True)
                if may and not (other.is_linear and channel != "direct"):
                    price = other.predict(channel, ranks, nbytes).dollars
                    assert best.predict(channel, ranks, nbytes).dollars <= price


def test_requests_are_priced_as_they_are_sent() -> None:
    cost = named("bcast", "multicast").cost(5, 1_000)
    receives = 4 * (1 + 1 / 10) * US_EAST_1.sqs_request  # each deletes with nine others
    expected = US_EAST_1.sns_request + receives
    assert predict("queue", cost, 5).requests == pytest.approx(expected)
    expected = US_EAST_1.s3_put + 12 * US_EAST_1.s3_get
    assert predict("object", cost, 5).requests == pytest.approx(expected)
    assert predict("direct", cost, 5).requests == 0
    large = named("bcast", "multicast").cost(5, MEGABYTE)
    assert predict("queue", large, 5).requests > 15 * predict("queue", cost, 5).requests
    assert predict("hybrid", large, 5).requests == pytest.approx(
        predict("queue", cost, 5).requests + US_EAST_1.s3_put + 4 * US_EAST_1.s3_get
    )


@each_collective
@each_channel
def test_one_rank_costs_nothing(collective: str, channel: str) -> None:
    for algorithm in CANDIDATES[collective]:
        prediction = algorithm.predict(channel, 1, MEGABYTE)
        assert (prediction.seconds, prediction.dollars) == (0, 0)


@each_collective
@each_channel
def test_more_bytes_never_take_less(collective: str, channel: str) -> None:
    for algorithm in CANDIDATES[collective]:
        times = [
            algorithm.predict(channel, 24, nbytes).seconds
            for nbytes in (0, 8, 1_000, 100_000, 10 * MEGABYTE)
        ]
        assert times == sorted(times)


def test_objects_are_chosen_for_as_if_they_were_small() -> None:
    for channel in CHANNELS:
        for collective in CANDIDATES:
            algorithm = choose(collective, ranks=8, channel=channel, vector=True)
            assert not algorithm.needs_vector


def test_a_user_may_name_the_algorithm_of_a_collective() -> None:
    override = {"allreduce": "ring", "bcast": "binomial"}
    ring = choose(
        "allreduce", ranks=8, nbytes=8, channel="object", vector=True, override=override
    )
    assert ring.name == "ring"
    assert (
        choose("bcast", ranks=8, channel="queue", override=override).name == "binomial"
    )
    assert (
        choose("gather", ranks=8, channel="queue", override=override).name == "direct"
    )


@pytest.mark.parametrize(
    ("collective", "name", "known"),
    [
        ("allreduce", "ring", {"vector": False}),
        ("allreduce", "ring", {"vector": True, "commutative": False}),
        ("allgather", "recursive_doubling", {}),
        ("bcast", "scatter_allgather", {"vector": False}),
    ],
)
def test_a_named_algorithm_that_cannot_do_the_work_is_passed_over(
    collective: str, name: str, known: dict[str, bool]
) -> None:
    vector, commutative = known.get("vector", False), known.get("commutative", True)
    model, algorithm = (
        choose(
            collective,
            ranks=6,
            nbytes=8,
            channel="queue",
            vector=vector,
            commutative=commutative,
            override=override,
        )
        for override in (None, {collective: name})
    )
    assert algorithm == model
    assert algorithm.name != name


def test_a_mistake_lists_what_there_is() -> None:
    with pytest.raises(UsageError) as caught:
        choose("bcast", ranks=2, channel="queue", override={"bcast": "magic"})
    assert str(caught.value) == (
        "there is no algorithm 'magic' for bcast: use one of binomial, multicast,"
        " scatter_allgather"
    )
    with pytest.raises(UsageError, match="no channel 'pigeon': use one of direct, que"):
        choose("bcast", ranks=2, channel="pigeon")
    with pytest.raises(UsageError, match="no collective 'shout': use one of barrier, "):
        choose("shout", ranks=2, channel="queue")


def test_algorithms_are_values() -> None:
    algorithm = named("bcast", "binomial")
    assert replace(algorithm) == algorithm
    assert named("bcast", "binomial") is algorithm


@pytest.mark.parametrize("ranks", [8, 16, 64])
def test_few_cores_for_many_ranks_want_the_fewest_messages(ranks: int) -> None:
    messages = {a.name: a.cost(ranks, 8).messages for a in CANDIDATES["allreduce"]}
    crowded = choose("allreduce", ranks=ranks, nbytes=8, channel="direct", cores=2)
    assert messages[crowded.name] == min(messages.values())
    for cores in (None, ranks, 2 * ranks):
        roomy = choose(
            "allreduce", ranks=ranks, nbytes=8, channel="direct", cores=cores
        )
        assert roomy.name == "recursive_doubling"


def test_a_large_bcast_is_written_once_into_shared_memory() -> None:
    for ranks in (4, 8, 64):
        assert chosen("bcast", ranks, 16 * MEGABYTE, "direct") == "multicast"
