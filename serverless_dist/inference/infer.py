"""Inference by ranks that each hold some rows of every layer."""

import operator
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serverless_dist.comm import Communicator, Distgraphcomm
from serverless_dist.inference.job import Job
from serverless_dist.inference.layer import Block, first_layer, next_layer
from serverless_dist.inference.maps import LayerMap, Receipt, Sending, map_layers
from serverless_dist.inference.network import BIASES
from serverless_dist.inference.rows import Activations, Rows, pack, unpack
from serverless_dist.inference.seconds import Phase, Stopwatch
from serverless_dist.runtime import loading, report_progress


@dataclass(frozen=True, slots=True)
class Answer:
    """What one rank has to say when the job is done.

    Attributes
    ----------
    categories
        On rank 0 the numbers of the samples, from 1, for which a neuron of the last
        layer is not zero; None on the others.
    seconds
        Where the time of this rank went.
    """

    categories: NDArray[np.int64] | None
    seconds: Mapping[Phase, float]


def infer(
    comm: Communicator,
    job: Job,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> Answer:
    """Run the job on all ranks of `comm`; all of them call this with an equal job.

    The categories do not depend on the number of ranks or on the partition. Each layer
    is one `neighbor_alltoall` over the graph of who needs whose rows, and the end one
    `reduce`. Rank 0 reports its progress.

    Parameters
    ----------
    comm
        The ranks; one rank exchanges nothing.
    job
        What to infer. Each rank loads it and keeps its rows.
    clock
        Seconds, from any moment on.

    Returns
    -------
    Answer
        The categories, on rank 0, and where the time went.

    Raises
    ------
    UsageError
        There are more ranks than neurons, or a file is missing or malformed.

    Examples
    --------
    >>> from serverless_dist.comm import get_self
    >>> infer(get_self(), Job(1024, layers=6, samples=99)).categories[:4].tolist()
    [16, 51, 63, 79]
    """
    watch = Stopwatch(clock)
    with watch.count(Phase.LOAD), loading():
        owners = job.owners(comm.size)
        layers = tuple(map_layers(job.network(), owners, comm.rank))
        graphs = [_graph(comm, layer) for layer in layers]
        bits = job.inputs()
    bias = BIASES[job.neurons]
    with watch.count(Phase.COMPUTE):
        block = first_layer(layers[0], bits, bias)
    _report(comm, 1, job)
    for done, (graph, layer) in enumerate(zip(graphs[1:], layers[1:], strict=True), 2):
        parts = _gather(graph, layer, block, len(bits), watch)
        with watch.count(Phase.COMPUTE):
            block = next_layer(layer, parts, bias)
        _report(comm, done, job)
    with watch.count(Phase.EXCHANGE):
        categories = _combine(comm, block, len(bits))
    return Answer(categories, watch.seconds)


def _report(comm: Communicator, done: int, job: Job) -> None:
    if comm.rank == 0:
        report_progress(done, job.layers)


def _graph(comm: Communicator, layer: LayerMap) -> Distgraphcomm:
    """Return the ranks as this one's neighbours before the layer."""
    sources = [source for source in layer.receipts if source != comm.rank]
    dests = [dest for sending in layer.sendings for dest in sending.dests]
    return comm.Create_dist_graph_adjacent(sources, dests)


def _gather(
    graph: Distgraphcomm, layer: LayerMap, block: Block, total: int, watch: Stopwatch
) -> list[tuple[Receipt, Rows]]:
    """Return the rows that the layer needs: this rank's own, and those of others."""
    receipts = dict(layer.receipts)
    own = receipts.pop(graph.rank, None)
    parts = []
    if own is not None:
        parts.append((own, Rows(block.samples, block.values, np.arange(own.rows))))
    if graph.size == 1:
        return parts
    with watch.count(Phase.PACK):
        sends = []
        for sending in layer.sendings:
            packed = pack(_choose(block, sending), block.samples, total)
            sends += [packed] * len(sending.dests)  # the same object: one multicast
    with watch.count(Phase.EXCHANGE):
        bodies = graph.neighbor_alltoall(sends)
    with watch.count(Phase.UNPACK):
        for receipt, body in zip(receipts.values(), bodies, strict=True):
            parts.append((receipt, unpack(body, receipt.rows, total)))
    return parts


def _choose(block: Block, sending: Sending) -> Activations:
    if sending.rows.size == len(block.values):
        return block.values
    return block.values[sending.rows]


def _combine(comm: Communicator, block: Block, total: int) -> NDArray[np.int64] | None:
    """Return on rank 0 the numbers, from 1, of the samples alive on any rank."""
    alive = np.zeros(total, np.bool_)
    alive[block.samples] = True
    merged = comm.reduce(np.packbits(alive), operator.or_)
    if merged is None:
        return None
    return np.flatnonzero(np.unpackbits(merged, count=total)) + 1
