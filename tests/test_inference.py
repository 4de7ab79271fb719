import contextvars
import pickle
from pathlib import Path

import numpy as np
import pytest

from serverless_dist.comm import Communicator, Endpoint
from serverless_dist.errors import UsageError
from serverless_dist.inference import (
    Answer,
    GeneratedNetwork,
    Job,
    Partition,
    Phase,
    infer,
    read_categories,
)
from serverless_dist.runtime.progress import set_reporter
from serverless_dist.testing.transports import connect, run_threads

SHARED = Path(__file__).parents[2] / "shared" / "data"
needs_real_data = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"the official network is not in {SHARED}"
)
SMALL = Job(1024, layers=8, samples=100)


def infer_on(job: Job, ranks: int) -> list[Answer]:
    transports = connect(ranks)

    def main(rank: int) -> Answer:
        return infer(Communicator.world(Endpoint(transports[rank])), job)

    def stop() -> None:
        for transport in transports:
            transport.close()

    return run_threads(ranks, main, on_failure=stop)


def categories(job: Job, ranks: int) -> list[int]:
    found = infer_on(job, ranks)[0].categories
    assert found is not None
    numbers: list[int] = found.tolist()
    return numbers


def plainly(job: Job) -> list[int]:
    """Return the categories by the challenge's own rule, on whole dense arrays."""
    values = np.unpackbits(job.inputs(), axis=1).T.astype(np.float32)
    for matrix in job.network().matrices():
        sums = matrix @ values
        biased = np.where(sums != 0, sums + np.float32(-0.3), 0)
        values = np.minimum(np.maximum(biased, 0), 32).astype(np.float32)
    return (np.flatnonzero(values.any(axis=0)) + 1).tolist()


@needs_real_data
@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("partition", Partition)
def test_the_official_network_gives_the_official_categories(
    partition: Partition, ranks: int
) -> None:
    job = Job(1024, 120, 10_000, directory=SHARED, partition=partition)
    official = read_categories(SHARED, 1024, 120)
    expected = official[official <= job.samples].tolist()
    assert len(expected) == 337
    assert categories(job, ranks) == expected


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_renumbered_networks_give_the_same_categories(seed: int) -> None:
    expected = categories(Job(1024, 120, 1000), ranks=1)
    assert len(expected) == 35
    assert categories(Job(1024, 120, 1000, seed=seed), ranks=1) == expected


@needs_real_data
def test_a_generated_network_gives_the_official_categories(tmp_path: Path) -> None:
    layers = [matrix.tocoo() for matrix in GeneratedNetwork(1024, 120, 3).matrices()]
    np.savez(
        tmp_path / "graphchallenge-1024x120-weights.npz",
        rows=np.array([layer.col for layer in layers], np.uint16),
        cols=np.array([layer.row for layer in layers], np.uint16),
    )
    images = "graphchallenge-1024-images-10000.npz"
    (tmp_path / images).symlink_to(SHARED / images)
    official = read_categories(SHARED, 1024, 120)
    expected = official[official <= 10_000].tolist()
    assert categories(Job(1024, 120, 10_000, directory=tmp_path), ranks=1) == expected


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 24, 33])
@pytest.mark.parametrize("partition", Partition)
def test_any_number_of_ranks_gives_the_plain_answer(
    partition: Partition, ranks: int
) -> None:
    job = Job(1024, SMALL.layers, SMALL.samples, partition=partition)
    expected = plainly(job)
    assert 0 < len(expected) < SMALL.samples
    assert categories(job, ranks) == expected


@pytest.mark.parametrize("neurons", [4096, 16384])
def test_larger_networks_give_the_plain_answer_too(neurons: int) -> None:
    job = Job(neurons, layers=3, samples=9)
    assert categories(job, ranks=3) == categories(job, ranks=1)


@pytest.mark.parametrize("layers", [1, 2])
def test_shallow_networks_need_no_or_one_exchange(layers: int) -> None:
    job = Job(1024, layers, samples=5)
    assert categories(job, ranks=3) == plainly(job)


def test_a_batch_that_dies_out_has_no_categories() -> None:
    job = Job(1024, 120, samples=3)
    assert plainly(job) == []
    assert categories(job, ranks=3) == []


def test_only_rank_0_has_the_categories_and_all_know_their_time() -> None:
    answers = infer_on(SMALL, ranks=3)
    assert [answer.categories is None for answer in answers] == [False, True, True]
    for answer in answers:
        assert set(answer.seconds) == set(Phase)
        assert answer.seconds[Phase.COMPUTE] > 0
        assert pickle.loads(pickle.dumps(answer)).seconds == answer.seconds


def test_rank_0_tells_how_far_it_has_come() -> None:
    told: list[tuple[int, int]] = []

    def watched() -> None:
        set_reporter(lambda done, total: told.append((done, total)))
        infer(Communicator.world(Endpoint(connect(1)[0])), SMALL)

    contextvars.copy_context().run(watched)
    assert told == sorted(told)
    assert told[-1] == (SMALL.layers, SMALL.layers)


def test_more_ranks_than_neurons_are_refused() -> None:
    transport = connect(1025)[7]
    with pytest.raises(UsageError, match="1024 neurons cannot be split over 1025"):
        infer(Communicator.world(Endpoint(transport)), SMALL)


def test_a_job_travels_in_few_bytes() -> None:
    job = Job(65536, 1920, directory=Path("/data"), partition=Partition.RANDOM)
    data = pickle.dumps(job)
    assert pickle.loads(data) == job
    assert len(data) < 500
