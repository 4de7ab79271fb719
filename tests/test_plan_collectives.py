"""Collectives in virtual time: counted as real runs are, timed as can be reckoned."""

from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from serverless_dist import Communicator, run
from serverless_dist.cloud import Usage
from serverless_dist.cloud.latency import US_EAST_1, Latency, Profile
from serverless_dist.comm.algorithms import CANDIDATES
from serverless_dist.comm.steps import Recv, Send, Steps
from serverless_dist.errors import ProtocolError
from serverless_dist.plan.collectives import (
    Circumstances,
    Estimate,
    Method,
    estimate,
    is_simulated,
    predict_collective,
    simulate_collective,
)
from serverless_dist.plan.collectives.queue_clock import QueueClock
from serverless_dist.plan.collectives.services_clock import ServicesClock
from serverless_dist.plan.collectives.steps_clock import StepsClock

SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 24, 33)
CHANNELS = ("queue", "object", "hybrid")
ALL = [(c, a.name) for c, found in CANDIDATES.items() for a in found]


def always(profile: Profile = US_EAST_1) -> Profile:
    """Return the profile with every latency at its median."""
    changes = {
        field.name: replace(getattr(profile, field.name), sigma=0.0)
        for field in fields(profile)
        if isinstance(getattr(profile, field.name), Latency)
    }
    return replace(profile, **changes)


def suits(collective: str, algorithm: str, ranks: int) -> bool:
    found = {each.name: each for each in CANDIDATES[collective]}
    return found[algorithm].suits(ranks, vector=True, commutative=True)


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize(("collective", "algorithm"), ALL)
def test_every_algorithm_comes_to_its_end(
    collective: str, algorithm: str, channel: str
) -> None:
    given = Circumstances(channel=channel)
    for ranks in SIZES:
        if suits(collective, algorithm, ranks):
            found = simulate_collective(collective, algorithm, ranks, 1_000, given)
            assert (found.seconds > 0) == (ranks > 1), ranks
            assert found.quantiles[0.5] <= found.quantiles[0.99] <= found.seconds


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("seed", [0, 7], ids="seed {}".format)
@pytest.mark.parametrize(
    ("collective", "algorithm"),
    [("allreduce", "rabenseifner"), ("gather", "direct"), ("allgather", "multicast")],
)
def test_the_same_seed_gives_the_same_bits(
    collective: str, algorithm: str, seed: int, channel: str
) -> None:
    given = Circumstances(channel=channel, seed=seed)
    one, other = (
        simulate_collective(collective, algorithm, 33, 400_000, given) for _ in "ab"
    )
    assert one == other
    assert one.seconds.hex() == other.seconds.hex()
    another = replace(given, seed=seed + 1)
    assert one != simulate_collective(collective, algorithm, 33, 400_000, another)


# What one call of each collective is, to a rank with arrays of so many bytes.
def _bcast(comm: Communicator, nbytes: int) -> None:
    comm.Bcast(np.zeros(nbytes, np.uint8), 0)


def _allreduce(comm: Communicator, nbytes: int) -> None:
    comm.Allreduce(np.zeros(nbytes // 8), np.zeros(nbytes // 8))


def _reduce(comm: Communicator, nbytes: int) -> None:
    comm.Reduce(np.zeros(nbytes // 8), np.zeros(nbytes // 8), root=0)


def _allgather(comm: Communicator, nbytes: int) -> None:
    whole = np.zeros(comm.size * nbytes, np.uint8)
    comm.Allgather(np.zeros(nbytes, np.uint8), whole)


def _alltoall(comm: Communicator, nbytes: int) -> None:
    mine, theirs = (np.zeros(comm.size * nbytes, np.uint8) for _ in "ab")
    comm.Alltoall(mine, theirs)


def _barrier(comm: Communicator, nbytes: int) -> None:
    del nbytes
    comm.Barrier()


CALLS: dict[str, Callable[[Communicator, int], None]] = {
    "barrier": _barrier,
    "bcast": _bcast,
    "reduce": _reduce,
    "allreduce": _allreduce,
    "allgather": _allgather,
    "alltoall": _alltoall,
}


def rank(comm: Communicator, collective: str, algorithm: str, nbytes: int) -> None:
    comm.Set_algorithm(collective, algorithm)
    CALLS[collective](comm, nbytes)


def nothing(comm: Communicator) -> None:
    del comm


@cache
def idle_usage(ranks: int, channel: str) -> Usage:
    return run(nothing, ranks=ranks, channel=channel).report.usage


# A poll may come before or after a message, and a look before or after an object.
_BY_CHANCE = {"sqs:ReceiveMessage", "s3:GetObject"}
# To whom ranks tell their outcomes reads and deletes as it likes.
_DRIVERS = {"sqs:DeleteMessageBatch", "lambda:Invoke"}


def told(
    collective: str, algorithm: str, ranks: int, nbytes: int, channel: str
) -> tuple[dict[Any, int], int]:
    """Return what the call adds to the counts of a run that does nothing, and sends."""
    arguments = (collective, algorithm, nbytes)
    usages = [
        run(rank, *arguments, ranks=ranks, channel=channel).report.usage,
        idle_usage(ranks, channel),
    ]
    counts = {}
    for kind in ("requests", "billed"):
        with_call, without = (getattr(usage, kind) for usage in usages)
        for name in with_call:
            if name not in _BY_CHANCE | _DRIVERS:
                counts[kind, name] = with_call[name] - without.get(name, 0)
    sent = usages[0].bytes_sent - usages[1].bytes_sent
    return {key: count for key, count in counts.items() if count}, sent


def reckoned(found: Estimate) -> Any:
    return {
        (kind, name): count
        for kind in ("requests", "billed")
        for name, count in getattr(found.usage, kind).items()
        if name not in _BY_CHANCE | _DRIVERS
    }


@pytest.mark.parametrize(
    ("collective", "algorithm", "ranks", "nbytes", "channel"),
    [
        ("barrier", "gather_bcast", 9, 0, "queue"),
        ("bcast", "multicast", 9, 500_000, "queue"),
        ("allreduce", "recursive_doubling", 5, 800_000, "queue"),
        ("alltoall", "posted", 5, 30_000, "queue"),
        ("allgather", "multicast", 3, 100, "object"),
        ("reduce", "reduce_scatter_gather", 3, 80_000, "object"),
        ("allgather", "bruck", 4, 150_000, "hybrid"),
        ("allreduce", "rabenseifner", 4, 600_000, "hybrid"),
    ],
)
def test_requests_are_those_of_a_real_run(
    collective: str, algorithm: str, ranks: int, nbytes: int, channel: str
) -> None:
    found = estimate(collective, algorithm, ranks, nbytes, Circumstances(channel))
    counts, sent = told(collective, algorithm, ranks, nbytes, channel)
    assert reckoned(found) == counts
    # What a rank tells of itself is longer, the more there is to tell.
    assert found.usage.bytes_sent == pytest.approx(sent, rel=0.001, abs=500 * ranks)


def test_a_message_between_two_ranks_takes_what_can_be_reckoned() -> None:
    profile = always()
    given = Circumstances(profile=profile)
    found = simulate_collective("reduce", "direct", 2, 0, given)
    size = -(-(62 + 2 + 2) * 4 // 3)  # a frame for one rank, as text
    passing = 2 * size / profile.burst_rate  # up and down
    sent = profile.request_cpu + profile.sqs_send.typical
    seconds = sent + profile.sqs_receive.typical + passing
    assert found.seconds == pytest.approx(seconds, rel=1e-9)
    assert found.usage.requests == {
        "sqs:SendMessageBatch": 1,
        "sqs:ReceiveMessage": 1,
        "sqs:DeleteMessageBatch": 1,
    }
    assert found.usage.bytes_sent == found.usage.bytes_received == size


def test_less_memory_is_less_of_a_processor() -> None:
    profile = always()
    whole, part = (
        simulate_collective(
            "reduce", "direct", 2, 0, Circumstances(profile=profile, memory_mb=memory)
        ).seconds
        for memory in (1_769, 256)
    )
    # The receiver's own request was under way already.
    more = profile.request_cpu * (1_769 / 256 - 1)
    assert part - whole == pytest.approx(more)


def test_a_bill_is_its_requests_and_the_seconds_of_all_ranks() -> None:
    given = Circumstances()
    found = simulate_collective("gather", "direct", 12, 100, given)
    prices = given.prices
    requests = sum(found.usage.billed.values()) * prices.sqs_request
    seconds = 12 * found.seconds * 1_769 / 1_024 * prices.lambda_gb_second
    assert found.dollars == pytest.approx(requests + seconds)


def test_looking_in_vain_costs_requests() -> None:
    """The last of a chain of messages is looked for all the time."""
    given = Circumstances(channel="object", profile=always())
    found = simulate_collective("barrier", "gather_bcast", 8, 0, given)
    assert found.usage.requests["s3:PutObject"] == 8
    assert found.usage.requests["s3:GetObject"] > 3 * 14


def test_s3_gives_no_more_reads_than_it_does() -> None:
    few = replace(always(), s3_get_rate=50.0)
    free, held = (
        simulate_collective(
            "allgather", "multicast", 33, 8, Circumstances("object", profile=profile)
        )
        for profile in (always(), few)
    )
    gets = held.usage.requests["s3:GetObject"]
    assert held.seconds > 4 * free.seconds
    assert held.seconds == pytest.approx(gets / 50.0 - 1.0, rel=0.05)  # and a burst


def test_a_poll_that_waits_long_is_made_again() -> None:
    slow = replace(always(), sqs_send=Latency(50.0, 0.0, 0.0))
    found = simulate_collective("reduce", "direct", 2, 8, Circumstances(profile=slow))
    assert found.usage.requests["sqs:ReceiveMessage"] == 3


def test_ranks_that_wait_for_each_other_are_named() -> None:
    def impolite(rank: int) -> Steps[None]:
        yield Recv(1 - rank)
        yield Send(1 - rank, None)

    clock = StepsClock([impolite(0), impolite(1)], lambda _: 0)
    services = ServicesClock(2, profile=US_EAST_1, memory_mb=1_769, seed=0)
    with pytest.raises(ProtocolError, match=r"2 of 2 .* rank 0 waits for rank 1; "):
        clock.run(QueueClock(services, 2, clock))


def test_a_multicast_names_those_whom_each_topic_serves() -> None:
    found = simulate_collective("bcast", "multicast", 16_384, 8, Circumstances())
    assert found.usage.requests["sns:PublishBatch"] == 82
    assert found.usage.billed["sns:Delivery"] == 16_383
    assert found.usage.received["sqs:ReceiveMessage"] < 16_383 * 1_100


def test_what_is_too_much_to_simulate_is_told_by_closed_form() -> None:
    given = Circumstances()
    found = estimate("alltoall", "posted", 16_384, 8, given)
    assert found.method is Method.CLOSED_FORM
    assert found == predict_collective("alltoall", "posted", 16_384, 8, given)
    assert not is_simulated("allreduce", "ring", 8, 8, "direct")


def test_thousands_of_ranks_are_simulated_message_by_message() -> None:
    found = estimate("scan", "recursive_doubling", 4_096, 8, Circumstances())
    assert found.method is Method.SIMULATION
    assert found.usage.requests["sqs:SendMessageBatch"] == 4_096 * 12 - 4_096 + 1
