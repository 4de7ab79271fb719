"""Layers split: each function has some layers, and batches go from one to the next."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serverless_dist.plan.inference.exchanges import Call, RequestSums, Via, exchange
from serverless_dist.plan.inference.memory import Held, held
from serverless_dist.plan.inference.rows import RANGE_BYTES
from serverless_dist.plan.inference.starts import launched, load_seconds
from serverless_dist.plan.inference.ways import Cost, Setting, Strategy, Way

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """How layers and samples are dealt out.

    Attributes
    ----------
    groups
        Pipelines beside each other; each has its share of the samples.
    stages
        Functions of one pipeline.
    batches
        Parts that its samples go through it in.
    via
        How a stage hands a batch on.
    """

    groups: int
    stages: int
    batches: int
    via: Via

    @property
    def ranks(self) -> int:
        """All functions."""
        return self.groups * self.stages


@dataclass(frozen=True, slots=True)
class _Stages:
    """What each stage takes: seconds, of a whole vCPU where it computes.

    `passing` is what it takes to hand a batch on to the stage behind.
    """

    layers: NDArray[np.int64]
    loading: Floats
    preparing: Floats
    computing: Floats
    passing: Floats
    tally: RequestSums


def layers_way(setting: Setting, pipeline: Pipeline) -> Way:
    """Return the way that deals layers out so."""
    shape = setting.shape
    samples = math.ceil(shape.samples / pipeline.groups)
    batch = math.ceil(samples / pipeline.batches)
    stages = _stages(setting, pipeline, samples, batch)
    started = setting.start(pipeline.ranks)
    told = setting.profile.sqs_send.typical + setting.profile.sqs_receive.typical

    def cost(share: float) -> Cost:
        ends = _ends(stages, pipeline.batches, share)
        billed = ends + started.billed + started.last - started.mean
        tally = launched(pipeline.ranks, float(ends.mean()))
        tally.add(stages.tally, pipeline.groups)
        return Cost(
            seconds=started.last + float(ends[-1]) + told,
            billed_seconds=float(billed.sum()) * pipeline.groups,
            longest=float(billed.max()),
            tally=tally,
        )

    is_alone = pipeline.groups == 1
    return Way(
        Strategy.LAYERS if is_alone else Strategy.LAYERS_SAMPLES,
        pipeline.via,
        pipeline.ranks,
        _most(setting, stages, samples, batch),
        cost,
        {"groups": pipeline.groups, "batch": batch},
    )


def _stages(setting: Setting, pipeline: Pipeline, samples: int, batch: int) -> _Stages:
    shape, profile, kernel = setting.shape, setting.profile, setting.kernel
    computing = _computing(setting, batch)
    size = shape.edges * shape.bytes_per_edge
    each = size / profile.network_rate + shape.edges * kernel.prepare_seconds
    cuts = _cuts(each + pipeline.batches * computing, pipeline.stages)
    layers = np.diff(cuts)
    passing, packing, tally = _handing_on(setting, pipeline, cuts[1:-1], batch)
    sizes = layers * float(size)
    sizes[0] += samples * shape.neurons / 8
    gets = np.ceil(sizes / RANGE_BYTES) + 1
    tally.count("s3:GetObject", float(gets.sum()))
    loading = [
        load_seconds(float(each), float(n), profile)
        for each, n in zip(sizes, gets, strict=True)
    ]
    return _Stages(
        layers=layers,
        loading=np.array(loading),
        preparing=layers * shape.edges * kernel.prepare_seconds,
        computing=np.add.reduceat(computing, cuts[:-1]) + packing,
        passing=passing,
        tally=tally,
    )


def _computing(setting: Setting, batch: int) -> Floats:
    """Return the vCPU seconds of each layer of one batch."""
    shape, kernel = setting.shape, setting.kernel
    live = np.concatenate([np.full(s.count, s.live) for s in shape.stretches])
    columns = np.maximum(1.0, live * batch)
    once = shape.edges * kernel.edge_seconds + kernel.layer_seconds
    found: Floats = columns * (shape.edges / kernel.edges_per_second) + once
    return found


def _cuts(costs: Floats, stages: int) -> NDArray[np.int64]:
    """Return where each stage begins, and the end: about as much work for each.

    >>> _cuts(np.array([3.0, 1.0, 1.0, 1.0]), 2).tolist()
    [0, 1, 4]
    """
    sums = np.cumsum(costs)
    wanted = sums[-1] * np.arange(1, stages) / stages
    inner = np.searchsorted(sums, wanted, side="left") + 1
    order = np.arange(1, stages)
    # No stage is empty: each begins behind the one before, and leaves enough for the
    # ones behind.
    inner = np.maximum.accumulate(inner - order) + order
    inner = np.minimum(inner, len(costs) - stages + order)
    return np.concatenate([[0], inner, [len(costs)]])


def _handing_on(
    setting: Setting, pipeline: Pipeline, borders: NDArray[np.int64], batch: int
) -> tuple[Floats, Floats, RequestSums]:
    """Return what each stage takes to hand a batch on, to pack and unpack, in all."""
    shape, profile, kernel = setting.shape, setting.profile, setting.kernel
    passing, packing = np.zeros(borders.size), np.zeros(borders.size + 1)
    tally = RequestSums()
    for place, border in enumerate(borders.tolist()):
        behind = shape.behind(border - 1)
        size = behind.packed(shape.neurons, batch)
        # Of two ranks that exchange, one sends and one receives.
        one = exchange(pipeline.via, Call(2, 1, 1, size), profile)
        tally.add(one.tally, pipeline.batches / 2)
        passing[place] = one.seconds + 2 * size / profile.network_rate
        columns = behind.live * batch
        distinct = behind.distinct_rows(shape.neurons, shape.neurons)
        packing[place] += shape.neurons * columns / kernel.pack_values + one.cpu
        packing[place + 1] += distinct * columns / kernel.unpack_values + one.cpu
    return passing, packing, tally


def _ends(stages: _Stages, batches: int, share: float) -> Floats:
    """Return when each stage has done its last batch, from when all have started."""
    ready = stages.loading + stages.preparing / share
    computing = stages.computing / share
    begin, end = float(ready[0]), float(ready[0] + batches * computing[0])
    ends = [end]
    for stage in range(1, len(ready)):
        way = float(stages.passing[stage - 1])
        begin = max(float(ready[stage]), begin + float(computing[stage - 1]) + way)
        own = float(computing[stage])
        end = max(begin + batches * own, end + way + own)
        ends.append(end)
    return np.array(ends)


def _most(setting: Setting, stages: _Stages, samples: int, batch: int) -> Held:
    """Return what the stage holds that holds most: the first, or the longest."""
    shape, kernel = setting.shape, setting.kernel
    each = [
        held(
            shape,
            kernel,
            rows=shape.neurons,
            layers=layers,
            samples=inputs,
            batch=batch,
        )
        for layers, inputs in (
            (float(stages.layers[0]), samples),
            (float(stages.layers.max()), 0),
        )
    ]
    return max(each, key=lambda holds: holds.total)
