from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from serverless_dist.inference import Partition
from serverless_dist.inference.layer import Block, first_layer, next_layer
from serverless_dist.inference.maps import LayerMap, Receipt, map_layers
from serverless_dist.inference.network import Matrix
from serverless_dist.inference.rows import Rows, pack, unpack

Dense = NDArray[np.float32]
BIAS = -0.3


class Drawn:
    """A network with whole dense layers given."""

    def __init__(self, *layers: Dense) -> None:
        self._layers = layers
        self.neurons = len(layers[0])
        self.layers = len(layers)

    def matrices(self) -> Iterator[Matrix]:
        return map(csr_array, self._layers)


OWNERS = np.array([0, 0, 1, 1, 2, 2], np.int32)
IDENTITY = np.eye(6, dtype=np.float32)
ONES = np.ones((6, 6), np.float32)


def map_second(layer: Dense, rank: int) -> LayerMap:
    """Return `layer` as `rank` sees it."""
    first, second = map_layers(Drawn(IDENTITY, layer), OWNERS, rank)
    assert not first.sendings
    assert not first.receipts
    return second


def test_where_nothing_is_needed_there_is_no_message() -> None:
    for rank in range(3):
        layer = map_second(IDENTITY, rank)
        assert layer.sendings == ()
        assert set(layer.receipts) == {rank}


def test_rows_that_all_need_are_one_multicast() -> None:
    (sending,) = map_second(ONES, rank=1).sendings
    assert sending.dests == (0, 2)
    assert sending.rows.tolist() == [0, 1]


def test_what_a_rank_needs_of_its_own_rows_is_not_sent_for_that() -> None:
    weights = IDENTITY.copy()
    weights[2:, 0] = 1  # ranks 1 and 2 need neuron 0, and only rank 0 neuron 1
    (sending,) = map_second(weights, rank=0).sendings
    assert (sending.dests, sending.rows.tolist()) == ((1, 2), [0])


def test_different_rows_for_each_are_messages_of_their_own() -> None:
    weights = IDENTITY.copy()
    weights[2, 0] = weights[4, 1] = 1  # rank 1 needs neuron 0, and rank 2 neuron 1
    one, other = map_second(weights, rank=0).sendings
    assert (one.dests, one.rows.tolist()) == ((1,), [0])
    assert (other.dests, other.rows.tolist()) == ((2,), [1])
    receipt = map_second(weights, rank=2).receipts[0]
    assert (receipt.rows, receipt.taken.tolist()) == (1, [0])
    assert receipt.inputs.tolist() == [0]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("density", [0.03, 0.3, 0.7, 1.0])
def test_what_is_sent_is_what_is_expected_and_all_that_is_needed(
    density: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    weights = (random.random((26, 26)) < density).astype(np.float32)
    owners = Partition.RANDOM.owners(26, 5, seed)
    layers = [
        tuple(map_layers(Drawn(weights, weights), owners, rank))[1] for rank in range(5)
    ]
    held = [np.flatnonzero(owners == rank) for rank in range(5)]
    for dest, layer in enumerate(layers):
        inputs = np.full(layer.inputs.size, -1)
        for source, receipt in layer.receipts.items():
            sent = np.arange(held[source].size, dtype=np.int32)
            if source != dest:
                (sent,) = (
                    sending.rows
                    for sending in layers[source].sendings
                    if dest in sending.dests
                )
            assert receipt.rows == sent.size
            inputs[receipt.inputs] = held[source][sent[receipt.taken]]
        assert inputs.tolist() == layer.inputs.tolist()
        wide = np.zeros((len(held[dest]), 26), np.float32)
        wide[:, layer.inputs] = layer.matrix.toarray()
        assert (wide == weights[held[dest]]).all()
    for source, layer in enumerate(layers):
        dests = [rank for sending in layer.sendings for rank in sending.dests]
        expecting = [d for d, other in enumerate(layers) if source in other.receipts]
        assert sorted(dests) == [dest for dest in expecting if dest != source]


def activate(sums: Dense) -> Dense:
    """Return the activations by the challenge's own rule."""
    biased = np.where(sums != 0, sums + np.float32(BIAS), 0)
    return np.minimum(np.maximum(biased, 0), 32).astype(np.float32)


def spread(block: Block, total: int) -> Dense:
    dense = np.zeros((len(block.values), total), np.float32)
    dense[:, block.samples] = block.values
    return dense


def draw(shape: tuple[int, int], density: float, seed: int) -> Dense:
    """Return sixteenths, so that sums of products are exact in any order."""
    random = np.random.default_rng(seed)
    values = random.integers(1, 100, shape) / 16
    return np.where(random.random(shape) < density, values, 0).astype(np.float32)


SAMPLES = [1, 2, 1023, 1024, 1025, 2500]


@pytest.mark.parametrize("samples", SAMPLES)
def test_the_first_layer_follows_the_rule(samples: int) -> None:
    weights = draw((16, 16), 0.2, seed=samples)
    pixels = draw((16, samples), 0.1, seed=samples) > 0
    (layer,) = map_layers(Drawn(weights), np.zeros(16, np.int32), 0)
    block = first_layer(layer, np.packbits(pixels.T, axis=1), BIAS)
    expected = activate(weights @ pixels.astype(np.float32))
    assert (spread(block, samples) == expected).all()
    assert block.values.any(axis=0).all()


def receive(
    layer: LayerMap, held: Sequence[NDArray[np.intp]], values: Dense, rank: int
) -> list[tuple[Receipt, Rows]]:
    """Return what a rank has before the layer, as if all others had sent it."""
    total = values.shape[1]
    parts = []
    for source, receipt in layer.receipts.items():
        chosen = np.arange(receipt.rows)
        if source != rank:
            needed = np.isin(held[source], layer.inputs)
            chosen = chosen if receipt.rows == needed.size else np.flatnonzero(needed)
        sent = values[held[source][chosen]]
        rows = unpack(pack(sent, np.arange(total), total), receipt.rows, total)
        parts.append((receipt, rows))
    return parts


@pytest.mark.parametrize("samples", SAMPLES)
@pytest.mark.parametrize("copies", [1, 4], ids=["different rows", "equal rows"])
def test_a_later_layer_follows_the_rule_and_leaves_its_map_alone(
    copies: int, samples: int
) -> None:
    weights = draw((24, 24), 0.3, seed=samples)
    values = draw((24, samples), 0.05, seed=samples)
    values = np.repeat(values[::copies], copies, axis=0)
    owners = Partition.CONTIGUOUS.owners(24, 3)
    held = [np.flatnonzero(owners == rank) for rank in range(3)]
    for rank in range(3):
        _, layer = map_layers(Drawn(weights, weights), owners, rank)
        parts = receive(layer, held, values, rank)
        expected = activate(weights[held[rank]] @ values)
        for _ in range(2):
            block = next_layer(layer, parts, BIAS)
            assert (spread(block, samples) == expected).all()
            assert block.values.any(axis=0).all()


def test_neurons_without_inputs_are_silent() -> None:
    weights = np.zeros((8, 8), np.float32)
    first, second = map_layers(Drawn(weights, weights), np.zeros(8, np.int32), 0)
    block = first_layer(first, np.full((5, 1), 255, np.uint8), BIAS)
    assert block.samples.size == 0
    assert next_layer(second, [], BIAS).values.shape == (8, 0)
