from pathlib import Path

import numpy as np
import pytest

from serverless_dist.errors import UsageError
from serverless_dist.inference import (
    ChallengeNetwork,
    GeneratedNetwork,
    Job,
    Partition,
    load_inputs,
)

SHARED = Path(__file__).parents[2] / "shared" / "data"
needs_real_data = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"the official network is not in {SHARED}"
)
SIZES = [1024, 4096, 16384, 65536]
RANKS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 24, 33]


@needs_real_data
def test_the_generator_makes_the_first_six_layers_of_the_official_network() -> None:
    official = ChallengeNetwork(SHARED, 1024, layers=6).matrices()
    generated = GeneratedNetwork(1024, layers=6).matrices()
    for layer in zip(official, generated, strict=True):
        assert abs(layer[0] - layer[1]).nnz == 0


@pytest.mark.parametrize("neurons", SIZES)
def test_every_neuron_has_32_inputs_and_32_outputs(neurons: int) -> None:
    layers = neurons.bit_length() - 4  # the first one that is renumbered comes last
    for matrix in GeneratedNetwork(neurons, layers).matrices():
        assert matrix.shape == (neurons, neurons)
        assert np.unique(np.diff(matrix.indptr)).tolist() == [32]
        assert np.unique(np.bincount(matrix.indices)).tolist() == [32]
        assert np.unique(matrix.data).tolist() == [1 / 16]
        matrix.sum_duplicates()
        assert matrix.nnz == 32 * neurons


def test_equal_seeds_make_equal_networks_and_others_do_not() -> None:
    one, same, other = (
        list(GeneratedNetwork(1024, 8, seed).matrices()) for seed in (1, 1, 2)
    )
    assert all(abs(a - b).nnz == 0 for a, b in zip(one, same, strict=True))
    assert [abs(a - b).nnz > 0 for a, b in zip(one, other, strict=True)] == (
        [False] * 6 + [True] * 2
    )


def test_layers_made_from_the_same_one_are_renumbered_differently() -> None:
    layers = list(GeneratedNetwork(1024, 19).matrices())
    assert abs(layers[6] - layers[12]).nnz > 0
    assert abs(layers[12] - layers[18]).nnz > 0


@pytest.mark.parametrize("neurons", [0, 1, 1000, 2048])
def test_unknown_neurons_are_refused(neurons: int) -> None:
    with pytest.raises(UsageError, match=f"{neurons} neurons: choose one of 1024"):
        Job(neurons, layers=120)


@pytest.mark.parametrize("layers", [-1, 0, 1921])
def test_unknown_layers_are_refused(layers: int) -> None:
    with pytest.raises(UsageError, match=f"{layers} layers"):
        Job(1024, layers)


@pytest.mark.parametrize("neurons", SIZES)
def test_inputs_of_every_size_show_the_same_digits(neurons: int) -> None:
    side = int(neurons**0.5)
    bits = np.unpackbits(load_inputs(neurons, samples=200), axis=1)
    small = np.unpackbits(load_inputs(1024, samples=200), axis=1)
    # The pixels of the small picture are every so-manieth of the large one.
    fine = bits.reshape(200, side, side)[:, :: side // 32, :: side // 32]
    assert (fine == small.reshape(200, 32, 32)).all()


def test_the_first_inputs_do_not_depend_on_how_many_are_loaded() -> None:
    assert (load_inputs(4096, 7) == load_inputs(4096, 300)[:7]).all()


@needs_real_data
def test_the_inputs_are_those_of_the_challenge_but_for_few_pixels() -> None:
    with np.load(SHARED / "graphchallenge-1024-images-10000.npz") as archive:
        official = np.unpackbits(archive["bits"], axis=1).astype(np.float32)
    ours = np.unpackbits(load_inputs(1024, 500), axis=1).astype(np.float32)
    different = ours.sum(axis=1)[:, None] + official.sum(axis=1) - 2 * ours @ official.T
    assert different.min(axis=1).max() <= 5
    assert different.min(axis=1).mean() < 1


@pytest.mark.parametrize("samples", [-1, 0, 10_001])
def test_more_inputs_than_there_are_is_refused(samples: int) -> None:
    with pytest.raises(UsageError, match=f"{samples} samples are not there"):
        load_inputs(1024, samples)


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("partition", Partition)
def test_a_partition_gives_all_ranks_as_many_neurons_or_one_more(
    partition: Partition, ranks: int
) -> None:
    shares = np.bincount(partition.owners(1024, ranks, seed=1))
    assert shares.size == ranks
    assert shares.sum() == 1024
    assert shares.max() - shares.min() <= 1


def test_a_contiguous_partition_keeps_the_order() -> None:
    assert Partition.CONTIGUOUS.owners(7, 3).tolist() == [0, 0, 0, 1, 1, 2, 2]


def test_a_random_partition_depends_on_its_seed_only() -> None:
    one, same, other = (Partition.RANDOM.owners(99, 4, seed) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


@pytest.mark.parametrize("ranks", [0, 1025])
@pytest.mark.parametrize("partition", Partition)
def test_a_rank_without_neurons_is_refused(partition: Partition, ranks: int) -> None:
    with pytest.raises(UsageError, match=f"over {ranks} ranks: use 1 to 1024"):
        Job(1024, 120, partition=partition).owners(ranks)
