"""Groups of functions: groups share out the samples, the functions of one its rows.

One group of one function is serial; groups of one split the samples and never talk;
one group of several is the rows split, whose ranks meet before every layer.
"""

import math
from dataclasses import dataclass

from serverless_dist.plan.inference.exchanges import Call, RequestSums, Via, exchange
from serverless_dist.plan.inference.memory import held
from serverless_dist.plan.inference.shapes import Stretch
from serverless_dist.plan.inference.starts import (
    launched,
    load_seconds,
    transfer_seconds,
)
from serverless_dist.plan.inference.ways import Cost, Setting, Strategy, Way

RANGE_BYTES = 16 * 2**20  # of an object that one GET reads
_FOLD = 0.5  # distinct rows per row up to which equal weights are added: `layer`


@dataclass(frozen=True, slots=True)
class Split:
    """How samples and rows are dealt out.

    Attributes
    ----------
    groups
        Each has its share of the samples.
    rows
        Functions in a group: each has its share of the rows of every layer.
    batches
        A group computes its samples in so many parts, one after the other.
    via
        How the functions of a group talk; None if each is alone.
    """

    groups: int
    rows: int
    batches: int
    via: Via | None

    @property
    def ranks(self) -> int:
        """All functions."""
        return self.groups * self.rows

    @property
    def strategy(self) -> Strategy:
        """What this is called."""
        if self.rows == 1:
            return Strategy.SERIAL if self.groups == 1 else Strategy.SAMPLES
        return Strategy.ROWS if self.groups == 1 else Strategy.ROWS_SAMPLES


@dataclass
class _Sums:
    """What the layers take one rank, and its group in requests."""

    cpu: float = 0.0
    wait: float = 0.0
    tally: RequestSums | None = None


def rows_way(setting: Setting, split: Split) -> Way:
    """Return the way that deals samples and rows out so."""
    shape, profile, kernel = setting.shape, setting.profile, setting.kernel
    samples = math.ceil(shape.samples / split.groups)
    batch = math.ceil(samples / split.batches)
    sums = _layers(setting, split, batch)
    edges = shape.edges * shape.layers / split.rows
    size = edges * shape.bytes_per_edge + samples * shape.neurons / 8
    gets = math.ceil(size / RANGE_BYTES) + 1
    load = max(
        load_seconds(size, gets, profile), gets * split.ranks / profile.s3_get_rate
    )
    started = setting.start(split.ranks)
    moved = max(sums.tally.sent, sums.tally.received) if sums.tally else 0.0
    moving = transfer_seconds(moved / split.rows, profile)
    idle = started.last - started.mean if split.rows > 1 else 0.0  # for the last one
    told = profile.sqs_send.typical + profile.sqs_receive.typical

    def cost(share: float) -> Cost:
        computing = (sums.cpu + edges * kernel.prepare_seconds) / share
        work = load + computing + sums.wait + moving + told
        longest = started.billed + work + idle
        tally = launched(split.ranks, work)
        tally.count("s3:GetObject", gets * split.ranks)
        if sums.tally:
            tally.add(sums.tally, split.groups)
        return Cost(started.last + work, longest * split.ranks, longest, tally)

    holds = held(
        shape,
        kernel,
        rows=shape.neurons / split.rows,
        layers=shape.layers,
        samples=samples,
        batch=batch,
    )
    choices = {"groups": split.groups, "batch": batch}
    return Way(split.strategy, split.via, split.ranks, holds, cost, choices)


def _layers(setting: Setting, split: Split, batch: int) -> _Sums:
    """Add up all layers of all batches."""
    sums = _Sums()
    if split.via is not None:
        sums.tally = RequestSums()
    for stretch in setting.shape.stretches:
        times = stretch.count * split.batches
        sums.cpu += times * _computing(setting, split, stretch, batch)
        if split.via is not None and stretch.before is not None:
            _exchange(setting, split, stretch, batch, sums)
    if split.via is not None and sums.tally is not None:
        answer = Call(split.rows, 1, 1, setting.shape.samples / split.groups / 8)
        end = exchange(split.via, answer, setting.profile)
        sums.tally.add(end.tally, (split.rows - 1) / split.rows)
        rounds = math.ceil(math.log2(split.rows))
        sums.wait += end.seconds * rounds
        sums.cpu += end.cpu * rounds
    return sums


def _computing(setting: Setting, split: Split, stretch: Stretch, batch: int) -> float:
    """Return the vCPU seconds of one layer of one batch."""
    shape, kernel = setting.shape, setting.kernel
    edges = shape.edges / split.rows
    folded, passes = 1.0, 1
    if split.rows > 1 and stretch.before is not None:
        rows = shape.neurons / split.rows
        distinct = stretch.before.distinct_rows(rows, shape.neurons)
        share = (rows + (split.rows - 1) * distinct) / shape.neurons
        if share <= _FOLD:
            folded, passes = max(share, 1 / shape.edges_per_row), 2
    columns = max(1.0, batch * stretch.live)
    multiplying = edges * columns * folded / kernel.edges_per_second
    return multiplying + edges * passes * kernel.edge_seconds + kernel.layer_seconds


def _exchange(
    setting: Setting, split: Split, stretch: Stretch, batch: int, sums: _Sums
) -> None:
    """Add what ranks send each other before the layers of a stretch."""
    assert split.via is not None
    assert stretch.before is not None
    assert sums.tally is not None
    shape, kernel = setting.shape, setting.kernel
    found = shape.traffic(split.rows)
    times = stretch.count * split.batches
    columns = batch * stretch.before.live
    waits = [0.0]
    for traffic in found[min(stretch.first - 1, len(found) - 1)]:
        size = stretch.before.packed(traffic.rows, batch)
        call = Call(split.rows, traffic.messages, traffic.dests, size)
        one = exchange(split.via, call, setting.profile)
        packed = traffic.messages * traffic.rows * columns
        distinct = stretch.before.distinct_rows(traffic.rows, shape.neurons)
        unpacked = call.arrivals * distinct * columns
        cpu = one.cpu + packed / kernel.pack_values + unpacked / kernel.unpack_values
        sums.cpu += times * cpu * traffic.share
        sums.tally.add(one.tally, times * traffic.share)
        waits.append(one.seconds)
    sums.wait += times * max(waits)
